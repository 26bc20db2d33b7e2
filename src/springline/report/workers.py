"""One run, worker by worker: how far from the center, how hard the line pulled, which exchanges were lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from springline.report.curves import Row, curve_of, draw_curves
from springline.report.style import label, style

LINES = 8  # workers drawn one by one; more are shown as median and range


def draw_run(rows: Sequence[Row], *, title: str) -> Figure:
    """The center's curves, and a panel each for the workers' distances, weights and lost exchanges."""
    metrics = {name: [curve_of("center", rows, name)] for name in ("test_accuracy", "train_loss")}
    drawn = draw_curves(metrics, title=title)
    panels = [(name, per_worker(rows, name)) for name in ("distance", "h1", "h2")]
    shown = [(name, values) for name, values in panels if np.isfinite(values).any()]
    above, columns = len(drawn.axes), max(len(drawn.axes), 1)
    grid = drawn.add_gridspec(1 + len(shown) + 1, columns)
    for j, axes in enumerate(drawn.axes):
        axes.set_subplotspec(grid[0, j : j + 1] if above > 1 else grid[0, :])
    drawn.set_size_inches(10.4, 3.2 + 2.0 * (len(shown) + 1))
    rounds = [row["round"] for row in rows]
    for k, (name, values) in enumerate(shown, 1):
        axes = drawn.add_subplot(grid[k, :])
        _lines(axes, rounds, values)
        label(axes, "", {"distance": "distance to center", "h1": "weight h1", "h2": "weight h2"}[name])
        axes.set_xlim(rounds[0] - 0.5, rounds[-1] + 0.5)
        if name != "distance":
            axes.set_ylim(-0.03, max(0.2, 1.1 * float(np.nanmax(values))))
        if k == 1:
            axes.legend(frameon=False, fontsize="small", ncols=4, loc="upper right", handlelength=4)
    _lost(drawn.add_subplot(grid[len(shown) + 1, :]), rounds, per_worker(rows, "lost"))
    return drawn


def per_worker(rows: Sequence[Row], name: str) -> np.ndarray:
    """[K, N] of one of the workers' metrics; nan where it is not known, as before a worker has joined."""
    known = [row["workers"].get(name) or [] for row in rows]
    values = np.full((len(rows), max(1, *map(len, known))), np.nan)
    for line, row in zip(values, known, strict=True):
        line[: len(row)] = row
    return values


def _lines(axes: Axes, rounds: list[int], values: np.ndarray) -> None:
    if values.shape[1] <= LINES:
        for i, line in enumerate(values.T):
            axes.plot(rounds, line, label=f"worker {i}", **style(i).of(len(rounds)) | {"linewidth": 1.1})
        return
    some = np.isfinite(values).any(axis=1)
    known, at = values[some], np.asarray(rounds)[some]
    axes.fill_between(at, np.nanmin(known, axis=1), np.nanmax(known, axis=1), color="0.85", label="range")
    axes.plot(at, np.nanmedian(known, axis=1), color="k", label=f"median of {values.shape[1]} workers")


def _lost(axes: Axes, rounds: list[int], lost: np.ndarray) -> None:
    """A mark where an attempt of that worker was lost in that round of the run."""
    new = np.diff(np.nan_to_num(lost), axis=0, prepend=0) > 0
    where, who = np.nonzero(new)
    axes.scatter(
        np.asarray(rounds)[where], who, marker="|", s=min(60.0, 240.0 / new.shape[1]), color="k", linewidths=0.8
    )
    label(axes, "communication rounds", "lost exchanges\nof worker")
    axes.set_ylim(new.shape[1] - 0.5, -0.5)
    axes.set_xlim(rounds[0] - 0.5, rounds[-1] + 0.5)
    if new.shape[1] <= LINES:
        axes.set_yticks(range(new.shape[1]))
