"""`springline plot`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from springline.cli import options as o
from springline.cli.screen import Screen
from springline.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def add_to(app: typer.Typer) -> None:
    app.command()(plot)


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folders of runs, or of one comparison.")],
    out: o.Picture = None,
    debug: o.Debug = False,
) -> None:
    """Draw runs: the center's curves, and for a single run each worker's distance, weights and lost exchanges.

    The picture goes to RUN/plot.png for one run, to plot.png for several. Unfinished runs are drawn as far as they got.
    """
    from springline.comparison import is_comparison, load_comparison
    from springline.comparison.settings import PICTURE
    from springline.report.style import check_format, save

    if out is not None:
        check_format(out)
    if len(runs) == 1 and is_comparison(runs[0]):
        comparison = load_comparison(runs[0])
        if not any(entry.drawn for entry in comparison.entries):
            raise UsageError(f"{runs[0]} has no finished round yet; wait for one, or go on with the same comparison.")
        path = comparison.save_picture(out or runs[0] / PICTURE)
    else:
        figure = _one(runs[0]) if len(runs) == 1 else _several(runs)
        path = save(figure, out or (runs[0] / "plot.png" if len(runs) == 1 else Path("plot.png")))
    Screen().say(f"picture: {path}")


def _rows(run: Path) -> tuple[str, list[dict[str, Any]]]:
    """(what it was, its rows)."""
    from springline.config import RunConfig
    from springline.folder import RunFolder

    files = RunFolder(run)
    config = RunConfig.read(files.read_config(), str(files.config))
    rows = files.read_metrics()
    if not rows:
        raise UsageError(f"{run} has no finished round yet; wait for one, or go on with `springline resume {run}`.")
    faults = ", ".join(config.faults) or "no faults"
    return f"{config.task}, {config.method}, {config.workers} workers, τ = {config.tau}, {faults}", rows


def _one(run: Path) -> Figure:
    from springline.report.workers import draw_run

    title, rows = _rows(run)
    return draw_run(rows, title=title)


def _several(runs: list[Path]) -> Figure:
    from springline.report.curves import curve_of, draw_curves

    found = {str(run): _rows(run)[1] for run in runs}
    names = ("test_accuracy", "train_loss")
    return draw_curves({n: [curve_of(label, rows, n) for label, rows in found.items()] for n in names}, title="")
