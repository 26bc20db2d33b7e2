"""Quadratics whose gradient noise is exactly the theory's.

    additive          F(x) = ½ xᵀHx,   g(x) = Hx − mean_b ξ,     ξ ~ N(0, σ² I)
    multiplicative    g(x) = (mean_b u²) x,   u² ~ Γ(λ, ω) in each coordinate, so F(x) = ½ (λ/ω) ‖x‖²

A mini-batch of b has noise of variance σ²/b, and Γ(bλ, bω).
Reference: Zhang 2016, Distributed stochastic optimization for deep learning, Lemma 3.1.1, §5.1 and §5.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from springline.options import write
from springline.streams import stream
from springline.tasks.base import Batch, Task
from springline.tasks.exact import Drawn, Endless, Point
from springline.tasks.recipe import Recipe, Say, above, built_in


def additive(model: nn.Module, batch: Batch, H: Tensor) -> Tensor:
    """½ xᵀHx − mean_b ξ·x; H [dim, dim], or its diagonal [dim]."""
    x: Tensor = model()
    curvature, noise = H.to(x.device), batch[0].mean(dim=0)
    value: Tensor = 0.5 * x @ (curvature * x if H.dim() == 1 else curvature @ x) - noise @ x
    return value


def multiplicative(model: nn.Module, batch: Batch) -> Tensor:
    """½ Σ_k (mean_b u_k²) x_k²."""
    x: Tensor = model()
    inputs: Tensor = batch[0].mean(dim=0)
    return 0.5 * inputs @ x.square()


@dataclass(frozen=True)
class Quadratic(Recipe):
    """H has eigenvalues from h down to h/condition, evenly spaced in their logarithms.

    h > 0; dim ≥ 1; condition ≥ 1; dense: H is rotated, else diagonal; sigma: σ ≥ 0; x0: every coordinate's start.
    """

    name = "quadratic"
    main = "h"
    summary = "F = ½ xᵀHx with additive gradient noise, for exact tests: quadratic:h=1,sigma=10,dim=1"

    h: float = 1.0
    sigma: float = 1.0
    dim: int = 1
    condition: float = 1.0
    dense: bool = False
    x0: float = 1.0

    def __post_init__(self) -> None:
        above(self, "h", self.h, 0)
        above(self, "sigma", self.sigma, 0, reached=True)
        above(self, "dim", self.dim, 1, reached=True)
        above(self, "condition", self.condition, 1, reached=True)

    def hessian(self) -> Tensor:
        """H [dim, dim], or its diagonal [dim] where it is one."""
        eigenvalues = self.h * self.condition ** -np.linspace(0, 1, self.dim)
        if not self.dense:
            return torch.from_numpy(eigenvalues)
        rotation, _ = np.linalg.qr(stream(0, "quadratic rotation").normal(size=(self.dim, self.dim)))
        return torch.from_numpy(rotation * eigenvalues @ rotation.T)

    def load(self, say: Say) -> Task:
        noise, model = Drawn("normal", 0.0, self.sigma, self.dim), partial(Point, self.dim, self.x0)
        loss = partial(additive, H=self.hessian())
        return built_in(Task(write(self), model, loss, train=Endless(), test=Endless(1), transform=noise))


@dataclass(frozen=True)
class QuadraticGamma(Recipe):
    """lam: λ > 0, the shape of u²; omega: ω > 0, its rate; dim ≥ 1; x0: every coordinate's start."""

    name = "quadratic-gamma"
    main = "lam"
    summary = "F = ½ E u² x² with multiplicative noise, u² ~ Γ(λ, ω): quadratic-gamma:lam=0.5,omega=0.5"

    lam: float = 1.0
    omega: float = 1.0
    dim: int = 1
    x0: float = 1.0

    def __post_init__(self) -> None:
        above(self, "lam", self.lam, 0)
        above(self, "omega", self.omega, 0)
        above(self, "dim", self.dim, 1, reached=True)

    def load(self, say: Say) -> Task:
        inputs, model = Drawn("gamma", self.lam, 1 / self.omega, self.dim), partial(Point, self.dim, self.x0)
        return built_in(Task(write(self), model, multiplicative, train=Endless(), test=Endless(1), transform=inputs))
