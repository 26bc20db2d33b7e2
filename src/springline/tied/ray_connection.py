"""A worker's line to the center of tied Ray tasks, see meeting.py."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import ray
from ray.exceptions import ActorDiedError, GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from torch import Tensor

from springline.couplings.base import Ease, Message, Reply
from springline.engines.ray.arrays import pack
from springline.engines.ray.call import get
from springline.engines.ray.cluster import NAMESPACE
from springline.engines.ray.line import Line, Refused
from springline.engines.ray.pulse import Pulse
from springline.engines.real.kinds import written
from springline.engines.real.worker import Stopped
from springline.errors import RunError, UsageError
from springline.tied.connector import Offer
from springline.tied.meeting import BEAT, Meeting

HEAD = "node:__internal_head__"  # Ray's own name for the resource that the cluster's first machine has

T = TypeVar("T")
log = logging.getLogger("springline.ray")
tied: dict[str, RayConnection] = {}  # of this process, by the center's name


class Ended(Exception):
    """The center was just ending."""


class RayConnection:
    """See `Connection`. Ray asks nobody to leave: a task that is not wanted any more is killed."""

    unwanted = False

    def __init__(self, name: str, offer: Offer, deadline: float) -> None:
        """Raises Ended if the center was just ending."""
        self.name, self.who, self.life = name, _who(), uuid4().hex
        if (before := tied.get(name)) is not None:
            if before.who == self.who:
                raise UsageError(
                    "this task is tied to the center already; tie one module per task (put several into one "
                    "nn.ModuleDict), or name another center by connector=RayConnector(NAME)."
                )
            before.close("failed")  # a task that went without a word; Ray keeps its process for the next one
        self.center = _center(name)
        welcome = self.greet(offer, deadline)
        self.worker, self.workers = welcome["worker"], welcome["workers"]
        self.differs, self.back = welcome["differs"], welcome["back"]
        self.pulse = Pulse()
        self.line = Line(welcome["plan"], self.center, self.worker, self.life, self.pulse)
        self.ask(lambda: self.line.hello(self.life))
        tied[name] = self
        self._closed = threading.Event()
        threading.Thread(target=self.live, name="springline-beat", daemon=True).start()

    def greet(self, offer: Offer, deadline: float) -> dict[str, Any]:
        model, method = offer.model, offer.job.method
        hello = {"size": model.layout.size, "dtype": model.kind, "buffer_dtype": written(model.layout.buffer_kind)}
        hello |= {"config": offer.config, "fingerprint": model.fingerprint(), "digest": model.digest()}
        self.offer, self.said = offer, hello

        def wait(ref: Any) -> Any:
            try:
                return get(ref, max(0.01, deadline - time.monotonic()))
            except GetTimeoutError:
                raise RunError(
                    f"waited 60 s for the center {self.name!r} of these Ray tasks; see `ray status` for what it waits "
                    "for."
                ) from None
            except ActorDiedError as error:
                raise Ended from error

        while True:
            answer: dict[str, Any] = wait(self.center.greet.remote(self.who, hello))
            if "ended" in answer:
                raise Ended
            if "refused" in answer:
                raise UsageError(answer["refused"])
            if "worker" in answer:
                return answer
            if time.monotonic() > deadline:
                raise RunError(f"waited 60 s for the workers that the center {self.name!r} was of before it died.")
            try:
                wait(self.define())
            except TypeError as error:
                raise UsageError(
                    f"method {method.name!r} cannot be sent to the center ({error}); define its parts at "
                    "the top level of a module."
                ) from None

    def define(self) -> Any:
        """Say what the center is, as it begins or has died."""
        x, b = self.offer.model.read()
        return self.center.define.remote(self.said, self.offer.job.method, pack({"x": x}), pack({"b": b}))

    # -- an exchange

    @property
    def last(self) -> int:
        return self.line.last

    def push(self, round: int, message: Message, begun: float, ease: Ease | None = None) -> None:
        self.ask(lambda: self.line.push(round, message, asked=True, begun=begun, ease=ease))

    def settle(self) -> Reply | None:
        return self.ask(self.line.settle)

    def fetch(self, *, start: bool) -> tuple[Tensor, Tensor]:
        return self.ask(lambda: self.line.fetch(start=start))

    def own(self, t: Tensor) -> Tensor:
        return self.line.loan.own(t)

    def tell(self, **vitals: float | str) -> None:
        for name, value in vitals.items():
            if isinstance(value, str):
                self.pulse.enter(value)
            else:
                self.pulse[name] = value

    def ask(self, what: Callable[[], T]) -> T:
        """what(), or one sentence about why there is no answer."""
        try:
            return what()
        except Refused as error:
            raise RunError(
                f"worker {self.worker} was not heard of for so long that another one has its number ({error}); tie "
                "again to go on from the center."
            ) from None
        except (RayError, Stopped) as error:
            raise RunError(
                f"the center {self.name!r} of these Ray tasks is gone ({type(error).__name__}), and what it held with "
                "it: its machine was lost, or all others had parted; start the tasks again."
            ) from None

    def live(self) -> None:
        """Give signs of life, from a thread of its own, until it parts."""
        while not self._closed.wait(BEAT):
            try:
                answer = get(self.center.beat.remote(self.worker, self.life, self.pulse.told()), 10 * BEAT)
                if answer == "define":
                    get(self.define(), 10 * BEAT)
                elif answer:
                    return
            except ActorDiedError:
                return  # the script hears of it when it exchanges
            except RayError as error:
                log.debug("worker %d: no answer to a sign of life (%s).", self.worker, type(error).__name__)

    def close(self, how: str) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        if tied.get(self.name) is self:
            del tied[self.name]
        try:
            get(self.center.part.remote(self.worker, self.life, how), 10)
        except RayError as error:
            log.warning("worker %d could not take leave of the center (%s).", self.worker, type(error).__name__)


def _who() -> str:
    """The same for a task or an actor that Ray has started again."""
    context = ray.get_runtime_context()
    return str(context.get_actor_id() or context.get_task_id() or uuid4().hex)


def _center(name: str) -> Any:
    """The actor of this name; if there is none yet, on the machine with which the cluster ends anyway."""
    actor: Any = ray.remote(Meeting)
    nodes: list[Any] = ray.nodes()  # type: ignore[no-untyped-call]
    heads = [node["NodeID"] for node in nodes if node["Alive"] and HEAD in node["Resources"]]
    near = NodeAffinitySchedulingStrategy(heads[0], soft=True) if heads else None
    options = {"name": f"tied-{name}", "namespace": NAMESPACE, "get_if_exists": True, "lifetime": "detached"}
    options |= {"max_restarts": -1, "max_task_retries": -1}
    return actor.options(num_cpus=0, max_concurrency=1000, scheduling_strategy=near, **options).remote()
