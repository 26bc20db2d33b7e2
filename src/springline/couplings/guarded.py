"""Guarded weights: a worker that has gone wrong is pulled in and not listened to.

    ℓ_i = running mean of worker i's training loss, over about `horizon` local steps, forgotten when it loses its state
    k_i = rounds in which it has computed since its last pull
    d_i = ‖x_i − c‖                                                  as it arrives
    ρ_i = (1 − h1)·d_i of its last pull + the way it has gone since  in straight lines from attempt to attempt

    s   = log(ℓ_i / median_{j≠i} ℓ_j)
    r   = log(d_i / ρ_i)
    q   = (exchanges of all since its last pull)/N − k_i
    f   = max( ramp(s; g0, g1), ramp(r; r0, r1), ramp(q; q0, q1) )   ramp(v; a, b) = clip((v − a)/(b − a), 0, 1)
    h1  = α + (1−α)·f,   h2 = α·(1−f)

Three questions. Does it know less than the others (s)? That is a worker that lost its state, or is diverging. Is what
arrived further away than its steps can have brought it (r)? By the triangle inequality d_i ≤ ρ_i if the center has
stood still, so that is a message damaged on its way, whose sender is fine and has a loss like any other's. Did the
others go on while it did nothing (q)? That is a worker that was down or frozen and holds what it held then; one that
was only cut off has computed meanwhile, and its work is kept. A worker that begins with the initial parameters counts
as pulled before the first exchange of all: one that lost its state and has them again slept ever since. A worker that
was pulled in forgets the share f of its past losses, which are no longer its own.

A nan leaves its question unasked: that of a worker that has told nothing yet, by which no peer is judged either, and of
one that began at the center and has not pulled since. An infinite loss gives its worker f = 1, and counts for no peer
either. The rule needs four numbers more per message than fixed weights, and a worker has to remember where it last was;
it knows nothing of how failures happen.

This rule is the library's own; it is in none of the papers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from springline.couplings.weights import NAN, Evidence, Follows, Weighting, Weights, check_alpha
from springline.errors import UsageError


@dataclass(frozen=True)
class Guarded(Weights):
    """alpha: α in (0, 1].  Where the guard begins and is complete: g0 < g1, the log loss ratio; r0 < r1, the log of the
    distance over ρ; q0 < q1, the rounds slept through.
    """

    by_distance: ClassVar[Follows] = "rarely"  # for messages from nowhere
    reaches: ClassVar[bool] = True

    alpha: float = 0.1
    g0: float = 0.25
    g1: float = 0.7
    r0: float = math.log(2)
    r1: float = math.log(4)
    q0: float = 1.0
    q1: float = 4.0

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        for low, high in (("g0", "g1"), ("r0", "r1"), ("q0", "q1")):
            a, b = getattr(self, low), getattr(self, high)
            if not a < b:
                raise UsageError(
                    f"{low}={a} is not below {high}={b}; the guard begins at {low}, is complete at {high}."
                )

    def weigh(self, evidence: Evidence) -> Weighting:
        s, r = log_ratio(evidence.worker, evidence.losses), log_of(evidence.distance, evidence.reach)
        f = max(ramp(s, self.g0, self.g1), ramp(r, self.r0, self.r1), ramp(evidence.idle, self.q0, self.q1))
        return Weighting(h1=self.alpha + (1 - self.alpha) * f, h2=self.alpha * (1 - f), score=s, forget=f)


def ramp(v: float, a: float, b: float) -> float:
    """0 up to a, 1 from b on, and between them a line; 0 for nan, which judges nobody."""
    u = (v - a) / (b - a)
    return 0.0 if math.isnan(u) else min(max(u, 0.0), 1.0)


def log_ratio(i: int, values: Sequence[float]) -> float:
    """log(v_i / median of the others); nan, no score, where values are zero or (as sums of rewards) negative."""
    if not values or math.isnan(values[i]):
        return NAN
    return math.inf if values[i] == math.inf else log_of(values[i], among_others(i, values))


def among_others(i: int, values: Sequence[float]) -> float:
    """The median of the finite ones; nan if there are none."""
    peers = [v for j, v in enumerate(values) if j != i and math.isfinite(v)]
    return median(peers) if peers else NAN


def log_of(v: float, unit: float) -> float:
    """log(v / unit); nan unless both are positive, and the unit finite."""
    return math.log(v / unit) if v > 0 and 0 < unit < math.inf else NAN
