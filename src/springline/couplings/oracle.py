"""Oracle weights: the rule that is told when a worker has failed ("-OM").

    first exchange after a failure   h1 = 1, h2 = 0      the worker starts again from the center
    any other                        h1 = h2 = α

A failure is a missed attempt, or a worker that lost its state. Only x is set to the center; the optimiser keeps its
moments, as the paper says nothing of resetting them.

Reference: Xu & Carr, A Dynamic Weighting Strategy to Mitigate Worker Node Failure, section VI (EAHES-OM).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from springline.couplings.weights import NAN, Evidence, Follows, Weighting, Weights, check_alpha


@dataclass(frozen=True)
class Oracle(Weights):
    """alpha: α in (0, 1]."""

    by_distance: ClassVar[Follows] = "no"

    alpha: float = 0.1

    def __post_init__(self) -> None:
        check_alpha(self.alpha)

    def weigh(self, evidence: Evidence) -> Weighting:
        if evidence.missed or evidence.reborn:
            return Weighting(h1=1.0, h2=0.0, score=NAN)
        return Weighting(h1=self.alpha, h2=self.alpha, score=NAN)
