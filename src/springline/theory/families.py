"""The recursion of every coupling on F(x) = h x²/2, as the library runs it: name → spectral radius of a round.

Asynchronous couplings are taken at round-robin pace without delay: workers one after the other, τ local steps
and then the exchange. A run at this pace converges on the quadratic iff the radius is below 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from springline.theory import exchange, pushing, tree
from springline.theory.linear import Array, quadratic_radius
from springline.theory.round_robin import admm_radius
from springline.theory.star import Star, round_radius


@dataclass(frozen=True)
class Setting:
    """The numbers of a run, without a learning rate and without a trainer.

    workers: N.  tau: local steps per exchange.  curvature: h.  alpha, beta: elastic rates of worker and
    center.  delta: momentum (γ of the DANA family); look_ahead: Nesterov's, else heavy ball.  rho: ADMM's penalty ρ.
    pull_after: 0 … τ, when the elastic pull lands.  arity, depth, scheme, tau_up, tau_down: the Tree (in scheme 1 τ1
    and τ2).
    """

    workers: int = 1
    tau: int = 1
    curvature: float = 1.0
    alpha: float = 0.9
    beta: float = 0.9
    delta: float = 0.9
    look_ahead: bool = True
    rho: float = 1.0
    pull_after: int = 0
    arity: int = 2
    depth: int = 2
    scheme: int = 2
    tau_up: int = 1
    tau_down: int = 10


Radius = Callable[[Array, Setting], Array]  # ηh [k], setting -> sp of one round [k]
Closed = Callable[[Setting], float | None]  # the limit of ηh where a formula gives it


class Family(NamedTuple):
    """A coupling's recursion and what may be said about it."""

    radius: Radius
    uses: tuple[str, ...]  # the fields of Setting that matter, beside the curvature
    why: str  # why the limit is where it is
    reference: str
    closed: Closed = lambda setting: None
    grows: bool = False  # whether a round is a matrix that grows with N


_Z = "Zhang, arXiv:1605.02216, "
_D = "DANA: Scalable out-of-the-box distributed ASGD without retuning, "


def _turns(
    build: Callable[[Array, Setting], Star],
    uses: tuple[str, ...],
    why: str,
    reference: str,
    closed: Closed = lambda setting: None,
) -> Family:
    """One worker after the other: a round is a matrix on what all of them hold."""

    def radius(eta_h: Array, s: Setting) -> Array:
        return round_radius(build(eta_h, s), s.workers)

    return Family(radius, uses, why, reference, closed, grows=True)


def _msgd(eta_h: Array, s: Setting) -> Array:
    d = s.delta * (1 - eta_h)
    return quadratic_radius(d + 1 - eta_h, d) ** s.tau


def _heavy_ball(eta_h: Array, s: Setting) -> Array:
    return quadratic_radius(1 + s.delta - eta_h, s.delta + 0 * eta_h) ** s.tau


def _easgd(eta_h: Array, s: Setting) -> Star:
    return exchange.elastic(eta_h, s.alpha, tau=s.tau, pull_after=s.pull_after, momentum=False)


def _eamsgd(eta_h: Array, s: Setting) -> Star:
    return exchange.elastic(eta_h, s.alpha, delta=s.delta, tau=s.tau, pull_after=s.pull_after, look_ahead=s.look_ahead)


def _synchronous(momentum: bool, gauss_seidel: bool) -> Radius:
    def radius(eta_h: Array, s: Setting) -> Array:
        delta = s.delta if momentum else 0.0
        system = exchange.synchronous(eta_h, s.alpha, s.beta, delta, s.tau, s.pull_after, gauss_seidel, s.look_ahead)
        return exchange.synchronous_radius(system, s.workers)

    return radius


def _tree(eta_h: Array, s: Setting) -> Array:
    plan = (tree.scheme1 if s.scheme == 1 else tree.scheme2)(s.depth, s.tau_up, s.tau_down)
    period = tree.period_radius(eta_h, s.alpha, s.arity, plan, s.delta, s.look_ahead)
    return np.asarray(period ** (s.tau_up / plan.period))  # a round is one message of every leaf


def _downpour_sync(eta_h: Array, s: Setting) -> Array:
    return np.abs(1 - s.workers * (1 - (1 - eta_h) ** s.tau))


def _easgd_sync_limit(s: Setting) -> float | None:
    jacobi = s.tau == s.pull_after == 1
    return 2 - 2 * s.alpha / (2 - s.beta) if jacobi and s.alpha >= 0 and 0 < s.beta < 2 else None


_STALE = "a gradient lands N−1 center updates after it was taken"
_ASYNC = ("workers", "tau", "alpha", "pull_after")

FAMILIES: dict[str, Family] = {
    "sgd": Family(
        lambda e, s: np.abs(1 - e) ** s.tau, (), "each step multiplies x by 1 − ηh", _Z + "§5.1.1", lambda s: 2.0
    ),
    "ssgd": Family(
        lambda e, s: np.abs(1 - e), ("workers",), "the mean of N gradients is one step", _D + "§2", lambda s: 2.0
    ),
    "msgd": Family(
        _msgd,
        ("delta",),
        "Nesterov's momentum is stable for ηh < 2(1+δ)/(1+2δ)",
        _Z + "§5.1.2",
        lambda s: 2 * (1 + s.delta) / (1 + 2 * s.delta),
    ),
    "heavy-ball": Family(
        _heavy_ball,
        ("delta",),
        "heavy ball is stable for ηh < 2(1+δ)",
        _Z + "equation 2.6",
        lambda s: 2 * (1 + s.delta),
    ),
    "easgd": _turns(_easgd, _ASYNC, "τ local steps, then both sides move by α", _Z + "§3.3"),
    "eamsgd": _turns(
        _eamsgd, (*_ASYNC, "delta"), "τ local steps with momentum, then both sides move by α", _Z + "§3.3"
    ),
    "easgd-sync": Family(
        _synchronous(momentum=False, gauss_seidel=False),
        ("workers", "tau", "alpha", "beta", "pull_after"),
        "workers and center move at once; with τ = pull_after = 1 they need (2−ηh)(2−β) > 2α",
        _Z + "Lemma 3.1.1",
        _easgd_sync_limit,
    ),
    "eamsgd-sync": Family(
        _synchronous(momentum=True, gauss_seidel=False),
        ("workers", "tau", "alpha", "beta", "delta", "pull_after"),
        "workers' mean, its velocity and the center form a 3 × 3 drift",
        _Z + "§5.1.3",
    ),
    "easgd-gauss-seidel": Family(
        _synchronous(momentum=False, gauss_seidel=True),
        ("workers", "tau", "alpha", "beta", "pull_after"),
        "the center moves first; with τ = 1, pull_after = 0 it needs βηh < 2 + 2(1−ηh)(1−α)(1−β)",
        _Z + "§6.2",
    ),
    "eamsgd-gauss-seidel": Family(
        _synchronous(momentum=True, gauss_seidel=True),
        ("workers", "tau", "alpha", "beta", "delta", "pull_after"),
        "workers' mean, its velocity and the center, which moves first, form a 3 × 3 drift",
        _Z + "§6.2",
    ),
    "downpour": _turns(
        lambda e, s: pushing.downpour(e, s.tau),
        ("workers", "tau"),
        "a sum of τ gradients lands N−1 exchanges after it was begun",
        _Z + "Algorithm 3; Levin and May 1976",
        lambda s: float(pushing.asgd_limit(s.workers, s.tau)),
    ),
    "downpour-momentum": _turns(
        lambda e, s: pushing.downpour(e, s.tau, s.delta, momentum=True, look_ahead=s.look_ahead),
        ("workers", "tau", "delta"),
        "a sum of τ steps lands N−1 exchanges after it was begun, and the worker's velocity drives it on",
        _Z + "Algorithm 3",
    ),
    "downpour-sync": Family(
        _downpour_sync,
        ("workers", "tau"),
        "N sums of τ gradients are added at once; 2/(N h) for τ = 1",
        _Z + "§6.2",
        lambda s: 1 - max(1 - 2 / s.workers, 0) ** (1 / s.tau) if s.workers > 1 else 2.0,
    ),
    "mdownpour": _turns(
        lambda e, s: pushing.mdownpour(e, s.delta),
        ("workers", "delta"),
        "N workers push into one velocity, each with a gradient N−1 updates old",
        _Z + "Algorithms 4 and 5",
    ),
    "admm": Family(
        lambda e, s: admm_radius(e, s.rho / s.curvature, s.workers),
        ("workers", "rho"),
        "no simple region is known; a round can be unstable at small η",
        _Z + "§3.3",
        grows=True,
    ),
    "asgd": _turns(
        lambda e, s: pushing.asgd(e),
        ("workers",),
        _STALE,
        _D + "Algorithms 1 and 2; Levin and May 1976",
        lambda s: float(pushing.asgd_limit(s.workers)),
    ),
    "nag-asgd": _turns(
        lambda e, s: pushing.nag_asgd(e, s.delta),
        ("workers", "delta"),
        _STALE + " and all share one velocity",
        _D + "§2",
    ),
    "multi-asgd": _turns(
        lambda e, s: pushing.multi_asgd(e, s.delta),
        ("workers", "delta"),
        _STALE + ", each worker with its own velocity, ahead of which alone it looks",
        _D + "§4",
    ),
    "dana": _turns(
        lambda e, s: pushing.dana(e, s.delta),
        ("workers", "delta"),
        _STALE + ", each worker with its own velocity, and replies look ahead over all of them",
        _D + "Algorithm 4",
    ),
    "dana-zero": _turns(
        lambda e, s: pushing.dana(e, s.delta),
        ("workers", "delta"),
        _STALE + "; the change of variable Θ = θ − ηγΣv_j makes it DANA",
        _D + "Algorithm 3",
    ),
    "staleness-aware": _turns(
        lambda e, s: pushing.staleness_aware(e, s.workers),
        ("workers",),
        _STALE + " and is divided by its lateness",
        "Zhang, Gupta, Lian and Liu, Staleness-aware Async-SGD for Distributed Deep Learning",
        lambda s: float(pushing.asgd_limit(s.workers)) * max(1, s.workers - 1),
    ),
    "tree": Family(
        _tree,
        ("arity", "depth", "scheme", "tau_up", "tau_down", "alpha", "delta"),
        "leaves step, inner nodes average what arrives",
        _Z + "Algorithm 6",
    ),
}
