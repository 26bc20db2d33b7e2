"""The diagonal of the Hessian, estimated from Hessian-vector products with random signs.

    D = | mean over k of z_k ⊙ H z_k |,   z_k ∈ {−1, +1}^P

E[z ⊙ Hz] = diag(H), exactly so for every z where H is diagonal; off the diagonal each probe adds the noise
Σ_{j≠i} z_i z_j H_ij, which averages out over the probes only while it still has its sign. So the products are averaged
first and the absolute value is taken last: D → |diag(H)| as the probes grow in number. (The mean of |z_k ⊙ H z_k|
would not get there; nor would (z̄ ⊙ H z̄) of an averaged probe z̄.) With one probe all of these are |z ⊙ Hz|.

Reference: Yao et al. 2021, AdaHessian, arXiv:2006.00719, eqs. 6 (Hutchinson's estimate) and 9 (spatial averaging).
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor


def rademacher(key: int, probes: int, like: Tensor) -> Tensor:
    """Random signs z [probes, P] in the dtype and on the device of `like` [P], a function of the key alone.

    Drawn on the CPU (Philox), so that every engine and device sees the same ones.
    """
    n = probes * len(like)
    bits = np.random.Generator(np.random.Philox(key=key)).bytes((n + 7) // 8)
    ones = torch.from_numpy(np.unpackbits(np.frombuffer(bits, np.uint8), count=n))
    return ones.to(like.device).to(like.dtype).mul_(2).sub_(1).view(probes, -1)


def diagonal(z: Tensor, hz: Tensor, shapes: list[tuple[int, ...]], block: int = 1) -> Tensor:
    """D [P] from probes z [K, P] and their products H z [K, P].

    shapes: of the parameters that lie one after the other in P.
    In 4-D weights D is averaged over each kernel's spatial dimensions (2, 3); in 2-D and 3-D weights over runs of
    `block` entries of the last dimension (the last run of a row may be shorter). Other shapes are left alone.
    """
    d = (z * hz).mean(0).abs_() if len(z) > 1 else (z[0] * hz[0]).abs_()
    for part, shape in zip(torch.split(d, [prod(s) for s in shapes]), shapes, strict=True):
        if len(shape) == 4:
            _average_(part.view(-1, shape[2] * shape[3]))
        elif block > 1 and len(shape) in (2, 3):
            rows = part.view(-1, shape[-1])
            whole = shape[-1] // block * block
            if whole:
                _average_(rows[:, :whole].view(len(rows), -1, block))
            if whole < shape[-1]:
                _average_(rows[:, whole:])
    return d


def _average_(d: Tensor) -> None:
    """Replace each entry by the mean over the last dimension, in place."""
    d.copy_(d.mean(-1, keepdim=True).expand_as(d))
