"""The calling process: it starts the center and the workers, starts again whoever dies, and writes down what happens.

It holds no part of an exchange: while it evaluates or writes, everybody goes on.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from springline.engines.base import Outcome, Sink
from springline.engines.job import Job
from springline.engines.local.crew import Member, Process, ended_by
from springline.engines.local.ground import Ground
from springline.engines.local.harm import TICK
from springline.engines.local.news import glance, state_of
from springline.engines.local.nursery import Nursery, pickled
from springline.engines.local.staff import Staff
from springline.engines.real import wire
from springline.engines.real.control import Control
from springline.engines.real.interrupts import Interrupts
from springline.engines.real.news import LocalState, paused_row, row
from springline.engines.real.scribe import Scribe
from springline.engines.real.words import ENDED, LONGER, deserted
from springline.errors import RunError, UsageError

if TYPE_CHECKING:
    from springline.engines.local import Local

IDLE = 0.2  # seconds between two looks around when no scenario wants more

log = logging.getLogger("springline.local")


class Supervisor(Staff):
    """Tells the scribe what to write."""

    def __init__(self, job: Job, engine: Local, sink: Sink, ground: Ground, nursery: Nursery) -> None:
        super().__init__(job, engine, sink, ground, nursery)
        self.folder = sink.where
        self.scribe, self.control = Scribe(job, sink), Control(self)
        self.interrupts = Interrupts()

    def take_up(self, resumed: LocalState | None) -> None:
        """Begin, or go on from a checkpoint."""
        if resumed is not None:
            self.zero -= resumed.seconds
            self.resolved, self.updates = resumed.resolved, resumed.updates
            self.told = self.resolved // self.plan.workers
        for i in self.ground.boxes:
            self.enlist(i, "resume" if resumed is not None else None)

    # -- the run

    def run(self) -> Outcome:
        job = self.job
        try:
            self.ground.place.announce(self.folder)
            self.watch(self.nursery.sock, self.hear_nursery)
            self.until(lambda: self.ready, "the process that loads the task", self.engine.patience)
            self.until(lambda: self.told >= job.rounds or self.stopping or self.deserted)
            if self.told < job.rounds and self.deserted:
                self.snapshot()
                raise deserted(self.left, self.engine.min_workers, self.told, job.rounds)
            if self.told < job.rounds:
                raise KeyboardInterrupt
            self.dismiss()
            self.scribe.finish()
            self.check()
            center = self.ground.live()
            return Outcome(job.method.coupling.readout(center).clone(), center.buffers.clone())
        except KeyboardInterrupt:
            self.snapshot()
            raise
        finally:
            self.close()

    def until(self, done: Callable[[], bool], what: str = "", patience: float = float("inf")) -> None:
        """Look after everything until something is the case."""
        deadline = time.monotonic() + patience
        idle = TICK if self.harm.any else IDLE
        looked = 0.0
        while not done():
            for key, _ in self.selector.select(idle):
                if key.fileobj.fileno() >= 0:  # type: ignore[union-attr]
                    self.interrupts.finish(key.data)
            if time.monotonic() - looked >= idle:
                looked = time.monotonic()
                self.interrupts.finish(self.look)
            self.check()
            if time.monotonic() > deadline:
                raise RunError(f"the run has waited {patience:.0f} s for {what}; see the messages above{LONGER}.")

    # -- news

    def hear_nursery(self) -> None:
        packet = wire.receive(self.nursery.sock)
        if packet is None:
            raise RunError("the process that starts the workers has died; run again, and see the messages above.")
        if "failed" in packet:
            raise UsageError(packet["failed"])
        self.ready = self.ready or "ready" in packet
        everybody = [self.center, *self.crew]
        if "started" in packet:
            next(p for p in everybody if p.name == packet["name"]).started(packet["started"])
        elif "ended" in packet:
            for process in everybody:
                if process.pid == packet["ended"]:
                    self.ended(process, packet["status"])

    def ended(self, process: Process, status: int) -> None:
        """A process is no more; what it said last still counts."""
        self.last_words(process)
        process.why = ended_by(status)
        if process.state not in ("dying", "gone"):  # neither the scenario nor the user wanted that
            log.warning(ENDED, process.name, process.why)
        process.ended()
        if isinstance(process, Member):
            process.rejoin = process.rejoin or "center"
        self.look()

    def said(self, process: Process, packet: dict[str, Any]) -> None:
        if isinstance(process, Member):
            self.worker_says(process, packet)
        else:
            self.center_says(packet)

    def worker_says(self, member: Member, packet: dict[str, Any]) -> None:
        if "up" in packet and member.state == "starting":
            member.state = "up"
            self.pause()
        elif "left" in packet:
            member.state = "gone"
        elif "failed" in packet:
            error = {"UsageError": UsageError}.get(packet["failed"], RunError)
            raise error(packet["why"])

    def center_says(self, packet: dict[str, Any]) -> None:
        super().center_says(packet)
        if "up" in packet:
            for member in self.crew:
                if member.state == "starting":
                    member.began = time.monotonic()  # until now it could not but wait for the center
            if self.wanted_members > len([m for m in self.crew if m.i < self.wanted_members]):
                self.to_center({"members": self.wanted_members})
        elif packet.get("copied") and "row" not in packet:
            self.scribe.keep(state_of(self, packet["at"] - self.zero), partial(self.release, packet["copied"]))
        elif "members" in packet:
            for i in range(len(self.crew), packet["members"]):
                self.ground.add_box(i)
                self.enlist(i, "join")
            self.look()

    # -- what is written

    def record(self, packet: dict[str, Any]) -> None:
        """Hand a row to the scribe, with the copy of the center if there is one."""
        last = packet["row"] == self.job.rounds
        now, paused = glance(self), paused_row(self)
        live = last and not packet["copied"]  # the spare copy still holds what an earlier row is made of
        center = self.ground.live() if live else self.ground.spare() if packet["copied"] else None
        seconds = packet["at"] - self.zero
        state = state_of(self, seconds, live=live) if center is not None else None
        done = partial(self.release, packet["copied"])
        self.scribe.row(lambda: row(now, packet["row"], seconds) | paused, center, packet["due"], state, done)

    def check(self) -> None:
        """Raises what went wrong while something was written."""
        if self.scribe.error is not None:
            raise self.scribe.error

    def snapshot(self) -> None:
        """Write a checkpoint now, if the center can still be asked for a copy."""
        if self.folder is None or not self.ready:
            return
        self.halted = True  # or rounds that go by could take the copy every time that it is free
        with contextlib.suppress(RunError):
            self.until(self.copied, "a copy of the center", 30)
        self.scribe.finish(30)
        self.check()

    def dismiss(self) -> None:
        """The run is over for the workers."""
        for member in self.crew:
            if member.sock is not None:
                wire.send(member.sock, {"stop": True})

    def close(self) -> None:
        self.nursery.close()
        self.control.close()
        for process in (self.center, *self.crew):
            process.ended()
        self.scribe.finish(30)
        self.selector.close()


def run(job: Job, engine: Local, sink: Sink, resumed: LocalState | None) -> Outcome:
    ground = Ground(job, engine, resumed)
    try:
        nursery = Nursery(*pickled(job))  # no name holds those bytes, the whole data among them, for as long as the run
        supervisor = Supervisor(job, engine, sink, ground, nursery)
        supervisor.take_up(resumed)
        with supervisor.interrupts:
            return supervisor.run()
    finally:
        ground.close(sink.where)
