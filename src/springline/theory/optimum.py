"""Best values and stable ranges of a parameter, for rates that have no closed form.

A spectral radius is continuous but has kinks, so both searches use values only: a grid, then zooming in.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from springline.theory.linear import Array

Curve = Callable[[Array], Array]  # values [k] of a parameter -> values [k]


class Optimum(NamedTuple):
    """Where a function is smallest, and how small."""

    at: float
    value: float


def minimise(f: Curve, low: float, high: float, points: int = 201, zooms: int = 8) -> Optimum:
    """The least value of f on [low, high], by a grid that is refined around its best `zooms` times.

    The error in the argument is (high − low)·(2/points)^zooms for a function with one valley per grid cell.
    """
    for _ in range(zooms):
        x = np.linspace(low, high, points)
        y = np.asarray(f(x))
        k = int(np.nanargmin(y))
        low, high = x[max(k - 1, 0)], x[min(k + 1, points - 1)]
    return Optimum(float(x[k]), float(y[k]))


def stable_intervals(
    radius: Curve, low: float, high: float, points: int = 400, margin: float = 1e-10
) -> tuple[tuple[float, float], ...]:
    """The open intervals of (low, high) in which radius < 1, their ends found by bisection to 2⁻⁵⁰.

    The grid is denser towards `low`: half of its points are geometric, half are equidistant. An interval
    narrower than the grid can be missed; `margin` keeps rounding from calling a radius of exactly 1 stable.
    Where its first point, 10⁻⁴ of the way, is not stable, it is continued down to 10⁻¹².
    """
    start = low + (high - low) * 1e-4
    grid = np.union1d(np.geomspace(start, high, points // 2), np.linspace(start, high, points // 2))
    values = np.asarray(radius(grid))
    if not values[0] < 1 - margin:
        below = low + (high - low) * np.geomspace(1e-12, 5e-5, 16)
        nearer = np.asarray(radius(below))
        told = np.cumsum(np.abs(nearer - 1) > margin) > 0  # nearest to `low` a radius cannot be told from 1
        grid, values = np.concatenate([below[told], grid]), np.concatenate([nearer[told], values])
    inside = values < 1 - margin
    ends: list[float] = [low] if inside[0] else []
    flips = np.flatnonzero(inside[1:] != inside[:-1])
    a, b, was = grid[flips], grid[flips + 1], inside[flips]
    for _ in range(50 if len(flips) else 0):
        middle = (a + b) / 2
        same = (np.asarray(radius(middle)) < 1 - margin) == was
        a, b = np.where(same, middle, a), np.where(same, b, middle)
    ends += [float(x) for x in (a + b) / 2]
    ends += [high] if inside[-1] else []
    return tuple(zip(ends[::2], ends[1::2], strict=True))


def first_end(radius: Curve, high: float, margin: float = 1e-10) -> float:
    """The end of the stable interval that begins at 0, for a `high` that is not stable; 0 if no such interval is seen.

    Down from `high` by halves to the first stable value, then bisection to 2⁻²⁰: some 25 values, where
    `stable_intervals` takes 400 and more. The interval is the one at 0 unless it has a lower end above a
    thousandth of that value.
    """

    def at(x: float) -> float:
        return float(np.asarray(radius(np.array([x])))[0])

    a = high / 2
    while not at(a) < 1 - margin:
        a /= 2
        if a < high * 1e-12:
            return 0.0
    if at(a / 1000) > 1 + margin:
        return 0.0
    b = 2 * a
    while b - a > a * 2**-20:
        middle = (a + b) / 2
        a, b = (middle, b) if at(middle) < 1 - margin else (a, middle)
    return a
