"""Guarded weights: who has slept, or whose message is damaged, is pulled in and not listened to.

    k_i = rounds in which it has computed since its last pull
    d_i = ‖x_i − c‖                                                  as it arrives
    ρ_i = (1 − h1)·d_i of its last pull + the way it has gone since  in straight lines from attempt to attempt

    r   = log(d_i / ρ_i)
    q   = (exchanges of all since its last pull)/N − k_i
    f   = max( ramp(r; r0, r1), ramp(q; q0, q1) )                    ramp(v; a, b) = clip((v − a)/(b − a), 0, 1)
    h1  = α + (1−α)·f,   h2 = α·(1−f)

Two questions. Is what arrived further away than its steps can have brought it (r)? By the triangle inequality d_i ≤ ρ_i
if the center has stood still, so that is a message damaged on its way. Did the others go on while it did nothing (q)?
That is a worker that was down or frozen and holds what it held then; one that was only cut off has computed meanwhile,
and its work is kept. A worker that begins with the initial parameters counts as pulled before the first exchange of
all: one that lost its state and has them again slept ever since.

A nan leaves its question unasked: the first where ρ is 0, or the center was put back to a snapshot behind the worker's
back; the second until one that began at the center has pulled. The rule needs three numbers more per message than fixed
weights, and a worker has to remember where it last was. It compares nobody with others, and knows nothing of how
failures happen.

This rule is the library's own; it is in none of the papers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from springline.couplings.weights import NAN, Evidence, Follows, Weighting, Weights, check_alpha
from springline.errors import UsageError


@dataclass(frozen=True)
class Guarded(Weights):
    """alpha: α in (0, 1].  Where the guard begins and is complete: r0 < r1, the log of the distance over ρ; q0 < q1,
    the rounds slept through.
    """

    by_distance: ClassVar[Follows] = "rarely"  # for messages from nowhere
    reaches: ClassVar[bool] = True

    alpha: float = 0.1
    r0: float = math.log(2)
    r1: float = math.log(4)
    q0: float = 1.0
    q1: float = 4.0

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        for low, high in (("r0", "r1"), ("q0", "q1")):
            a, b = getattr(self, low), getattr(self, high)
            if not a < b:
                raise UsageError(
                    f"{low}={a} is not below {high}={b}; the guard begins at {low}, is complete at {high}."
                )

    def weigh(self, evidence: Evidence) -> Weighting:
        r = log_of(evidence.distance, evidence.reach)
        f = max(ramp(r, self.r0, self.r1), ramp(evidence.idle, self.q0, self.q1))
        return Weighting(h1=self.alpha + (1 - self.alpha) * f, h2=self.alpha * (1 - f), score=r)


def ramp(v: float, a: float, b: float) -> float:
    """0 up to a, 1 from b on, and between them a line; 0 for nan, which judges nobody."""
    u = (v - a) / (b - a)
    return 0.0 if math.isnan(u) else min(max(u, 0.0), 1.0)


def log_of(v: float, unit: float) -> float:
    """log(v / unit); nan unless both are positive, and the unit finite."""
    return math.log(v / unit) if v > 0 and 0 < unit < math.inf else NAN
