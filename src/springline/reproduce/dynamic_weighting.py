"""The figures of the dynamic-weighting paper: MNIST, a third of all exchanges dropped.

Figure 3  test accuracy of EAHES over rounds, for five shares of data that all workers have
Figure 4  test accuracy of the paper's six methods and of `geahes-o`: a row for N = 4 and 8, a column for τ = 1, 2, 4
Figure 5  their training loss, arranged alike, from the same runs

Reference: Xu & Carr, A Dynamic Weighting Strategy to Mitigate Worker Node Failure in Distributed Deep Learning, 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from springline.config import RunConfig
from springline.report.curves import Curve, panel
from springline.report.style import figure, legend_below, save
from springline.reproduce.claims import claims
from springline.reproduce.experiment import Experiment, Label, Trial
from springline.reproduce.results import Result
from springline.reproduce.tables import chosen, distinct, markdown

METHODS = ("easgd", "eamsgd", "eahes", "eahes-o", "eahes-om", "deahes-o", "geahes-o")
WORKERS, PERIODS = (4, 8), (1, 2, 4)
OVERLAPS = (0.0, 0.125, 0.25, 0.375, 0.5)
ROUNDS = {1: 500, 2: 250, 4: 125}  # by τ: as many local steps each
FAULT, POINTS = "drop:0.333", 10


def trials(quick: bool) -> list[Trial]:
    """Seed by seed, long runs first, so that no core is left with one. Quick: one seed, a tenth of the rounds, half
    the points of a curve.
    """
    found = []
    for seed in range(1 if quick else 3):
        for overlap in OVERLAPS:
            labels: dict[str, Label] = {
                "figure": "3",
                "method": "eahes",
                "workers": 4,
                "tau": 1,
                "overlap": overlap,
                "seed": seed,
            }
            found.append(_trial(labels, {"overlap": overlap}, quick))
        for workers in sorted(WORKERS, reverse=True):
            for method in METHODS:
                for tau in PERIODS:
                    labels = {"figure": "4 and 5", "method": method, "workers": workers, "tau": tau, "seed": seed}
                    found.append(_trial(labels, {}, quick))
    return found


def _trial(labels: dict[str, Label], knobs: dict[str, float], quick: bool) -> Trial:
    method, tau = str(labels["method"]), int(labels["tau"])
    rounds = ROUNDS[tau] // (10 if quick else 1)
    return Trial(
        labels,
        RunConfig(
            task="mnist",
            method=method,
            knobs=dict(knobs),
            workers=int(labels["workers"]),
            tau=tau,
            rounds=rounds,
            eval_every=max(1, rounds // (POINTS // 2 if quick else POINTS)),
            faults=[FAULT],
            seed=int(labels["seed"]),
            compiled=True,
            threads=1,
        ),
    )


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """The figures for which there are results, a table of the ends, and the paper's claims with the numbers."""
    overlaps = [r for r in results if r.labels["figure"] == "3" and r.error is None]
    grid = [r for r in results if r.labels["figure"] == "4 and 5" and r.error is None]
    made = []
    if overlaps:
        made.append(_figure_3(overlaps, folder / "figure-3.png"))
        made.append(_ends(overlaps, "overlap", folder / "figure-3.md"))
    if grid:
        made.append(_grid(grid, "test_accuracy", folder / "figure-4.png"))
        made.append(_grid(grid, "train_loss", folder / "figure-5.png"))
        made.append(_ends(grid, "method", folder / "figure-4.md"))
        made.append(claims(grid, overlaps, folder / "claims.md"))
    return made


def curve(results: Sequence[Result], label: str, metric: str) -> Curve:
    """The mean of a metric over the seeds, where all of them know it."""
    rounds = [point["round"] for point in results[0].curve]
    return Curve(label, rounds, [[point[metric] for point in r.curve] for r in results])


def _figure_3(results: Sequence[Result], path: Path) -> Path:
    drawn = figure(6.4, 4.2)
    lines = [
        curve(chosen(results, overlap=o), f"{100 * o:g} % overlap", "test_accuracy")
        for o in distinct(results, "overlap")
    ]
    axes = drawn.add_subplot()
    panel(axes, "test_accuracy", lines)
    axes.set_title("EAHES, 4 workers, τ = 1, a third of the exchanges dropped", fontsize=10)
    legend_below(drawn)
    return save(drawn, path)


def _grid(results: Sequence[Result], metric: str, path: Path) -> Path:
    """A row per number of workers, a column per period."""
    workers, periods = sorted(distinct(results, "workers")), sorted(distinct(results, "tau"))
    drawn = figure(3.9 * len(periods), 3.0 * len(workers))
    cells = drawn.subplots(len(workers), len(periods), squeeze=False)
    for i, n in enumerate(workers):
        for j, tau in enumerate(periods):
            here = chosen(results, workers=n, tau=tau)
            lines = [curve(chosen(here, method=m), m, metric) for m in distinct(here, "method")]
            panel(cells[i][j], metric, lines)
            cells[i][j].set_title(f"{n} workers, τ = {tau}", fontsize=10)
    legend_below(drawn)
    return save(drawn, path)


def _ends(results: Sequence[Result], row: str, path: Path) -> Path:
    """Final test accuracy, mean ± std (runs), a column per (N, τ)."""
    columns = sorted({(r.labels["workers"], r.labels["tau"]) for r in results})
    found = {
        (str(name), f"N = {n}, τ = {tau}"): [
            100 * r.accuracy for r in results if (r.labels[row], r.labels["workers"], r.labels["tau"]) == (name, n, tau)
        ]
        for name in distinct(results, row)
        for n, tau in columns
    }
    return markdown(row, found, path, "Test accuracy of the center at the end (%), mean ± standard deviation (runs).")


def _of(figure: str) -> Callable[[dict[str, Label]], bool]:
    return lambda labels: figure in str(labels["figure"]).split(" and ")


DYNAMIC_WEIGHTING = Experiment(
    "dynamic-weighting",
    "dynamic weighting's figures 3, 4 and 5: overlap, and seven methods with a third of the exchanges dropped",
    trials,
    draw,
    figures={figure: _of(figure) for figure in ("3", "4", "5")},
)
