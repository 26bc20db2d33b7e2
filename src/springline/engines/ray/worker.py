"""A worker as an actor: τ local steps, an attempt to exchange, and so on until the run is over."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import ray
import torch

from springline.engines.job import Job
from springline.engines.local.heap import keep_vectors
from springline.engines.local.worker import Stopped, WorkerProcess
from springline.engines.ray.call import get
from springline.engines.ray.line import Line, Refused, Superseded
from springline.engines.ray.plan import Plan
from springline.engines.ray.pulse import Pulse
from springline.engines.real.faults import of_workers
from springline.engines.worker import Replica, WorkerState
from springline.errors import RunError, UsageError
from springline.scenario.fault import Fate, Moment, Rejoin
from springline.scenario.scenario import Fates
from springline.state import flatten, unflatten

BEAT = 0.5  # seconds between two beats of a pulse
POLL = 0.02  # seconds between two looks at how far the rounds of a worker are that is not to compute


class Tickets:
    """Chunks of the data, handed out by the center."""

    def __init__(self, lead: Any) -> None:
        self.lead = lead

    def draw(self) -> int:
        ticket: int = get(self.lead.ticket.remote())
        return ticket


class RayWorker(WorkerProcess):
    """A worker's rounds are the same with every engine of real workers; what differs is who is asked, and how."""

    def __init__(self, plan: Plan, job: Job, lead: Any, i: int, start: str, how: Rejoin | str | None) -> None:
        self.i, self.job, self.start, self.how = i, job, start, how
        self.vitals: Any = Pulse()
        self.line: Any = Line(plan, lead, i, uuid4().hex, self.vitals)
        self.tickets: Any = Tickets(lead)
        self.replica = Replica(job)
        self.fates = Fates(of_workers(job.scenario), job.seed, job.workers)
        self.keeps = any(getattr(f, "rejoin", None) == "stale" for f in job.scenario.faults)
        self.device = torch.device(job.device)
        self.awaiting: int | None = None
        self.leaving = False
        self.strikes = 0
        self.ended = threading.Event()

    def run(self) -> None:
        self.vitals.enter("starting")
        known = self.line.hello(self.start)
        if known["again"]:
            self.how = "center"  # its process or its node died, and Ray has started it again
        self.zero = time.monotonic() - known["seconds"]
        self.vitals.update(known["vitals"])
        self.me = self.return_as(self.how, known)
        self.round = self.line.last
        now = time.monotonic() - self.zero
        while True:
            since, now = now, time.monotonic() - self.zero
            round, fate = self.next_round(since, now)
            began = time.monotonic()
            self.play(round, fate, began)
            self.round = round
            self.vitals["round"], self.vitals["missed"] = round, self.me.missed
            if self.keeps:
                tensors, rest = flatten(self.me)
                self.line.kept = {name: t.numpy() for name, t in tensors.items()}, rest
            if self.leaving:
                self.line.settle()
                raise Stopped
            took, pace = time.monotonic() - began, self.vitals["pace"]
            self.vitals["pace"] = took if pace == 0 else pace + 0.2 * (took - pace)

    def return_as(self, how: Rejoin | str | None, known: dict[str, Any]) -> WorkerState:
        """The worker as it starts: at the beginning of a run, or coming back."""
        last, steps = known["last"], int(self.vitals["steps"])
        if how is None and not last:
            return self.replica.start(self.i, self.replica.x0, self.replica.b0)
        missed = int(self.vitals["missed"]) + max(0, last - int(self.vitals["round"]))
        if how == "stale" and known["kept"] is not None:
            arrays, rest = known["kept"]
            me = unflatten({name: torch.from_numpy(v.copy()) for name, v in arrays.items()}, rest)
            assert isinstance(me, WorkerState)
            return me._replace(missed=missed)
        if how == "initial":
            me = self.replica.start(self.i, self.replica.x0, self.replica.b0, steps, reborn=True)
        else:
            me = self.at_center(steps, reborn=how not in ("resume", "join"))
        return me._replace(missed=missed)

    def next_round(self, since: float, now: float) -> tuple[int, Fate]:
        """The next round that this worker may compute in; those it was down for were counted without it."""
        while True:
            round = max(self.line.last, self.round) + 1
            fate = self.fates.of(self.i, Moment(round, now, since))
            if fate.computes:
                self.me = self.me._replace(missed=self.me.missed + round - 1 - self.round)
                return round, fate
            self.vitals.enter("down")  # the driver counts its rounds meanwhile, and kills it if it is to be killed
            self.listen()
            time.sleep(POLL)
            self.line.refresh()
            now = time.monotonic() - self.zero

    def owned(self, me: WorkerState) -> WorkerState:
        """Nothing of it looks at what was lent."""
        own = self.line.loan.own
        vectors = {name: own(v) for name, v in me.link.vectors.items()}
        return me._replace(x=own(me.x), link=me.link._replace(vectors=vectors))

    def waiting(self, ask: Any) -> Any:
        return ask()

    def listen(self) -> None:
        """Nobody interrupts; that the run is over is heard from the center."""


class Worker:
    """The actor. It lives one life after the other, of any run."""

    def __init__(self) -> None:
        self.life: RayWorker | None = None
        signal.signal(signal.SIGTERM, self.terminated)

    def terminated(self, *_: object) -> None:
        """SIGTERM: hand in the exchange under way and go."""
        if self.life is None:
            os._exit(0)
        self.life.leaving = True

    @ray.method(concurrency_group="life", max_task_retries=-1)
    def run(
        self, plan: Plan, job: Job, lead: Any, i: int, start: str, how: str | None, threads: int, device: str
    ) -> tuple[str, str]:
        """A life; how it comes (None: at the beginning of a run) and how it ended: "stopped", "left" or why not."""
        torch.set_num_threads(threads)
        keep_vectors(plan.size * plan.kind.itemsize)
        if device != job.device or i >= job.workers:
            # somebody who joined later trains on the last part of a partition among so many workers
            job = replace(job, device=device, workers=max(job.workers, i + 1))
        with torch.inference_mode(False):
            try:
                self.life = RayWorker(plan, job, lead, i, start, how)
                self.life.run()
            except Stopped:
                return ("left" if self.life is not None and self.life.leaving else "stopped"), ""
            except Superseded as error:
                return "superseded", str(error)
            except Refused as error:
                return "refused", str(error)
            except (RunError, UsageError) as error:
                return type(error).__name__, str(error)
            finally:
                life, self.life = self.life, None
                if life is not None:
                    life.ended.set()
        raise AssertionError

    @ray.method(concurrency_group="watch", max_task_retries=0)
    def beat(self) -> dict[str, float]:
        """What it says about itself in a moment; nothing when its life has ended. Whoever asks again and again has the
        pauses between two answers made here.
        """
        time.sleep(BEAT)
        return life.vitals.beat() if (life := self.life) is not None else {}

    @ray.method(concurrency_group="watch", max_task_retries=0)
    def watch(self) -> None:
        """Ends with its life; fails when the worker dies."""
        if (life := self.life) is not None:
            life.ended.wait()


GROUPS = {"life": 1, "watch": 8}
