"""The non-convex f(x) = ¼ (1 − x²)², with minima at ±1, in which elastic workers can trap their center at 0.

    g(x) = x³ − x − mean_b ξ,   ξ ~ N(0, σ²)

Reference: Zhang 2016, Distributed stochastic optimization for deep learning, §5.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from springline.errors import UsageError
from springline.options import write
from springline.tasks.base import Batch, Task
from springline.tasks.exact import Drawn, Endless, Point
from springline.tasks.recipe import Recipe, Say, above, built_in


def double_well(model: nn.Module, batch: Batch) -> Tensor:
    """Summed over the coordinates, less what makes the noise."""
    x: Tensor = model()
    noise: Tensor = batch[0].mean(dim=0)
    return 0.25 * (1 - x.square()).square().sum() - noise @ x


@dataclass(frozen=True)
class DoubleWell(Recipe):
    """sigma: σ ≥ 0; dim ≥ 1 coordinates, each with a well of its own; x0: every coordinate's start."""

    name = "double-well"
    main = "sigma"
    summary = "f = ¼ (1 − x²)² with additive gradient noise: two minima and a trap between them"

    sigma: float = 0.1
    dim: int = 1
    x0: float = 0.0

    def __post_init__(self) -> None:
        above(self, "sigma", self.sigma, 0, reached=True)
        above(self, "dim", self.dim, 1, reached=True)
        if not math.isfinite(self.x0):
            raise UsageError(f"task {self.name}: x0={self.x0} is not finite; start near the wells at -1 and 1.")

    def load(self, say: Say) -> Task:
        noise, model = Drawn("normal", 0.0, self.sigma, self.dim), partial(Point, self.dim, self.x0)
        return built_in(Task(write(self), model, double_well, train=Endless(), test=Endless(1), transform=noise))
