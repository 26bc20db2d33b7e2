"""The workers of a run: started, looked after, started again, waited for."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

from ray.exceptions import RayError, RayTaskError

from springline.engines.apart import check_join
from springline.engines.job import Job
from springline.engines.ray import Ray
from springline.engines.ray.call import DEAD, get
from springline.engines.ray.cluster import waits_for
from springline.engines.ray.crew import Member, Needs
from springline.engines.ray.harm import ROOM
from springline.engines.ray.keeper import Keeper
from springline.engines.ray.news import Known
from springline.engines.ray.plan import Plan
from springline.engines.ray.pulse import Pulse
from springline.engines.ray.writer import Writer
from springline.engines.real.boss import away
from springline.engines.real.pauses import Pauses
from springline.engines.real.words import ENDED, WAITS, deserted, too_few
from springline.errors import RunError, UsageError

log = logging.getLogger("springline.ray")


class Staff:
    """calls: what was asked of actors, and what to do when it ends; wanted: members, with those that are joining;
    pulses: what workers last said about themselves, more often than they exchange.
    begun: everybody was there once, and the run's clock, which showed `before`, goes on since then.
    """

    job: Job
    engine: Ray
    plan: Plan
    center: Keeper
    writer: Writer
    tallies: Known
    zero: float
    before: float
    parcel: Any  # the job, as it is sent to workers

    def __init__(self, members: int, how: str | None) -> None:
        self.needs = Needs(self.engine.cpus_per_worker, self.engine.gpus_per_worker)
        self.crew = [Member(i, self.needs, rejoin=how) for i in range(members)]
        self.wanted = members
        self.begun = False
        self.pauses = Pauses()
        self.present = members  # workers who are there, or are starting
        self.calls: dict[Any, Callable[[Any], None]] = {}
        self.pulses: dict[int, Pulse] = {}

    @property
    def alive(self) -> int:
        return sum(m.state == "up" for m in self.crew)

    def enlist(self, members: int) -> None:
        """Places for so many workers, for whom the center has room."""
        self.crew += [Member(i, self.needs, rejoin="join") for i in range(len(self.crew), members)]

    def live(self, actor: Any, i: int, how: str | None) -> Any:
        threads = max(1, int(self.engine.cpus_per_worker))
        device = "cuda" if self.engine.gpus_per_worker else self.job.device
        return actor.run.remote(self.plan, self.parcel, self.center.lead, i, uuid4().hex, how, threads, device)

    def begin(self, member: Member) -> None:
        """Start a worker. Raises RunError if the starts before it led to nothing."""
        member.count_start(self.tallies.last(member.i))
        member.restarts += member.began > 0
        member.start(self.live)
        self.calls[member.running] = lambda ref: self.ended(member, ref)

    def greeted(self, member: Member, pid: int) -> None:
        """A worker has begun a life. It may be said again by a center that was restored."""
        if member.actor is None or (member.watching is not None and member.pid == pid):
            return
        member.state, member.late, member.pid = "up", False, pid
        member.watching = watching = member.actor.watch.remote()
        self.calls[watching] = partial(self.died, member)
        self.feel(member, watching)

    def died(self, member: Member, ref: Any) -> None:
        """A worker's process has ended, and Ray starts it again. Raises RunError if that led to nothing so often."""
        if member.watching is not ref or member.state != "up":
            return
        member.watching = None
        try:
            get(ref)
            return  # its life has ended, as the other call will tell
        except DEAD as error:
            self.mourn(member, error)
        member.count_start(self.tallies.last(member.i))
        member.state, member.began = "starting", time.monotonic()  # by Ray, wherever there is room
        member.restarts, member.pid = member.restarts + 1, 0

    def mourn(self, member: Member, error: RayError) -> None:
        """It has ended, though nobody wanted that."""
        member.why = type(error).__name__
        log.warning(ENDED, f"worker {member.i}", member.why)

    def feel(self, member: Member, watching: Any) -> None:
        """Go on hearing of a worker what it does, also between two exchanges, as long as this life is watched."""

        def felt(ref: Any) -> None:
            with contextlib.suppress(*DEAD):
                if (beat := get(ref)) and member.watching is watching:
                    self.pulses[member.i] = Pulse.heard(beat)
                    self.feel(member, watching)

        self.calls[member.actor.beat.remote()] = felt

    def ended(self, member: Member, ref: Any) -> None:
        """A worker's life is over."""
        if member.running is not ref:
            return
        try:
            how, why = get(ref)
        except DEAD as error:
            self.mourn(member, error)
            member.end()
            return
        except RayTaskError as error:
            why = str(error.cause or error).strip().splitlines()[0]
            hint = "; what the task is made of must be installed on every machine" if "No module" in why else ""
            raise RunError(f"worker {member.i} could not go on ({why}){hint}.") from error
        if how in ("RunError", "UsageError", "refused"):
            raise {"UsageError": UsageError}.get(how, RunError)(why)
        if how == "superseded":
            member.end()  # somebody else spoke for it; the next one says hello again
        else:
            member.dismiss()

    def lateness(self) -> None:
        """Begin when everybody is there; say what is waited for, if a start does not succeed."""
        now, patience = time.monotonic(), self.engine.patience
        if self.center.overdue:
            waited = f"the center has not started within {self.center.patience:g} s"
            raise RunError(f"{waited}; see `ray status` for what it waits for.")
        late = [m for m in self.crew if m.state == "starting" and now - m.began > patience]
        if late and not all(m.late for m in late):
            sentence = waits_for(len(late), len(self.crew), self.engine)
            if self.alive < self.engine.min_workers and not self.begun:
                raise RunError(
                    f"the run has not started within {patience:g} s: {sentence}; ask for less with cpus_per_worker "
                    "and gpus_per_worker, use fewer workers, or add machines."
                )
            log.warning("%s; the run goes on without them until there is room.", sentence)
            for m in late:
                m.late = True
        if (
            not self.begun
            and self.center.state == "up"
            and self.alive + sum(m.late for m in self.crew) == len(self.crew)
        ):
            self.begun = True
            self.zero = now - self.before
            self.center.lead.begin_now.remote(self.before)

    def pause(self) -> None:
        """Let nobody exchange while too few workers are alive, and wait for no message of those who are not there.

        Raises RunError when all workers have left for good, or so many that the others have waited for as long as there
        is patience.
        """
        enough, before = self.engine.min_workers, (self.pauses.since is not None, self.present)
        left = sum(m.state != "gone" for m in self.crew)
        self.pauses.turn(self.begun and self.alive < enough, short=left < enough)
        self.present = sum(m.expected for m in self.crew)
        if (self.pauses.since is not None, self.present) != before and self.center.state == "up":
            self.center.tell()
        if self.alive + away(self.crew) < enough and self.pauses.to_be_named():
            log.warning(WAITS, too_few(self.alive, enough))
        if not left or self.pauses.short > self.engine.patience:
            self.writer.snapshot()
            raise deserted(left, enough, self.writer.told, self.job.rounds)

    def join(self) -> int:
        """Make room for one more worker, which then starts from the center. Raises UsageError if there is none."""
        i = self.wanted
        if i >= self.job.workers + ROOM:
            raise UsageError(f"the run has room for {i} workers; start a new one with more.")
        check_join(self.job, i)
        self.wanted = i + 1
        if self.center.state == "up":
            self.center.lead.grow.remote(self.wanted)
        return i
