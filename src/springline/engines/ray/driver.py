"""The calling process: it starts the center and the workers on a cluster, has the center restored when a part of it was
lost, carries out the scenario, evaluates and writes. It holds no part of an exchange.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import ray
import torch

from springline.engines.base import Outcome, Sink
from springline.engines.job import Job
from springline.engines.ray.call import ready
from springline.engines.ray.cluster import connected
from springline.engines.ray.harm import Harm
from springline.engines.ray.keeper import Keeper
from springline.engines.ray.news import beginning, known_of, plan_of
from springline.engines.ray.pulse import Pulse
from springline.engines.ray.staff import Staff
from springline.engines.ray.writer import Writer
from springline.engines.real.control import Control
from springline.engines.real.interrupts import Interrupts
from springline.engines.real.news import LocalState
from springline.engines.real.place import Place
from springline.errors import RunError, UsageError
from springline.tasks.layout import Layout

if TYPE_CHECKING:
    from springline.engines.ray import Ray

log = logging.getLogger("springline.ray")
TICK = 0.05  # seconds between two looks around
GRACE = 5.0  # seconds for workers to end their lives


class Ground(NamedTuple):
    """What rows and answers are made from, see `engines.real.boss.Ground`."""

    path: Path
    vitals: Callable[[int], Pulse]


class Driver(Staff):
    """outcome: set when the last round was written; stopping: somebody wants the run to end before that."""

    def __init__(self, job: Job, engine: Ray, sink: Sink, resumed: LocalState | None) -> None:
        self.job, self.engine = job, engine
        x0, b0 = Layout(job.task.build(job.seed)).read()
        state = beginning(job, x0, b0) if resumed is None else resumed
        self.plan = plan_of(job, x0, b0, engine.center_shards, engine.order)
        self.tallies = known_of(state)
        self.before = state.seconds  # on the run's clock when it goes on; it stands until the workers are there
        self.zero = time.monotonic() - self.before
        super().__init__(len(state.tallies), "resume" if resumed else None)
        self.outcome: Outcome | None = None
        self.stopping = False
        self.strangers: list[str] = []
        self.interrupts = Interrupts()
        self.selector = selectors.DefaultSelector()
        try:
            self.parcel = ray.put(job)
        except Exception as error:
            raise UsageError(
                f"task {job.task.name!r} cannot be sent to workers ({error}); define its functions and classes so that "
                "they hold no open files, locks or generators."
            ) from None
        with contextlib.ExitStack() as undo:  # what has begun ends, if the rest cannot
            self.writer = Writer(self, sink, state)
            undo.callback(self.writer.close)
            self.center = Keeper(self)
            undo.callback(self.center.close, used_up=True)
            self.place = Place()
            undo.callback(self.place.close)
            self.ground = Ground(self.place.path, self.vitals)
            self.control = Control(self)
            undo.callback(self.control.close)
            self.harm = Harm(self)
            self.place.announce(sink.where)
            undo.pop_all()

    # -- the run

    def run(self) -> Outcome:
        try:
            self.until(lambda: self.outcome is not None or self.stopping)
            if self.outcome is None:
                raise KeyboardInterrupt
            self.end()
            self.writer.scribe.finish()
            self.writer.look()
            return self.outcome
        except KeyboardInterrupt:
            self.writer.snapshot()
            raise
        finally:
            self.close()

    def until(self, done: Callable[[], bool], patience: float = float("inf"), *, looking: bool = True) -> None:
        """Look after everything until something is the case, or for so many seconds."""
        deadline = time.monotonic() + patience
        while not done() and time.monotonic() < deadline:
            for ref in ready(list(self.calls), TICK):
                self.interrupts.finish(partial(self.answered, ref))
            for key, _ in self.selector.select(0):
                self.interrupts.finish(key.data)
            if looking:
                self.interrupts.finish(self.look)

    def answered(self, ref: Any) -> None:
        """A call has been answered."""
        handle = self.calls.pop(ref, None)
        if handle is not None:
            handle(ref)

    def look(self) -> None:
        """What has to be done now and then."""
        if self.begun:
            self.harm.tick()
        self.center.look()
        if self.center.state == "up":
            for member in self.crew:
                if member.state == "absent" and not member.down:
                    self.begin(member)
        self.writer.look()
        self.writer.publish()
        self.pause()
        self.lateness()

    def end(self) -> None:
        """Let the workers' lives end, so that their actors are there for another run."""
        self.center.lead.finish.remote()
        living = [m for m in self.crew if m.state == "up"]
        self.until(lambda: all(m.state == "gone" for m in living), GRACE, looking=False)

    # -- news

    def happened(self, event: dict[str, Any]) -> None:
        """What the center tells."""
        if "up" in event:
            self.center.state, self.center.pid = "up", event["pid"]
            self.enlist(self.tallies.members)  # a center that was restored with room for them does not tell it again
            if self.wanted > self.tallies.members:
                self.center.lead.grow.remote(self.wanted)
            self.center.tell()
        elif "broken" in event:
            self.center.lose(event["broken"])
        elif "failed" in event:
            raise RunError(f"the center could not go on ({event['failed']}); see the messages above.")
        elif "hello" in event and event["hello"] < len(self.crew):
            self.greeted(self.crew[event["hello"]], event["pid"])
        elif "row" in event and event["row"] > self.told:
            self.writer.record(event)
        elif event.get("copy") is not None:  # of a row that was written before the center was lost
            self.writer.release()
        elif "members" in event:
            self.enlist(event["members"])
        elif "stranger" in event:
            self.strangers.append(event["why"])
            log.warning("%s", event["why"])

    # -- for those who look at it

    @property
    def told(self) -> int:
        return self.writer.told

    @property
    def resolved(self) -> int:
        return self.tallies.resolved

    @property
    def updates(self) -> int:
        return self.tallies.updates

    def vitals(self, i: int) -> Pulse:
        return self.pulses.get(i) or self.tallies.vitals(i)

    def watch(self, sock: Any, heard: Callable[[], None]) -> None:
        self.selector.register(sock, selectors.EVENT_READ, heard)

    def forget(self, sock: Any) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(sock)

    def close(self) -> None:
        idle = all(m.state == "gone" for m in self.crew)
        for member in self.crew:
            member.end()
        self.center.close(used_up=not idle)
        self.control.close()
        self.writer.close()
        self.selector.close()
        self.place.close(self.writer.sink.where)


def run(job: Job, engine: Ray, sink: Sink, resumed: LocalState | None) -> Outcome:
    with torch.inference_mode(False), connected(engine, job):
        driver = Driver(job, engine, sink, resumed)
        with driver.interrupts:
            return driver.run()
