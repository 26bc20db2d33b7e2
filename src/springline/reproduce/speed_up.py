"""DANA's Figure 5: how much faster N workers are than one, by computing time alone.

    speed-up = (gradients applied × mean time of one gradient) / virtual time

Asynchronous workers never wait; a synchronous round lasts as long as its slowest worker. Step times are drawn from a
gamma distribution, the same for everybody (coefficient 0.1) or each worker with its own mean (0.6), and what is trained
does not matter: a quadratic in one dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from springline.config import RunConfig
from springline.report.style import figure, label, legend_below, save, style
from springline.reproduce.experiment import Experiment, Trial
from springline.reproduce.results import Result
from springline.reproduce.tables import chosen, distinct, markdown, spread

WORKERS, ROUNDS = (1, 4, 8, 16, 24, 32, 48, 64), 100
PACES = {"homogeneous": "gamma:batch=128", "heterogeneous": "gamma-heterogeneous:batch=128"}
# SSGD would go on without whoever takes three times as long as the first; here it waits for everybody
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "asynchronous": ("asgd", {}),
    "synchronous": ("ssgd", {"deadline": 1e9}),
}
BATCH = 128.0  # units of time that a step takes in the mean


def trials(quick: bool) -> list[Trial]:
    return [
        Trial(
            {"training": training, "machines": machines, "workers": n, "seed": seed},
            RunConfig(
                task="quadratic",
                method=method,
                knobs={"lr": 1e-4} | knobs,
                workers=n,
                rounds=ROUNDS,
                batch_size=1,
                eval_every=ROUNDS,
                pace=PACES[machines],
                seed=seed,
                threads=1,
            ),
        )
        for seed in range(1 if quick else 5)
        for machines in PACES
        for training, (method, knobs) in METHODS.items()
        for n in WORKERS
    ]


def speed_up(result: Result) -> float:
    return float(result.last["exchanges_made"] * BATCH / result.last["time"])


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """A line per kind of training and of machines, over N; and a table."""
    drawn = figure(6.0, 4.2)
    axes = drawn.add_subplot()
    table = {}
    for i, (machines, training) in enumerate((m, t) for m in PACES for t in METHODS):
        name = f"{training}, {machines}"
        points = []
        for n in sorted(distinct(results, "workers")):
            values = [speed_up(r) for r in chosen(results, machines=machines, training=training, workers=n)]
            if values:
                table[name, f"N = {n}"] = values
                points.append((n, *spread(values)))
        if points:
            at, middle, std = zip(*points, strict=True)
            look = style(i)
            axes.errorbar(at, middle, yerr=std, label=name, color=look.colour, linestyle=look.dash,
                          marker=look.marker, capsize=3)  # fmt: skip
    axes.plot(WORKERS, WORKERS, color="0.7", linewidth=1, label="N")
    label(axes, "workers N", "speed-up over one worker")
    legend_below(drawn)
    caption = "Speed-up over one worker by computing time alone, mean ± standard deviation (runs)."
    return [save(drawn, folder / "speed-up.png"), markdown("training", table, folder / "speed-up.md", caption)]


DANA_SPEED_UP = Experiment("dana-speed-up", "DANA's figure 5: speed-up by computing time alone", trials, draw)
