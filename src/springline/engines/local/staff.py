"""Who works for a run: the center and the workers are started, watched, started again, and let go."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from springline.engines.base import Sink
from springline.engines.job import Job
from springline.engines.local import wire
from springline.engines.local.crew import TRIES, Member, Process
from springline.engines.local.ground import Ground
from springline.engines.local.harm import Harm
from springline.engines.local.nursery import Nursery
from springline.engines.local.plan import EXPECTED, PAUSED, WANTED
from springline.engines.real.faults import comes_back_stale
from springline.engines.real.words import too_few
from springline.errors import RunError, UsageError

if TYPE_CHECKING:
    from springline.engines.local import Local

PAUSE = 5.0  # seconds without enough workers after which that is said

log = logging.getLogger("springline.local")


class Staff(ABC):
    """center_down: the scenario wants the center down; resolved: attempts whose outcome is known; told: rounds.

    paused_since: when there were too few workers, as there still are; named: that was said; paused: seconds for which
    there were, before that.  halted: nobody is to exchange any more.
    """

    def __init__(self, job: Job, engine: Local, sink: Sink, ground: Ground, nursery: Nursery) -> None:
        self.job, self.engine, self.sink, self.ground, self.nursery = job, engine, sink, ground, nursery
        self.plan, self.tallies = ground.plan, ground.tallies
        self.selector = selectors.DefaultSelector()
        place = {"place": str(ground.path)}
        self.center = Process("the center", "center", place, patience=engine.patience, extra=[ground.listener])
        self.crew: list[Member] = []
        self.zero = time.monotonic()
        self.resolved = self.updates = self.told = 0
        self.wanted_members = 0
        self.center_down = self.ready = self.halted = self.named = False
        self.paused_since: float | None = None
        self.paused = 0.0
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
        i, coupling = self.wanted_members, self.job.method.coupling
        if i >= self.plan.capacity:
            raise UsageError(f"the run has room for {i} workers; start it with a larger max_workers.")
        if coupling.most_workers is not None and i >= coupling.most_workers:
            raise UsageError(f"{self.job.method.name} is defined for at most {coupling.most_workers} workers.")
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
            self.again(self.center, self.resolved)
            self.center.start(self.nursery)
            self.watch(self.center.sock, lambda: self.hear(self.center))
        for member in self.crew:
            if member.state == "absent" and not member.down and member.i < self.wanted_members:
                self.again(member, self.tallies.last(member.i))
                self.ground.vitals(member.i).enter("absent")  # its former life says nothing about this one
                member.start(self.nursery, rejoin=member.rejoin, zero=self.zero)
                member.rejoin = None
                self.watch(member.sock, partial(self.hear, member))
            if member.overdue and self.center.state == "up":
                what = "waiting for the center" if self.ground.vitals(member.i)["state"] else "building its model"
                raise RunError(
                    f"{member.name} has not started within {self.engine.patience:g} s; it is {what}: see the messages "
                    "above, or give it longer by engine=Local(patience=…)."
                )
        if self.center.overdue:
            raise RunError(
                f"the center has not started within {self.engine.patience:g} s; see the messages above, or give it "
                "longer by engine=Local(patience=…)."
            )
        if self.sink.due():
            self.ground.words[WANTED] = 1
        self.pause()

    def again(self, process: Process, progress: float) -> None:
        """Count a start. Raises RunError if the starts before it led to nothing."""
        if process.progress == progress:
            process.tries += 1
        else:
            process.tries, process.progress = 1, progress
        process.restarts += process.began > 0
        if process.tries > TRIES:
            raise RunError(
                f"{process.name} ended {TRIES} times in a row before its next exchange ({process.why or 'no reason'}); "
                "see the messages above."
            )

    def pause(self) -> None:
        """Let nobody exchange while too few workers are alive, and wait for no message of those who are not there."""
        alive, enough, now = sum(m.state == "up" for m in self.crew), self.engine.min_workers, time.monotonic()
        paused = alive < enough and self.told < self.job.rounds
        if paused != (self.paused_since is not None):
            self.paused += now - self.paused_since if self.paused_since is not None else 0.0
            self.paused_since, self.named = now if paused else None, False
        if self.pausing > PAUSE and self.updates and not self.named and alive + sum(m.down for m in self.crew) < enough:
            self.named = True  # at the start, and where the scenario wants it so, there is nothing to say
            log.warning("%s; nobody exchanges until there are (`springline join` adds one).", too_few(alive, enough))
        words, hold = self.ground.words, paused or self.halted
        there = sum(m.state in ("up", "starting") for m in self.crew)
        if (hold, there) != (bool(words[PAUSED]), words[EXPECTED]):
            words[PAUSED], words[EXPECTED] = hold, there
            self.to_center({"look": True})

    @property
    def pausing(self) -> float:
        """For how many seconds there have been too few workers."""
        return time.monotonic() - self.paused_since if self.paused_since is not None else 0.0

    @property
    def left(self) -> int:
        """Workers who have not left for good."""
        return sum(m.state != "gone" for m in self.crew)

    @property
    def deserted(self) -> bool:
        """All workers have left for good, or so many that the others have waited for as long as there is patience."""
        return not self.left or (self.left < self.engine.min_workers and self.pausing > self.engine.patience)

    @abstractmethod
    def said(self, process: Process, packet: dict[str, Any]) -> None:
        """A process has said something."""

    def hear(self, process: Process) -> None:
        assert process.sock is not None
        packet = wire.receive(process.sock)
        if packet is None:
            self.forget(process.sock)  # the nursery will tell how it ended
        else:
            self.said(process, packet)

    def to_center(self, packet: dict[str, Any]) -> None:
        if self.center.sock is not None:
            wire.send(self.center.sock, packet)

    def watch(self, sock: Any, heard: Callable[[], None]) -> None:
        self.selector.register(sock, selectors.EVENT_READ, heard)

    def forget(self, sock: Any) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(sock)
