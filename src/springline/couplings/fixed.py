"""Fixed weights: elastic averaging as it was first described.

    h1 = h2 = α

Reference: Zhang, Distributed stochastic optimization for deep learning, eqs. 2.3, 2.4 (α = β/N, β = 0.9);
Xu & Carr, section V (α = 0.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from springline.couplings.weights import NAN, Evidence, Follows, Weighting, Weights, check_alpha


@dataclass(frozen=True)
class Fixed(Weights):
    """alpha: α in (0, 1]."""

    by_distance: ClassVar[Follows] = "no"

    alpha: float = 0.1

    def __post_init__(self) -> None:
        check_alpha(self.alpha)

    def weigh(self, evidence: Evidence) -> Weighting:
        return Weighting(h1=self.alpha, h2=self.alpha, score=NAN)
