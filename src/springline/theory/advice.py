"""Which learning rates a coupling bears, and which to start from. Knows no trainer: a name and numbers.

The limit is the end of the stable interval that starts at 0, for the largest curvature h of the model: below it
every direction with a curvature in (0, h] converges too. It comes from the spectral radius of one round on
F(x) = h x²/2 (see `families`), by formula where one exists and by bisection otherwise.

Recommended rates: β = 0.9 and α = β/N for a star (Zhang, arXiv:1605.02216, §4.1), α = 0.9/(d+1) for a Tree
(§6.1); for η the fastest step for curvature h, but not above half the limit, since h is an estimate at the
start of a run and noise adds to it.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from springline.errors import UsageError, unknown
from springline.theory.families import FAMILIES, Family, Setting
from springline.theory.linear import Array
from springline.theory.optimum import first_end, stable_intervals
from springline.theory.tree import default_alpha

# what a field of `Setting` is called where a run is set up; the others are called the same
KNOBS = {"delta": "momentum", "arity": "d", "tau_up": "tau", "tau_down": "tau2"}
HIGHEST = 6.0  # no coupling here is stable at a larger ηh
MOST_WORKERS, MOST_STEPS = 256, 10_000  # above these a round's recursion takes too long


@dataclass(frozen=True)
class Advice:
    """What theory says about a method with these numbers."""

    method: str
    setting: Setting
    limit: float  # η below it is stable for every curvature in (0, h]; 0: no η is
    intervals: tuple[tuple[float, float], ...]  # every stable η for curvature h itself
    formula: bool  # whether `limit` comes from a closed form
    eta: float | None  # where to start; None if no η is stable
    alpha: float | None
    beta: float | None
    reason: str
    reference: str


def advise(method: str, setting: Setting | None = None, recommend_rates: bool = True) -> Advice:
    """The stable range of η and rates to start from.

    Args:
        method: a name of `FAMILIES`.
        setting: the numbers; its curvature h is the largest one of the model.
        recommend_rates: replace alpha and beta by the recommended ones; False judges those of the setting.

    Raises UsageError for an unknown method and for numbers outside their range.
    """
    family = _family(method)
    s = _checked(method, setting or Setting())
    if recommend_rates:
        alpha = default_alpha(s.arity) if method == "tree" else 0.9 / s.workers
        s = replace(s, alpha=alpha, beta=0.9)
    h = s.curvature
    intervals = stable_intervals(lambda e: _radius(family, e, s), 0.0, HIGHEST)
    closed = family.closed(s)
    limit = intervals[0][1] if intervals and intervals[0][0] == 0 else 0.0
    limit = limit if closed is None else closed
    eta = None
    if limit > 0:
        grid = np.linspace(limit / 200, limit / 2, 100)
        eta = float(grid[np.argmin(_radius(family, grid, s))]) / h
    return Advice(
        method=method,
        setting=s,
        limit=limit / h,
        intervals=tuple((a / h, b / h) for a, b in intervals),
        formula=closed is not None,
        eta=eta,
        alpha=s.alpha if "alpha" in family.uses else None,
        beta=s.beta if "beta" in family.uses else None,
        reason=family.why,
        reference=family.reference,
    )


def round_factor(method: str, eta: float, setting: Setting) -> float:
    """sp of one round with this η: the factor by which the distance to the optimum shrinks or grows."""
    s = _checked(method, setting)
    return float(_radius(_family(method), np.array([eta * s.curvature]), s)[0])


def warning(method: str, eta: float, setting: Setting, name: str = "") -> str | None:
    """One sentence with the remedy if theory says that a run with this η diverges, else None.

    name: what to call the method in it, if not by the family's name.
    """
    factor = round_factor(method, eta, setting)
    if factor < 1:
        return None
    family, h = _family(method), setting.curvature
    closed = family.closed(setting)
    limit = first_end(lambda e: _radius(family, e, setting), min(eta * h, HIGHEST)) if closed is None else closed
    remedy = f"use η < {limit / h:.3g}" if limit > 0 else "no small η is stable, change the other numbers"
    numbers = ", ".join(f"{KNOBS.get(used, used)} = {getattr(setting, used):g}" for used in family.uses)
    return (
        f"{name or method} with η = {eta:g}{', ' if numbers else ''}{numbers} diverges on a quadratic of curvature "
        f"{h:.3g}, by a factor {factor:.4g} per round; {remedy} ({family.why})."
    )


def within_reach(method: str, setting: Setting) -> bool:
    """Whether a round's recursion is small enough to be computed while somebody waits."""
    return setting.tau <= MOST_STEPS and (setting.workers <= MOST_WORKERS or not _family(method).grows)


def check_curvature(h: float) -> None:
    """Raises UsageError for a curvature that is not positive and finite."""
    if not (h > 0 and math.isfinite(h)):
        raise UsageError(f"curvature = {h:g} must be positive; give the largest eigenvalue of the Hessian.")


def _family(method: str) -> Family:
    if method not in FAMILIES:
        raise unknown("method of the theory", method, list(FAMILIES))
    return FAMILIES[method]


def _radius(family: Family, eta_h: Array, s: Setting) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.nan_to_num(family.radius(np.asarray(eta_h), s), nan=np.inf)


def _checked(method: str, s: Setting) -> Setting:
    check_curvature(s.curvature)
    for name in ("workers", "tau", "arity", "depth", "tau_up", "tau_down"):
        if getattr(s, name) < 1:
            raise UsageError(f"{name} = {getattr(s, name)} of {method} must be at least 1; give a whole number ≥ 1.")
    if not 0 <= s.delta < 1:
        raise UsageError(f"delta = {s.delta:g} of {method} must be in [0, 1); momentum of 1 never forgets.")
    if s.pull_after > s.tau:
        raise UsageError(f"pull_after = {s.pull_after} of {method} is above tau = {s.tau}; give at most tau.")
    if s.scheme not in (1, 2):
        raise UsageError(f"scheme = {s.scheme} of the Tree is unknown; choose 1 or 2.")
    return s
