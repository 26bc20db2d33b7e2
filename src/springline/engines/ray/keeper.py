"""The center as the driver sees it: actors that Ray starts again when they died, and that then have to be restored."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from springline.engines.ray import pool
from springline.engines.ray.arrays import pack
from springline.engines.ray.call import DEAD, get
from springline.engines.ray.cluster import NAMESPACE
from springline.engines.ray.lead import Lead
from springline.engines.ray.news import Known, grown, ledger_of, packed
from springline.engines.ray.shard import Shard
from springline.engines.real.words import TRIES, in_vain

if TYPE_CHECKING:
    from springline.engines.ray.driver import Driver

log = logging.getLogger("springline.ray")
PATIENCE = 60.0  # seconds at least for the center's actors to start, which wait for no room
NEWS = 0.25  # seconds that the center waits for news to tell


class Keeper:
    """actors: the lead first. state: absent, starting or up; since: when it last was not up; why: it was lost.

    epoch: how often it was restored; heard: its events since then; down: the scenario wants it down; said: what it was
    told by `tell`, in numbers; tries: how often in a row it was lost without coming further than `progress`, the most
    attempts that were ever resolved.
    """

    def __init__(self, boss: Driver) -> None:
        self.boss, self.plan, self.run = boss, boss.plan, uuid4().hex[:12]
        here = ray.get_runtime_context().get_node_id()
        self.kinds = [("lead", here)] + [("shard", k) for k in range(1, len(self.plan.cuts))]
        self.actors = [pool.take(kind, partial(self._make, *kind)) for kind in self.kinds]
        self.state, self.why, self.pid, self.epoch, self.restarts, self.down = "absent", "", 0, -1, 0, False
        self.since, self.heard, self.said = time.monotonic(), 0, 0
        self.tries, self.progress = 0, boss.tallies.resolved
        self.patience = max(PATIENCE, boss.engine.patience)
        self._waits: list[Any] = []

    def _make(self, kind: str, where: Any) -> Any:
        common: dict[str, Any] = {"namespace": NAMESPACE, "num_cpus": 0, "max_restarts": -1}
        if kind == "shard":
            actor: Any = ray.remote(Shard)
            # out of order: what is still on its way from one worker must not hold up an exchange with another
            common |= {"scheduling_strategy": "SPREAD", "allow_out_of_order_execution": True}
            return actor.options(name=f"center-{self.run}-{where}", **common).remote()
        actor = ray.remote(Lead)
        near = NodeAffinitySchedulingStrategy(where, soft=True)  # where the driver is: the run ends with that anyway
        common |= {"max_task_retries": -1, "max_concurrency": 1000, "scheduling_strategy": near}
        return actor.options(name=f"center-{self.run}", **common).remote()

    @property
    def lead(self) -> Any:
        return self.actors[0]

    @property
    def overdue(self) -> bool:
        return self.state == "starting" and time.monotonic() - self.since > self.patience

    def kill(self, k: int = 0) -> None:
        """End the process of one of them; Ray starts it again, empty."""
        ray.kill(self.actors[k], no_restart=False)

    def tell(self) -> None:
        """Tell it whether the run waits, and how many workers are there. Calls to it do not arrive in their order."""
        self.said += 1
        self.lead.pause.remote(self.run, self.said, self.boss.pauses.since is not None, self.boss.present)

    def lose(self, why: str, *, wanted: bool = False) -> None:
        """It is not whole any more; wanted: by the scenario."""
        if self.state != "absent":
            self.state, self.since, self.why = "absent", time.monotonic(), why
            self.tries += not wanted

    def look(self) -> None:
        if self.state == "absent" and not self.down:
            self.restore()

    def restore(self) -> None:
        """Give all actors what the last snapshot says, and room for who has joined since; the lead when all others have
        it. Raises RunError if the restorations before led to nothing.
        """
        if self.tries >= TRIES:
            raise in_vain("the center", self.why)
        boss, coupling = self.boss, self.boss.job.method.coupling
        state = grown(boss.writer.saved(), coupling, boss.wanted)
        self.epoch, self.heard = self.epoch + 1, 0
        if self.epoch:
            self.restarts += 1
            log.warning(
                "the center was lost (%s) and is restored from its snapshot of round %d; %d exchanges since are lost.",
                self.why, state.resolved // self.plan.workers, max(0, boss.tallies.updates - state.updates),
            )  # fmt: skip
        vitals = [
            {k: x for k, x in boss.tallies.vitals(i).items() if k not in ("since", "silent")}
            for i in range(len(state.tallies))
        ]
        ledger = ledger_of(state, vitals, boss.tallies.forgotten)
        told = {"run": self.run, "epoch": self.epoch, "ledger": ledger, "seconds": time.monotonic() - boss.zero}
        told |= {"plan": self.plan, "coupling": coupling, "shards": self.actors[1:]}
        pieces = packed(state, self.plan)
        common = self.plan, coupling, self.epoch
        self._waits = [
            shard.restore.remote(k, *common, *map(ray.put, piece), len(state.tallies))
            for k, (shard, piece) in enumerate(zip(self.actors[1:], pieces[1:], strict=True), 1)
        ]
        self.state, self.since, epoch = "starting", time.monotonic(), self.epoch
        mine, buffers = [ray.put(piece) for piece in pieces[0]], pack({"b": state.center.buffers})

        def lead_then(_: Any = None) -> None:
            if self._waits:
                boss.calls[self._waits.pop()] = self._tried(epoch, lead_then)
                return
            now = {"paused": boss.pauses.since is not None, "begun": boss.begun}
            call = self.lead.restore.remote(told | now, *mine, buffers)
            boss.calls[call] = self._tried(epoch, self.listen)

        lead_then()

    def _tried(self, epoch: int, then: Callable[[Any], None]) -> Callable[[Any], None]:
        """A step of a restoration; if it fails, the next one begins."""

        def handle(ref: Any) -> None:
            if epoch != self.epoch or self.state != "starting":
                return
            try:
                found = get(ref)
            except RayTaskError:
                raise
            except RayError as error:
                self.lose(type(error).__name__)
                return
            then(found)

        return handle

    def listen(self, _: Any = None) -> None:
        """Ask for its news."""
        self.boss.calls[self.lead.news.remote(self.run, NEWS)] = partial(self.hear, self.epoch)

    def hear(self, epoch: int, ref: Any) -> None:
        if epoch != self.epoch or self.state == "absent":
            return  # what was asked of a center that is lost
        try:
            news = get(ref)
        except DEAD as error:
            self.lose(type(error).__name__)
            return
        if news["epoch"] != epoch:
            self.lose("it has forgotten the run")
            return
        self.boss.tallies = known = Known(news)
        if known.resolved > self.progress:
            self.progress, self.tries = known.resolved, 0
        for event in news["events"]:
            self.boss.happened(event)
        self.heard += len(news["events"])
        self.boss.writer.settle()
        if self.state != "absent":
            self.listen()

    def close(self, *, used_up: bool) -> None:
        """used_up: the actors cannot be used by another run."""
        for kind, actor in zip(self.kinds, self.actors, strict=True):
            if used_up:
                ray.kill(actor, no_restart=True)
            else:
                pool.give_back(kind, actor)
