"""A worker as an actor: τ local steps, an attempt to exchange, and so on until the run is over."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

import ray
import torch
from torch import Tensor

from springline.engines.job import Job
from springline.engines.ray.arrays import unwrap, wrap
from springline.engines.ray.call import get
from springline.engines.ray.line import Line, Refused, Superseded
from springline.engines.ray.plan import Plan
from springline.engines.ray.pulse import Pulse
from springline.engines.real.heap import keep_vectors
from springline.engines.real.worker import RealWorker, Stopped
from springline.engines.worker import WorkerState
from springline.errors import RunError, UsageError
from springline.scenario.fault import Rejoin
from springline.state import flatten, unflatten

BEAT = 0.5  # seconds between two beats of a pulse
POLL = 0.02  # seconds between two looks at how far the rounds of a worker are that is not to compute

T = TypeVar("T")


class RayWorker(RealWorker):
    """A life of the actor. start: the driver's name for it; how: it comes, None at the beginning of a run."""

    def __init__(self, plan: Plan, job: Job, lead: Any, i: int, start: str, how: Rejoin | str | None) -> None:
        self.start, self.how = start, how
        self.vitals = Pulse()
        self.line = Line(plan, lead, i, uuid4().hex, self.vitals)
        super().__init__(i, job, self.line, self.vitals, lambda: int(get(lead.ticket.remote())))
        self.keeps = any(getattr(f, "rejoin", None) == "stale" for f in job.scenario.faults)
        self.ended = threading.Event()

    def run(self) -> None:
        self.vitals.enter("starting")
        known = self.line.hello(self.start)
        if known["again"]:
            self.how = "center"  # its process or its node died, and Ray has started it again
        self.zero, self.kept = time.monotonic() - known["seconds"], known["kept"]
        self.vitals.update(known["vitals"])
        self.live(self.how)

    def recall(self) -> WorkerState | None:
        if self.kept is None:
            return None
        kept, rest = self.kept
        me = unflatten({name: unwrap(*found).to(self.device) for name, found in kept.items()}, rest)
        assert isinstance(me, WorkerState)
        return me

    def keep(self) -> None:
        if self.keeps:
            tensors, rest = flatten(self.me)
            self.line.kept = {name: wrap(t) for name, t in tensors.items()}, rest

    def leave(self) -> None:
        """The center hears of it from the driver."""

    def rest(self) -> None:
        time.sleep(POLL)
        self.line.refresh()

    def waiting(self, ask: Callable[[], T]) -> T:
        return ask()

    def listen(self) -> None:
        """Nobody interrupts; that the run is over is heard from the center."""

    def own(self, t: Tensor) -> Tensor:
        return self.line.loan.own(t)


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
        if device != job.device:
            job = replace(job, device=device)
        job = job.of_worker(i)
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
