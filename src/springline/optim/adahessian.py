"""AdaHessian: Adam with the curvature in the place of the gradient's second moment.

    D = |z ⊙ H z|                              random signs z, fresh for each worker and step (see curvature.py)
    m ← β1 m + (1 − β1) g                      m̂ = m / (1 − β1^t)
    v ← β2 v + (1 − β2) D²                     v̂ = v / (1 − β2^k),  k the number of D's so far
    x ← x − η m̂ / (v̂^{κ/2} + ε) − η λ x

Reference: Yao et al. 2021, AdaHessian: an adaptive second order optimizer for machine learning, arXiv:2006.00719.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from springline.errors import UsageError
from springline.optim.base import Optimiser, Oracle
from springline.optim.checks import check_lr, check_weight_decay
from springline.optim.curvature import diagonal, rademacher
from springline.optim.schedule import Rate, at
from springline.state import state


@state
class AdaHessianState(NamedTuple):
    t: int
    k: int  # steps at which D was computed
    m: Tensor  # [P] mean gradient
    v: Tensor  # [P] mean squared curvature; it moves only where D was computed, so no D is held


@dataclass(frozen=True)
class AdaHessian(Optimiser):
    """AdaHessian, for any loss that is twice differentiable.

    lr: η > 0.  betas: (β1, β2) in [0, 1).  eps: ε > 0.  hessian_power: κ in [0, 1].
    weight_decay: λ ≥ 0, decoupled.  probes: Hessian-vector products per D.
    update_every: D is computed at steps 0, u, 2u, …; steps in between cost what SGD costs.
    block: entries of the last dimension of 2-D and 3-D weights over which D is averaged; 1 leaves them alone.
    """

    late = ("torch._dynamo", "torch._decomp.decompositions_for_jvp")

    lr: Rate | float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-4
    weight_decay: float = 0.0
    hessian_power: float = 1.0
    probes: int = 1
    update_every: int = 1
    block: int = 1

    def __post_init__(self) -> None:
        check_lr(self.lr)
        check_weight_decay(self.weight_decay)
        if len(self.betas) != 2 or not all(0 <= b < 1 for b in self.betas):
            raise UsageError(f"betas={self.betas} are not two numbers in [0, 1); the usual pair is (0.9, 0.999).")
        if not self.eps > 0:
            raise UsageError(
                f"eps={self.eps} is not positive; the step divides by it where the loss is flat, use 1e-4."
            )
        if not 0 <= self.hessian_power <= 1:
            raise UsageError(
                f"hessian_power={self.hessian_power} is outside [0, 1]; 1 is AdaHessian, 0 is momentum SGD."
            )
        for name in ("probes", "update_every", "block"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)} is less than 1; choose a whole number ≥ 1.")

    def init(self, x: Tensor) -> AdaHessianState:
        return AdaHessianState(t=0, k=0, m=torch.zeros_like(x), v=torch.zeros_like(x))

    def step(self, x: Tensor, state: AdaHessianState, oracle: Oracle) -> tuple[Tensor, AdaHessianState, Tensor]:
        (t, k, m, v), (beta1, beta2) = state, self.betas
        if t % self.update_every == 0:
            z = rademacher(oracle.key, self.probes, x)
            loss, g, hz = oracle.curvature(x, z)
            d = diagonal(z, hz, oracle.shapes, self.block)
            if k == 0:
                _check_curved(d, g)
            v = v.mul(beta2).addcmul_(d, d, value=1 - beta2)
            k += 1
        else:
            loss, g = oracle.gradient(x)
        t += 1
        m = m.mul(beta1).add_(g, alpha=1 - beta1)
        eta = at(self.lr, t - 1)
        scale = (v / (1 - beta2**k)).pow_(self.hessian_power / 2).add_(self.eps)
        new = x.mul(1 - eta * self.weight_decay) if self.weight_decay else x.clone()
        return new.addcdiv_(m, scale, value=-eta / (1 - beta1**t)), AdaHessianState(t, k, m, v), loss


def _check_curved(d: Tensor, g: Tensor) -> None:
    if g.count_nonzero() and not d.count_nonzero():
        raise UsageError(
            "the loss has a slope but no second derivative in any parameter, so AdaHessian has nothing to divide by; "
            "use a first-order optimiser (SGD, Nesterov, Torch) or a loss that is curved."
        )
