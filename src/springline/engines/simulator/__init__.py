"""The simulator: any number of workers in one process, in virtual time, bit for bit the same every time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from springline.engines.base import Engine, Outcome, Sink
from springline.engines.job import Job
from springline.engines.simulator.events import Events
from springline.engines.simulator.star import Star
from springline.engines.simulator.synchronous import Synchronous
from springline.engines.simulator.tree import TreeLoop
from springline.engines.simulator.world import World

__all__ = ["Simulator"]

LOOPS: dict[str, type[Events[Any]]] = {"message": Star, "round": Synchronous, "one-way": TreeLoop}


@dataclass(frozen=True)
class Simulator(Engine):
    """All workers in this process, in virtual time; deterministic."""

    name = "simulator"

    def check(self, job: Job) -> None:
        """It can run every job."""

    def home(self, job: Job) -> str:
        return job.device

    def run(self, job: Job, sink: Sink, resumed: World | None = None) -> Outcome:
        return LOOPS[job.method.coupling.protocol](job, sink).run(resumed)
