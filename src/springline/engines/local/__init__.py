"""Real workers on one machine: a process each, a process for the center, parameters in shared memory.

supervisor.py, staff.py the calling process: starts, watches, restarts, evaluates, writes
overseer.py             what whoever has the center's process does with it, here and under `springline.tie`
nursery.py              a process that has imported and loaded everything once, and forks the others
center.py, server.py    the center's process: serves one exchange at a time, exactly once each
worker.py, client.py    a worker's process: τ local steps, an attempt, and so on
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch

from springline.engines.apart import check_apart, check_waits
from springline.engines.base import Engine, Outcome, Sink
from springline.engines.job import Job
from springline.engines.real.news import LocalState
from springline.errors import UsageError

__all__ = ["Local"]


@dataclass(frozen=True)
class Local(Engine):
    """A process per worker on this machine, in real time.

    min_workers: with fewer workers alive nobody exchanges until there are enough again.
    max_workers: the most there may be with those that join later; by default 16 more than at the start.
    patience: seconds after which a run ends for a start that has not succeeded, or for too few workers when the others
    have left for good.
    order: a script of whose attempt is served next, repeated; with the simulator's order a run without failures gives
    the simulator's weights, bit for bit (with one thread each). For tests.

    A fault's span in rounds is one of the worker's rounds; the rounds of a worker that is down go by at its former pace
    and each is a lost attempt. `slow` below 1 cannot make a processor faster and does nothing. A scenario's pace and
    network are the simulator's, and refused here.
    """

    name = "local"

    min_workers: int = 1
    max_workers: int | None = None
    patience: float = 60.0
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_waits(self.min_workers, self.patience)

    def run(self, job: Job, sink: Sink, resumed: LocalState | None = None) -> Outcome:
        from springline.engines.local.supervisor import run

        return run(job, self, sink, resumed)

    def check(self, job: Job) -> None:
        """Raises UsageError for a job that this engine cannot run."""
        from springline.engines.local import nursery

        if nursery.inside:
            raise UsageError(
                "springline.train was called while the workers of another run were starting, because the script that "
                'called it was imported again; put the call under `if __name__ == "__main__":`.'
            )
        if sys.platform != "linux":
            raise UsageError(f"engine local needs Linux, and this is {sys.platform}; use engine simulator.")
        check_apart(job, self.name, "processes", self.min_workers, self.order)
        if self.max_workers is not None and self.max_workers < job.workers:
            raise UsageError(f"max_workers={self.max_workers} is less than workers={job.workers}; raise it.")

    def capacity(self, workers: int) -> int:
        """The most workers there may be in a run that starts with so many."""
        return workers + 16 if self.max_workers is None else self.max_workers

    def device(self, device: str, worker: int) -> str:
        """The device of a worker: GPUs are dealt out in turn unless one is named."""
        if torch.device(device) == torch.device("cuda") and torch.cuda.device_count() > 1:
            return f"cuda:{worker % torch.cuda.device_count()}"
        return device
