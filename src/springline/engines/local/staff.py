"""Who works for a run: the center and the workers are started, watched, started again, and let go."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING

from springline.engines.apart import check_join
from springline.engines.base import Sink
from springline.engines.job import Job
from springline.engines.local.crew import Member, Process
from springline.engines.local.ground import Ground
from springline.engines.local.harm import Harm
from springline.engines.local.nursery import Nursery
from springline.engines.local.overseer import Overseer
from springline.engines.local.plan import WANTED
from springline.engines.real.boss import away
from springline.engines.real.faults import comes_back_stale
from springline.engines.real.words import LONGER, WAITS, too_few
from springline.errors import RunError, UsageError

if TYPE_CHECKING:
    from springline.engines.local import Local

log = logging.getLogger("springline.local")


class Staff(Overseer):
    """center_down: the scenario wants the center down; wanted_members: with those that are joining; ready: the task is
    loaded.
    """

    ground: Ground

    def __init__(self, job: Job, engine: Local, sink: Sink, ground: Ground, nursery: Nursery) -> None:
        place = {"place": str(ground.path)}
        center = Process("the center", "center", place, patience=engine.patience, extra=[ground.listener])
        super().__init__(engine, center)
        self.job, self.sink, self.ground, self.nursery = job, sink, ground, nursery
        self.plan, self.tallies = ground.plan, ground.tallies
        self.wanted_members = 0
        self.center_down = self.ready = False
        self.harm = Harm(self)

    def enlist(self, i: int, rejoin: str | None) -> None:
        """A place for worker i, who has a box."""
        spec = {
            "place": str(self.ground.path),
            "worker": i,
            "threads": max(1, len(os.sched_getaffinity(0)) // self.job.workers),
            "device": self.engine.device(self.job.device, i),
            "keep": any(comes_back_stale(f) for f in self.job.scenario.faults),
            "patience": self.engine.patience,
        }
        self.crew.append(Member(f"worker {i}", "worker", spec, patience=self.engine.patience, i=i, rejoin=rejoin))
        self.wanted_members = max(self.wanted_members, i + 1)

    def join(self) -> int:
        """Make room for one more worker, which then starts from the center. Raises UsageError if there is none."""
        i = self.wanted_members
        if i >= self.plan.capacity:
            raise UsageError(f"the run has room for {i} workers; start it with a larger max_workers.")
        check_join(self.job, i)
        self.ground.add_rows(i + 1)
        self.wanted_members = i + 1
        self.to_center({"members": i + 1})
        return i

    def look(self) -> None:
        """What has to be done now and then."""
        if not self.ready:
            return
        self.harm.tick()
        if self.center.state == "absent" and not self.center_down:
            self.center.count_start(self.resolved)
            self.center.start(self.nursery)
            self.watch(self.center.sock, lambda: self.hear(self.center))
        for member in self.crew:
            if member.state == "absent" and not member.down and member.i < self.wanted_members:
                member.count_start(self.tallies.last(member.i))
                self.ground.vitals(member.i).enter("absent")  # its former life says nothing about this one
                member.start(self.nursery, rejoin=member.rejoin, zero=self.zero)
                member.rejoin = None
                self.watch(member.sock, partial(self.hear, member))
            if member.overdue and self.center.state == "up":
                what = "waiting for the center" if self.ground.vitals(member.i)["state"] else "building its model"
                raise RunError(
                    f"{member.name} has not started within {self.engine.patience:g} s; it is {what}: see the messages "
                    f"above{LONGER}."
                )
        self.check_center(LONGER)
        if self.sink.due():
            self.ground.words[WANTED] = 1
        self.pause()

    def pause(self) -> None:
        """See to it that nobody exchanges while too few workers are alive; say so where that may last."""
        enough = self.engine.min_workers
        self.hold(self.alive < enough and self.told < self.job.rounds, short=self.left < enough)
        # at the start, and where the scenario wants it so, there is nothing to say
        if self.updates and self.alive + away(self.crew) < enough and self.pauses.to_be_named():
            log.warning(WAITS, too_few(self.alive, enough))

    @property
    def left(self) -> int:
        """Workers who have not left for good."""
        return sum(m.state != "gone" for m in self.crew)

    @property
    def deserted(self) -> bool:
        """All workers have left for good, or so many that the others have waited for as long as there is patience."""
        return not self.left or self.pauses.short > self.engine.patience
