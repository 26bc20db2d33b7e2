"""Real workers on a Ray cluster: an actor each, one or several actors for the center.

driver.py                    the calling process: starts actors, evaluates, writes; what its run needs ends with it
lead.py, shard.py, part.py   the center: one exchange at a time, on all of its parts or on none
worker.py, line.py           a worker: τ local steps, an attempt, and so on
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from springline.engines.apart import check_apart, check_waits
from springline.engines.base import Engine, Outcome, Sink
from springline.engines.job import Job
from springline.engines.real.news import LocalState
from springline.errors import UsageError

__all__ = ["Ray"]


@dataclass(frozen=True)
class Ray(Engine):
    """A worker per actor on a Ray cluster, in real time.

    address: HOST:PORT of the cluster's head, or "auto" on a machine of it; none starts Ray on this machine for the run.
    center_shards: actors that share the center's vectors.  cpus_per_worker, gpus_per_worker: what a worker reserves.
    min_workers: with fewer workers alive nobody exchanges until there are enough again.
    snapshot_every: seconds between two snapshots, from which a lost center is restored, in a run without a folder; one
    with a folder goes by its checkpoint_every.
    patience: seconds after which a start that has not succeeded says what it waits for, and a run ends for too few
    workers when the others have left for good.
    order: a script of whose attempt is served next, repeated; with the simulator's order a run without failures gives
    the simulator's weights, bit for bit (with one thread each). For tests.

    A fault's span in rounds is one of the worker's rounds; the rounds of a worker that is down go by at its former pace
    and each is a lost attempt. `slow` below 1 cannot make a processor faster and does nothing. A scenario's pace and
    network are the simulator's, and refused here.
    """

    name = "ray"

    address: str | None = None
    center_shards: int = 1
    cpus_per_worker: float = 1
    gpus_per_worker: float = 0
    min_workers: int = 1
    snapshot_every: float = 10.0
    patience: float = 60.0
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.center_shards < 1:
            raise UsageError(f"center_shards={self.center_shards} is less than 1; somebody has to be the center.")
        check_waits(self.min_workers, self.patience)
        for name in ("cpus_per_worker", "gpus_per_worker"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name}={getattr(self, name)} is not a number of them; choose 0 or more.")
        if self.address is not None and "://" in self.address:
            raise UsageError(
                f"address={self.address!r} is one of Ray's client or job servers; give HOST:PORT of the cluster's head "
                "(the port is usually 6379), or start the run on the cluster with `ray job submit`."
            )

    def run(self, job: Job, sink: Sink, resumed: LocalState | None = None) -> Outcome:
        from springline.engines.ray.driver import run

        return run(job, self, sink, resumed)

    def check(self, job: Job) -> None:
        """Raises UsageError for a job that this engine cannot run."""
        try:
            import ray  # noqa: F401
        except ImportError:
            raise UsageError("engine ray needs Ray, which is not installed; pip install 'springline[ray]'.") from None
        check_apart(job, self.name, "actors", self.min_workers, self.order)
        if job.device != "cpu" and not self.gpus_per_worker:
            raise UsageError(
                f"device={job.device!r}, but no worker reserves a GPU, so that Ray would put all of them on the first; "
                "give gpus_per_worker (--gpus-per-worker; a worker may have a fraction), which says cuda by itself."
            )
        wanted, there = self.gpus_per_worker * job.workers, torch.cuda.device_count()
        if self.address is None and wanted > there:
            raise UsageError(
                f"{job.workers} workers with {self.gpus_per_worker:g} GPUs each need {wanted:g}, and this machine has "
                f"{there}; lower gpus_per_worker (a worker may have a fraction), or give the address of a cluster."
            )
