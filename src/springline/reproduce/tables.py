"""Tables and pictures that experiments share, drawn from results alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from springline.report.style import figure, label, logarithmic, save, style
from springline.reproduce.results import Result


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (0 for a single value)."""
    return mean(values), stdev(values) if len(values) > 1 else 0.0


def chosen(results: Sequence[Result], **labels: Any) -> list[Result]:
    """Those with these labels."""
    return [r for r in results if all(r.labels[k] == v for k, v in labels.items())]


def accuracies(results: Sequence[Result], **labels: Any) -> list[float]:
    """Final test accuracies in per cent of the results with these labels; 0 for a run that failed."""
    return [100 * r.accuracy for r in chosen(results, **labels)]


def errors(results: Sequence[Result], **labels: Any) -> list[float]:
    """Final test errors in per cent of the results with these labels."""
    return [100 - a for a in accuracies(results, **labels)]


def distinct(results: Sequence[Result], name: str) -> list[Any]:
    """The values of a label, in the order in which they first appear."""
    return list(dict.fromkeys(r.labels[name] for r in results))


def settings(results: Sequence[Result]) -> list[tuple[str, int, int]]:
    """The combinations of task, number of workers and period, in the order in which they first appear."""
    return list(dict.fromkeys((r.labels["task"], r.labels["workers"], r.labels["tau"]) for r in results))


def error_over(
    x: str, line: str, results: Sequence[Result], baseline: Sequence[Result], title: str, path: Path
) -> Path:
    """Final test error (per cent, logarithmic) over a numeric label, a line per value of another, mean ± std."""
    drawn = figure(7.0, 4.2)
    axes = drawn.add_subplot()
    xs = sorted(distinct(results, x))
    for i, name in enumerate(distinct(results, line)):
        points = [(v, *spread(e)) for v in xs if (e := errors(results, **{line: name, x: v}))]
        at, middle, std = zip(*points, strict=True)
        look = style(i)
        axes.errorbar(at, middle, yerr=std, label=name, color=look.colour, linestyle=look.dash, marker=look.marker,
                      capsize=3)  # fmt: skip
    if baseline:
        middle_of, _ = spread([100 * (1 - r.accuracy) for r in baseline])
        axes.axhline(middle_of, color="0.4", linewidth=1, label="one worker")
    label(axes, x, "final test error (%)")
    logarithmic(axes)
    axes.set_xticks(xs)
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)
    return save(drawn, path)


def write_table(row: str, column: str, results: Sequence[Result], path: Path, below: Sequence[str] = ()) -> Path:
    """A markdown table of final test errors, with failed runs counted at 100 %, and whatever lines stand below it."""
    found = {
        (str(name), f"{column} {c}"): errors(results, **{row: name, column: c})
        for name in distinct(results, row)
        for c in sorted(distinct(results, column))
    }
    return markdown(row, found, path, below=below)


def markdown(
    corner: str,
    values: Mapping[tuple[str, str], Sequence[float]],
    path: Path,
    caption: str = "",
    below: Sequence[str] = (),
) -> Path:
    """A table of mean ± std (runs) by (row, column); empty where there is no run, and no std where there is but one."""
    rows, columns = ([*dict.fromkeys(key[k] for key in values)] for k in (0, 1))
    lines = [caption, ""] if caption else []
    lines += [f"| {corner} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        cells = []
        for column in columns:
            found = values.get((row, column), ())
            cells.append(_cell(found) if found else "")
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    if below:
        lines += ["", *below]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def _cell(values: Sequence[float]) -> str:
    middle, std = spread(values)
    return f"{middle:.2f} ± {std:.2f} ({len(values)})" if len(values) > 1 else f"{middle:.2f} (1)"
