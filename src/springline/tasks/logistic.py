"""Logistic regression on points that are made from a seed: strongly convex, with a minimum that can be computed.

F(w) = mean_i log(1 + exp(−s_i w·a_i)) + ½ l2 ‖w‖²,   a_i ~ N(0, I),   P(s_i = 1) = 1/(1 + exp(−w*·a_i)), w* ~ N(0, I)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from springline.options import write
from springline.streams import stream
from springline.tasks.base import Batch, InMemory, Task
from springline.tasks.exact import Point
from springline.tasks.recipe import Recipe, Say, above, built_in


def logistic(model: nn.Module, batch: Batch, l2: float) -> Tensor:
    """The mean of log(1 + exp(−s w·a)), and ½ l2 ‖w‖²."""
    a, s = batch
    w: Tensor = model()
    return F.softplus(-s * (a @ w)).mean() + 0.5 * l2 * w.square().sum()


def hits(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """`metrics`: accuracy."""
    a, s = batch
    return {"accuracy": (s * (a @ model()) > 0).sum()}


@dataclass(frozen=True)
class Logistic(Recipe):
    """dim ≥ 1; n: points to train, and as many to test; l2 ≥ 0; data: the seed that the points are made from."""

    name = "logistic"
    main = "dim"
    summary = "logistic regression on made points, in float64: strongly convex"

    dim: int = 10
    n: int = 1000
    l2: float = 0.01
    data: int = 0

    def __post_init__(self) -> None:
        above(self, "dim", self.dim, 1, reached=True)
        above(self, "n", self.n, 1, reached=True)
        above(self, "l2", self.l2, 0, reached=True)

    def points(self) -> tuple[InMemory, InMemory]:
        """(train, test), each a [n, dim] and s = ±1 [n]."""
        rng = stream(self.data, "logistic")
        truth = rng.normal(size=self.dim)

        def some() -> InMemory:
            a = rng.normal(size=(self.n, self.dim))
            s = np.where(rng.random(self.n) < 1 / (1 + np.exp(-a @ truth)), 1.0, -1.0)
            return InMemory((torch.from_numpy(a), torch.from_numpy(s)))

        return some(), some()

    def load(self, say: Say) -> Task:
        train, test = self.points()
        loss = partial(logistic, l2=self.l2)
        return built_in(Task(write(self), partial(Point, self.dim, 0.0), loss, train=train, test=test, metrics=hits))
