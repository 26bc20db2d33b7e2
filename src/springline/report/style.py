"""How lines are told apart, in colour, by the colour-blind and in grey: every line has its own dash and marker too."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from springline.checkpoint import write_atomically
from springline.errors import UsageError

FORMATS = (".png", ".pdf", ".svg")

# Okabe & Ito's palette, ordered so that neighbours differ in lightness as well
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#000000", "#56B4E9", "#CC79A7")
_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (8, 2)), (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = "os^DvPX*<>"


class Style(NamedTuple):
    """One line's look."""

    colour: str
    dash: Any
    marker: str

    def of(self, points: int) -> dict[str, Any]:
        """Keywords of `Axes.plot` for a line of so many points: about eight markers on it."""
        every = max(1, points // 8)
        return {"color": self.colour, "linestyle": self.dash, "marker": self.marker, "markevery": every,
                "markersize": 4.5, "linewidth": 1.6}  # fmt: skip


def style(i: int) -> Style:
    """The look of line 0, 1, …; 7 colours, 6 dashes and 10 markers in step repeat only after 210 lines."""
    return Style(_COLOURS[i % len(_COLOURS)], _DASHES[i % len(_DASHES)], _MARKERS[i % len(_MARKERS)])


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, drawn without a display."""
    empty = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(empty)
    return empty


def label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # rounds are whole
    axes.grid(True, color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def logarithmic(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers, between the powers of ten too where there are few of those."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(plain)
    if high < 500 * low:
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5) if high > 4 * low else range(2, 10)))
        axes.yaxis.set_minor_formatter(plain)
    else:
        axes.yaxis.set_minor_formatter(NullFormatter())


def towards_all(axes: Axes) -> None:
    """A y axis of per cent that is logarithmic in what is missing to 100: from 90 to 95 is as far as from 80 to 90.

    Methods end close to each other and to 100; on an even axis nobody could tell them apart.
    """
    least = 0.01  # per cent missing, below which nothing is told apart
    axes.set_yscale("function", functions=(lambda a: -np.log(np.maximum(100 - a, least)), lambda v: 100 - np.exp(-v)))
    low, high = axes.get_ylim()

    def height(percent: float) -> float:
        return -float(np.log(max(100 - percent, least)))

    shown: list[float] = []
    for tick in (90, 99, 80, 99.9, 50, 95, 98, 70, 20, 97, 60, 85, 99.5, 93, 96, 40, 92, 94, 99.8, 0):  # dearest first
        apart = min((abs(height(tick) - height(other)) for other in shown), default=np.inf)
        if low <= tick <= high and apart > 0.06 * (height(high) - height(low)):
            shown.append(tick)
    axes.yaxis.set_major_locator(FixedLocator(shown) if len(shown) > 2 else MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def legend_below(drawn: Figure) -> None:
    """One for all panels, below them, where it hides no line; none for a single line."""
    found: dict[str, Artist] = {}
    for axes in drawn.axes:
        found |= {label: line for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    if len(found) > 1:
        wide = 0.9 + 0.09 * max(map(len, found))  # inches that an entry takes: its line and its letters
        most = max(1, min(5, int(drawn.get_figwidth() / wide)))
        columns = -(-len(found) // -(-len(found) // most))  # as few rows as there have to be, about equally long
        drawn.legend(
            found.values(), found.keys(), loc="outside lower center", ncols=columns, frameon=False, handlelength=4
        )


def check_format(path: Path) -> None:
    """Raises UsageError for a file name that says no known format."""
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path} is not a picture's name; end it in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")


def save(drawn: Figure, path: Path) -> Path:
    """Write a figure, whole or not at all. Raises UsageError for a format or a place that it cannot be written to."""
    check_format(path)
    data = BytesIO()
    drawn.savefig(data, format=path.suffix[1:].lower(), dpi=150)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data.getvalue())
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); choose another place.") from None
    return path
