"""What no engine can run whose workers are apart, each in a process or an actor of its own, around one center."""

from __future__ import annotations

import math

from springline.engines.job import Job
from springline.errors import UsageError
from springline.scenario import Scenario


def check_apart(job: Job, engine: str, parts: str, min_workers: int, order: tuple[int, ...]) -> None:
    """Raises UsageError for such a job. parts: what its workers are, "processes".

    min_workers: with fewer alive nobody exchanges; order: whose attempt is served next.
    """
    if job.method.coupling.protocol == "one-way":
        raise UsageError(
            f"{job.method.name} runs over a tree, which engine {engine} has not; use engine simulator, or a method "
            "around one center."
        )
    usual = Scenario()
    for part, what in (("pace", "its steps take"), ("network", "its messages take")):
        if getattr(job.scenario, part) != getattr(usual, part):
            raise UsageError(
                f"{part} is the simulator's, and under engine {engine} {what} what they take; leave it out, slow "
                "workers down with --fault slow:4,worker=0, or use engine simulator."
            )
    if min_workers > job.workers:
        raise UsageError(
            f"min_workers={min_workers} is more than workers={job.workers}; nobody would ever exchange: use "
            f"at most {job.workers}."
        )
    if any(not 0 <= i < job.workers for i in order):
        raise UsageError(f"order={order} names a worker that is not there; they are 0 to {job.workers - 1}.")
    if job.buffers == "shared":
        raise UsageError(
            f"buffers=shared keeps one set of batch-norm statistics for all workers, which {parts} do not have; use "
            "buffers=average or recalibrate, or engine simulator."
        )


def check_join(job: Job, i: int) -> None:
    """Raises UsageError where worker i cannot join: a join is checked as a run is."""
    try:
        job.of_worker(i)
    except UsageError as error:
        raise UsageError(f"worker {i} cannot join, as no run of so many could begin: {error}") from None


def check_waits(min_workers: int, patience: float) -> None:
    """Raises UsageError for what nobody could wait for: so few workers, or so long."""
    if min_workers < 1:
        raise UsageError(f"min_workers={min_workers} is less than 1; somebody has to train.")
    if not 0 < patience < math.inf:
        raise UsageError(f"patience={patience:g} is no number of seconds above 0; nothing starts in none.")
