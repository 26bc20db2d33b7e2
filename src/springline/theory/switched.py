"""Dynamic and Guarded weights as a switched linear system: can any sequence of scores make a run diverge?

Dynamic weights h1 = 1 + (1−α)(a−k)/k, h2 = α − αa/k for k ≤ a ≤ 0, and Guarded ones h1 = α + (1−α)f,
h2 = α(1−f), are the same segment between (α, α), "trust", and (1, 0), "reset". A turn is affine in (h1, h2),
so every turn is a mix of two matrices and, whatever the scores, no run grows faster than their joint
spectral radius

    ρ(A_1, A_2) = lim_k max over products of k of them of ‖A_{i_k} … A_{i_1}‖^{1/k}.

Bounds (Gripenberg, Linear Algebra Appl. 234, 1996): below by sp of products, above by norms of products,
keeping only products that can still beat the lower bound by `slack`. The norm is x ↦ √(xᵀP x), P the
eigenvector of P ↦ Σ A_iᵀ P A_i (Blondel and Nesterov, SIAM J. Matrix Anal. Appl. 27, 2005), or the largest
entry, whichever is tighter. Resetting for ever leaves the center where it is, so ρ ≥ 1 for every setting:
ρ = 1 means that a run can stand still and cannot diverge. The weights are those of Y. Xu and A. Carr,
*A Dynamic Weighting Strategy to Mitigate Worker Node Failure in Distributed Deep Learning*, §V.B.
"""

from typing import NamedTuple

import numpy as np

from springline.theory.assume import at_least, require
from springline.theory.exchange import elastic
from springline.theory.linear import Array, spectral_radius
from springline.theory.star import turn_system


class JointBounds(NamedTuple):
    """lower ≤ joint spectral radius ≤ upper, and the length of the longest product looked at."""

    lower: float
    upper: float
    length: int


def trust_and_reset(
    eta_h: float, alpha: float, workers: int, tau: int = 1, delta: float = 0.0, pull_after: int = 0
) -> Array:
    """The turns with weights (α, α) and (1, 0), shape [2, n, n]; every weighted turn is a mix of the two."""
    require(0 <= alpha <= 1, "Dynamic and Guarded weights", "0 ≤ α ≤ 1", α=alpha)
    h1, h2 = np.array([alpha, 1.0]), np.array([alpha, 0.0])
    star = elastic(eta_h, h1, h2, delta, tau, pull_after, momentum=delta != 0)
    return turn_system(star, workers).matrix


def joint_bounds(matrices: Array, length: int = 12, slack: float = 1e-3, most: int = 4096) -> JointBounds:
    """Bounds of the joint spectral radius of matrices [m, n, n].

    Stops at products of `length`, when the bounds are within `slack`, or when more than `most` products
    would be kept; the bounds hold wherever it stops.
    """
    at_least("joint_bounds", 1, length=length)
    found = [_gripenberg(scaled, order, length, slack, most) for scaled, order in _norms(matrices)]
    lower = max(b.lower for b in found)
    return JointBounds(lower, max(min(b.upper for b in found), lower), max(b.length for b in found))


def _norms(matrices: Array) -> list[tuple[Array, float]]:
    n = matrices.shape[-1]
    p = np.eye(n)
    for _ in range(200):
        p = sum((a.T @ p @ a for a in matrices), np.zeros((n, n)))
        p /= np.trace(p)
    root = np.linalg.cholesky(p + 1e-9 * np.eye(n)).T
    return [(root @ matrices @ np.linalg.inv(root), 2), (matrices, np.inf)]


def _gripenberg(matrices: Array, order: float, length: int, slack: float, most: int) -> JointBounds:
    products, reach = matrices, np.linalg.norm(matrices, ord=order, axis=(1, 2))
    lower, upper, k = float(spectral_radius(matrices).max()), float(reach.max()), 1
    while k < length:
        keep = reach > lower + slack
        if not keep.any():
            return JointBounds(lower, min(upper, lower + slack), k)
        if keep.sum() * len(matrices) > most:
            break
        k += 1
        products = (matrices[:, None] @ products[keep][None]).reshape(-1, *matrices.shape[1:])
        norms = np.linalg.norm(products, ord=order, axis=(1, 2)) ** (1 / k)
        reach = np.minimum(np.tile(reach[keep], len(matrices)), norms)
        lower = max(lower, float(spectral_radius(products).max() ** (1 / k)))
        upper = min(upper, max(lower + slack, float(reach.max())))
    return JointBounds(lower, max(upper, lower), k)


def random_growth(matrices: Array, steps: int, chains: int, seed: int = 0) -> float:
    """Largest growth per step, ‖s_t‖^{1/t} over chains that switch at random: a simulation of the same system."""
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(chains, matrices.shape[-1]))
    s /= np.linalg.norm(s, axis=1, keepdims=True)
    log = np.zeros(chains)
    for _ in range(steps):
        s = (matrices[rng.integers(len(matrices), size=chains)] @ s[..., None])[..., 0]
        size = np.linalg.norm(s, axis=1)
        s, log = s / size[:, None], log + np.log(size)
    return float(np.exp(log.max() / steps))
