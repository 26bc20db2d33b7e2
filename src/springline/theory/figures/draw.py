"""Pictures of figures, readable in grey and without telling colours apart.

Maps use cividis, whose lightness grows with the value, with labelled contours; what diverges is hatched, the
minimum is a cross. Curves differ by dash, marker and lightness.
"""

from pathlib import Path
from typing import Any

import numpy as np

from springline.theory.figures.figure import Figure, Panel

_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
_MARKERS = ("o", "s", "^", "D", "v", "x")


def draw(figure: Figure, path: str | Path, dpi: int = 120) -> None:
    """Write the figure in the format of the path's ending.

    The Agg backend is used for this picture alone; no global setting changes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    columns = figure.columns
    rows = -(-len(figure.panels) // columns)
    small = columns > 3
    size = (2.2 * columns, 2.0 * rows + 0.6) if small else (5.4 * columns, 4.2 * rows)
    canvas = Canvas(figsize=size, layout="constrained")
    FigureCanvasAgg(canvas)
    for k, panel in enumerate(figure.panels):
        axes = canvas.add_subplot(rows, columns, k + 1)
        axes.set_title(panel.title, fontsize=8 if small else 10)
        axes.tick_params(labelsize=6 if small else 8)
        if not small or k // columns == rows - 1:
            axes.set_xlabel(panel.x.label, fontsize=7 if small else 9)
        if panel.x.log:
            axes.set_xscale("log")
        if panel.y is None:
            _curves(axes, panel)
        else:
            if not small or k % columns == 0:
                axes.set_ylabel(panel.y.label, fontsize=7 if small else 9)
            _map(axes, panel, canvas, small)
    canvas.suptitle(f"{figure.title} ({figure.name})", fontsize=11)
    canvas.savefig(path, dpi=dpi, metadata={"Software": None} if str(path).endswith(".png") else None)


def _map(axes: Any, panel: Panel, canvas: Any, small: bool) -> None:
    assert panel.y is not None
    if panel.y.log:
        axes.set_yscale("log")
    x, y, z = panel.x.values, panel.y.values, panel.values
    bad = ~np.isfinite(z) | (z >= (np.inf if panel.limit is None else panel.limit))
    good = np.where(bad, np.nan, z)
    axes.set_facecolor("0.92")
    if not bad.all():
        low, high = panel.span or (None, None)
        shown = np.ma.masked_invalid(good if panel.span is None else np.clip(good, low, high))
        picture = axes.pcolormesh(x, y, shown, cmap="cividis", vmin=low, vmax=high, shading="nearest")
        bar = canvas.colorbar(picture, ax=axes)
        bar.ax.tick_params(labelsize=6 if small else 8)
        if not small:
            bar.set_label(panel.value + ("; hatched: diverges" if bad.any() else ""), fontsize=9)
            lines = axes.contour(x, y, shown, levels=6, colors="white", linewidths=0.7)
            axes.clabel(lines, fontsize=7)
    if bad.any():
        axes.contourf(x, y, bad.astype(float), levels=[0.5, 1.5], colors=["0.85"], hatches=["///"])
        if not bad.all():
            axes.contour(x, y, bad.astype(float), levels=[0.5], colors="black", linewidths=1.0)
    for line, dash in zip(panel.lines, _DASHES, strict=False):
        axes.plot(line.x, line.y, color="black", linestyle=dash, label=line.label)
    least = panel.minimum
    if least is not None and not small:
        label = f"minimum {least['minimum']:.3g}"
        at = least[panel.x.label], least[panel.y.label]
        axes.plot(*at, marker="X", color="white", markeredgecolor="black", markersize=9, linestyle="none", label=label)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8, loc="upper right")
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])


def _curves(axes: Any, panel: Panel) -> None:
    from matplotlib import colormaps

    axes.set_ylabel(panel.value, fontsize=9)
    if panel.log:
        axes.set_yscale("log")
    shades = colormaps["cividis"](np.linspace(0.0, 0.8, max(len(panel.lines), 2)))
    for k, line in enumerate(panel.lines):
        axes.plot(
            line.x,
            line.y,
            color=shades[k],
            linestyle=_DASHES[k % len(_DASHES)],
            marker=_MARKERS[k % len(_MARKERS)],
            markevery=max(len(line.x) // 8, 1),
            markersize=4,
            label=line.label,
        )
    if panel.limit is not None:
        low, high = axes.get_ylim()
        axes.set_ylim(low, max(high, panel.limit * 1.05))
        axes.axhspan(panel.limit, axes.get_ylim()[1], facecolor="0.9", edgecolor="0.5", hatch="///", label="diverges")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
