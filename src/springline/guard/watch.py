"""The guard of `train`: one sentence before a run that theory says will diverge."""

from __future__ import annotations

import warnings

import numpy as np

from springline.engines.job import Job
from springline.guard.curvature import largest_curvature
from springline.guard.families import Theory, theory_of
from springline.optim.schedule import Rate, at
from springline.theory import warning
from springline.theory.advice import within_reach

SAMPLED = 101  # moments of a schedule that are looked at


class StabilityWarning(UserWarning):
    """Theory says that a run will diverge. It is started all the same."""


def unstable(job: Job) -> str | None:
    """The sentence, or None: no objection, nothing known, or a recursion that would keep the run from starting."""
    found = theory_of(job.method, job.workers, job.tau, job.scenario.topology)
    if not isinstance(found, Theory) or not within_reach(found.family, found.setting):
        return None
    h = largest_curvature(job)
    if h is None:
        return None
    return warning(found.family, typical_rate(found.rate, job), found.at(h), job.method.name)


def warn_if_unstable(job: Job, stacklevel: int = 2) -> None:
    """Warn where theory says that the run will diverge. stacklevel: whose line the warning names."""
    sentence = unstable(job)
    if sentence is not None:
        warnings.warn(sentence, StabilityWarning, stacklevel=stacklevel + 1)


def typical_rate(rate: Rate | float, job: Job) -> float:
    """η, or the median of a schedule over the run: what it exceeds for half of the time cannot be a short excess.

    A schedule's clock is a worker's own steps, or the center's updates where the center steps: one for each gradient,
    or one for each round of gradients where the center is synchronous.
    """
    if not isinstance(rate, Rate):
        return rate
    coupling = job.method.coupling
    at_center = 1 if coupling.protocol == "round" else job.workers  # updates in a round
    steps = job.rounds * (job.tau if coupling.takes == "position" else at_center)
    return float(np.median([at(rate, int(t)) for t in np.linspace(0, steps - 1, SAMPLED)]))
