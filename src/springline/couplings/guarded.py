"""Guarded weights: a worker whose own training loss is far above its peers' is pulled in and not listened to.

    ℓ_i = running mean of worker i's training loss, over about `horizon` local steps, forgotten when it loses its state
    s   = log(ℓ_i / median_{j≠i} ℓ_j)
    f   = clip((s − g0)/(g1 − g0), 0, 1)
    h1  = α + (1−α)·f,   h2 = α·(1−f)

A nan says that a worker has told nothing yet: it is not judged (f = 0), and no peer is judged by it. An infinite loss
gives its worker f = 1, and counts for no peer either. The rule needs one number more per message than fixed weights,
knows nothing of how failures happen, and judges a returning worker by what it brings: stale work that is still good is
kept.

This rule is the library's own; it is in none of the papers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from springline.couplings.weights import NAN, Evidence, Weighting, Weights, check_alpha
from springline.errors import UsageError


@dataclass(frozen=True)
class Guarded(Weights):
    """alpha: α in (0, 1].  g0 < g1: the log loss ratios at which the guard begins and is complete."""

    by_distance: ClassVar[bool] = False

    alpha: float = 0.1
    g0: float = 0.25
    g1: float = 0.7
    patience: int = 1

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        if not self.g0 < self.g1:
            raise UsageError(f"g0={self.g0} is not below g1={self.g1}; the guard begins at g0 and is complete at g1.")

    def weigh(self, evidence: Evidence) -> Weighting:
        own = evidence.losses[evidence.worker]
        peers = [loss for j, loss in enumerate(evidence.losses) if j != evidence.worker and math.isfinite(loss)]
        s = log_ratio(own, median(peers)) if peers and not math.isnan(own) else NAN
        f = 0.0 if math.isnan(s) else min(max((s - self.g0) / (self.g1 - self.g0), 0.0), 1.0)
        return Weighting(h1=self.alpha + (1 - self.alpha) * f, h2=self.alpha * (1 - f), score=s)


def log_ratio(a: float, b: float) -> float:
    """log(a/b) for losses, which may be zero, infinite or (as sums of rewards are) negative: then no score."""
    if a == math.inf:
        return math.inf
    return math.log(a / b) if a > 0 and b > 0 else NAN
