"""What the tasks with known gradients share: one vector x in float64, and batches that are drawn instead of stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from springline.tasks.base import Batch, Samples

ENDLESS = 1 << 16  # what stands for a number of samples; each draw is new all the same


class Point(nn.Module):
    """x [dim] itself, which starts at x0 in every coordinate."""

    def __init__(self, dim: int, x0: float) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.full((dim,), x0, dtype=torch.float64))

    def forward(self) -> Tensor:
        return self.x


class Endless(Samples):
    """Samples that are drawn: a batch says how many are wanted, and `drawn` makes them of it."""

    def __init__(self, n: int = ENDLESS) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def batch(self, indices: Tensor) -> Batch:
        return (indices,)


@dataclass(frozen=True)
class Drawn:
    """A `transform`: in training [b, dim] numbers of a distribution of `np.random.Generator`, in evaluation its mean
    [1, dim], so that what is evaluated is the expectation.

    distribution: "normal" or "gamma"; a, b: its two parameters as numpy takes them.
    """

    distribution: Literal["normal", "gamma"]
    a: float
    b: float
    dim: int

    def __call__(self, batch: Batch, rng: np.random.Generator | None) -> Batch:
        (indices,) = batch
        if rng is None:
            mean = self.a if self.distribution == "normal" else self.a * self.b
            return (torch.full((1, self.dim), mean, dtype=torch.float64, device=indices.device),)
        draw = rng.normal if self.distribution == "normal" else rng.gamma
        return (torch.from_numpy(draw(self.a, self.b, (len(indices), self.dim))).to(indices.device),)
