"""The center over communication rounds, for several methods or runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from springline.report.style import figure, label, legend_below, logarithmic, style, towards_all

Row = dict[str, Any]


class Curve(NamedTuple):
    """One line: its mean is drawn, with a band of one standard deviation to either side where there are several."""

    label: str
    rounds: list[int]  # [K]
    values: list[list[float]]  # [S][K], one list per run


TITLES = {
    "test_accuracy": "center test accuracy (%)",
    "test_loss": "center test loss",
    "train_loss": "center training loss",
}


def curve_of(label: str, rows: Sequence[Row], name: str) -> Curve:
    """One run's metric, at the rounds that know it."""
    known = [row for row in rows if row.get(name) is not None]
    return Curve(label, [row["round"] for row in known], [[row[name] for row in known]] if known else [])


def draw_curves(metrics: Mapping[str, Sequence[Curve]], *, title: str) -> Figure:
    """One panel per metric that any curve has."""
    shown = [name for name, curves in metrics.items() if any(c.rounds for c in curves)]
    drawn = figure(5.2 * max(1, len(shown)), 4.0)
    drawn.suptitle(title)
    for axes, name in zip(np.atleast_1d(drawn.subplots(1, max(1, len(shown)))), shown, strict=False):
        panel(axes, name, metrics[name])
    legend_below(drawn)
    return drawn


def panel(axes: Axes, name: str, curves: Sequence[Curve]) -> None:
    """Lines of one metric on axes, with their bands; losses on a logarithmic axis, and what is missing to 100 %."""
    share = name.endswith("accuracy")
    for i, curve in enumerate(curves):
        values = np.asarray(curve.values, dtype=float) * (100 if share else 1)
        if not values.size:
            continue
        look, middle = style(i), values.mean(axis=0)
        axes.plot(curve.rounds, middle, label=curve.label, **look.of(len(curve.rounds)))
        if len(values) > 1:
            spread = values.std(axis=0, ddof=1)
            low, high = middle - spread, middle + spread
            if share:
                high = np.where(high < 100, high, values.max(axis=0))  # the axis ends at 100
            else:
                low = np.maximum(low, values.min(axis=0))  # and this one at 0
            axes.fill_between(curve.rounds, low, high, color=look.colour, alpha=0.18, linewidth=0)
    (towards_all if share else logarithmic)(axes)
    label(axes, "communication rounds", TITLES.get(name, name))
