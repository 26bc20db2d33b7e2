"""Failures × methods as a heat map and as a table, drawn from results alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib

from springline.report.style import figure, save
from springline.reproduce.results import Result
from springline.reproduce.tables import accuracies, chosen, distinct, spread


def rounds_to(results: Sequence[Result], level: float, **labels: Any) -> list[int | None]:
    """The round at which each run was first seen at a test accuracy (a fraction); None for one that never was."""
    return [
        next((point["round"] for point in r.curve if (point["test_accuracy"] or 0.0) >= level), None)
        for r in chosen(results, **labels)
    ]


def heat_map(results: Sequence[Result], title: str, path: Path) -> Path:
    """A row per failure, a column per method, the mean final accuracy in the cell.

    The colour says how far a cell is below the best of its row: white is the best, dark red ten points or more below.
    Bold is what is best, or as good but for half of the last digit.
    """
    failures, methods = distinct(results, "failure"), distinct(results, "method")
    means = [[_mean(accuracies(results, failure=f, method=m)) for m in methods] for f in failures]
    drawn = figure(2.2 + 1.1 * len(methods), 1.1 + 0.3 * len(failures))
    axes = drawn.add_subplot()
    below = [[max(v for v in row if v is not None) - v if v is not None else 0.0 for v in row] for row in means]
    image = axes.imshow(below, cmap=matplotlib.colormaps["Reds"], vmin=0, vmax=10, aspect="auto")
    for i, row in enumerate(means):
        for j, value in enumerate(row):
            if value is not None:
                colour, weight = "white" if below[i][j] > 6 else "black", "bold" if below[i][j] < 0.05 else "normal"
                axes.text(j, i, f"{value:.1f}", ha="center", va="center", fontsize=8, color=colour, fontweight=weight)
    axes.set_xticks(range(len(methods)), methods, fontsize=8, rotation=15)
    axes.set_yticks(range(len(failures)), failures, fontsize=8)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_title(f"test accuracy (%): {title}", fontsize=9)
    bar = drawn.colorbar(image, ax=axes, shrink=0.6, extend="max")
    bar.set_label("points below the best of the row (bold)", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return save(drawn, path)


def write_gauntlet(results: Sequence[Result], share: float, title: str, path: Path) -> Path:
    """A markdown table: mean ± std of the final accuracy, [worst seed], and (rounds to `share` of the fault-free one).

    The rounds are the median over seeds, – where most seeds never got there. The last row says how far each method is
    behind the best one under the failure that is its worst.
    """
    failures, methods = distinct(results, "failure"), distinct(results, "method")
    lines = [
        f"{title}: test accuracy at the end in per cent, mean ± standard deviation [worst seed], and the round at "
        f"which {share:.0%} of the same method's fault-free accuracy was first seen.",
        "",
        "| failure | " + " | ".join(f"`{m}`" for m in methods) + " |",
        "|---" * (len(methods) + 1) + "|",
    ]
    behind = dict.fromkeys(methods, 0.0)
    levels = {m: share * mean(free) / 100 if (free := accuracies(results, failure="none", method=m)) else 2.0
              for m in methods}  # fmt: skip
    for failure in failures:
        cells = []
        ends = {m: a for m in methods if (a := accuracies(results, failure=failure, method=m))}
        best = max(map(mean, ends.values()))
        for method in methods:
            if method not in ends:
                cells.append("")
                continue
            middle, std = spread(ends[method])
            behind[method] = max(behind[method], best - middle)
            rounds = _median(rounds_to(results, levels[method], failure=failure, method=method))
            more = f" ± {std:.1f} [{min(ends[method]):.1f}]" if len(ends[method]) > 1 else ""
            cells.append(f"{middle:.1f}{more}, {'–' if rounds is None else rounds}")
        lines.append(f"| {failure} | " + " | ".join(cells) + " |")
    lines.append("| *at most behind the best of a row* | " + " | ".join(f"{v:.1f}" for v in behind.values()) + " |")
    seeds = len(distinct(results, "seed"))
    many = f"{seeds} seeds, or one where there is no deviation" if seeds > 1 else "1 seed"
    lines += ["", f"{many}; a run that failed counts as 0 %."]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def _mean(values: Sequence[float]) -> float | None:
    return mean(values) if values else None


def _median(rounds: Sequence[int | None]) -> int | None:
    """The middle one, those that never came last."""
    ordered = sorted(rounds, key=lambda r: (r is None, r))
    return ordered[len(ordered) // 2] if ordered else None
