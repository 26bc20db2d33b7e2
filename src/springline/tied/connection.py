"""A worker's line to a center of the local engine, and its word with whoever keeps it."""

from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path
from typing import Any
from weakref import WeakSet

from safetensors.torch import save_file
from torch import Tensor

from springline.couplings.base import Ease, Message, Reply
from springline.engines.local.client import Interrupted
from springline.engines.local.client import Line as Wire
from springline.engines.local.crew import PATIENCE
from springline.engines.local.plan import Plan
from springline.engines.real import wire
from springline.errors import RunError, UsageError
from springline.tied.connector import Offer

_OPEN: WeakSet[LocalConnection] = WeakSet()  # a process that is forked (a data loader's) has no part in these


def _drop_all() -> None:
    for connection in _OPEN:
        connection.drop()


os.register_at_fork(after_in_child=_drop_all)


class LocalConnection:
    """unwanted: the run is being stopped. The rest is as `Connection` says."""

    def __init__(self, door: Path, offer: Offer, deadline: float) -> None:
        """door: the socket of whoever keeps the center. Raises OSError or EOFError if it has just ended."""
        self.boss = wire.connect(str(door))
        try:
            welcome = self.greet(offer, deadline)
        except BaseException:
            self.boss.close()
            raise
        self.worker, self.workers = welcome["worker"], welcome["workers"]
        self.differs, self.back = welcome["differs"], welcome["back"]
        self.unwanted = False
        place = Path(welcome["place"])
        self.line = Wire(Plan.load(place / "plan.json"), place, self.worker, self.boss)
        self.vitals = self.line.box.vitals
        self.device = offer.model.layout.parameters[0].device
        self.waiting(self.line.connect)
        _OPEN.add(self)

    def greet(self, offer: Offer, deadline: float) -> dict[str, Any]:
        model = offer.model
        wire.send(
            self.boss,
            {
                "hello": offer.worker,
                "pid": os.getpid(),
                "size": model.layout.size,
                "dtype": model.kind,
                "fingerprint": model.fingerprint(),
                "digest": model.digest(),
                "config": offer.config,
            },
        )
        while True:
            self.boss.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                packet = wire.receive(self.boss)
            except TimeoutError:
                raise RunError(
                    f"waited {PATIENCE:.0f} s for the center of the run, which has not started; see the messages of "
                    "its launcher."
                ) from None
            if packet is None:
                raise EOFError
            if "refused" in packet:
                raise UsageError(packet["refused"])
            if "define" in packet:
                define(offer, Path(packet["define"]))
                wire.send(self.boss, {"defined": True})
            elif "worker" in packet:
                self.boss.settimeout(None)
                return packet

    # -- an exchange

    @property
    def last(self) -> int:
        return self.line.last

    def push(self, round: int, message: Message, begun: float, ease: Ease | None = None) -> None:
        self.waiting(lambda: self.line.push(round, message, asked=True, begun=begun, ease=ease))

    def settle(self) -> Reply | None:
        found: Reply | None = self.waiting(self.line.settle)
        return found

    def fetch(self, *, start: bool) -> tuple[Tensor, Tensor]:
        x, b = self.waiting(lambda: self.line.fetch(start=start))
        return x, b

    def own(self, t: Tensor) -> Tensor:
        return self.line.box.own(t, self.device)

    def tell(self, **vitals: float | str) -> None:
        for name, value in vitals.items():
            if isinstance(value, str):
                self.vitals.enter(value)
            else:
                self.vitals[name] = value

    def waiting(self, ask: Any) -> Any:
        """ask(), however often the host has something to say meanwhile."""
        while True:
            try:
                return ask()
            except Interrupted:
                if wire.receive(self.boss) is None:
                    raise RunError(
                        "the process that keeps the center has ended; see its messages, and start again."
                    ) from None
                self.unwanted = True

    def close(self, how: str) -> None:
        """Wait until the host has written down what it has to, so that the end of the script is the end of the run.

        Raises RunError if it has not, unless the script has failed already.
        """
        self.line.close()
        wire.send(self.boss, {"end": how})
        self.boss.settimeout(PATIENCE)
        try:
            while (packet := wire.receive(self.boss)) is not None and "bye" not in packet:
                pass
            why = f"ended before worker {self.worker} had parted from it" if packet is None else ""
        except TimeoutError:
            why = f"did not answer within {PATIENCE:.0f} s when worker {self.worker} parted from it"
        self.boss.close()
        if why and how != "failed":
            raise RunError(
                f"the process that keeps the center {why}, so the center's last state may not be written; see its "
                "messages: the snapshot before is what is left."
            )

    def drop(self) -> None:
        """Close it without a word to anybody."""
        self.boss.close()
        self.line.close()


def define(offer: Offer, path: Path) -> None:
    """Lay down what the center is made of; for our own host, in a folder that nobody else can read."""
    try:
        method = pickle.dumps(offer.job.method)
    except Exception as error:
        raise UsageError(
            f"method {offer.job.method.name!r} cannot be sent to the center ({error}); define its parts at the top "
            "level of a module."
        ) from None
    x, b = offer.model.read()
    constants = {f"constant {name}": t.cpu().contiguous().clone() for name, t in offer.model.constants().items()}
    save_file({"x": x.cpu(), "b": b.cpu()} | constants, path / "model.safetensors")
    (path / "entries.json").write_text(json.dumps(offer.model.entries()))
    (path / "method").write_bytes(method)
