"""Every method on MNIST: four workers, 300 rounds, without failures and with a third of all exchanges lost.

Methods that are defined for one local step take τ = 1, the others τ = 4; one-worker methods make the same number of
local steps as four workers of τ = 1 together. Nothing is tuned: these are the defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from springline.config import RunConfig
from springline.methods import METHODS
from springline.report.style import figure, label, save, style, towards_all
from springline.reproduce.experiment import Experiment, Trial
from springline.reproduce.results import Result

WORKERS, ROUNDS = 4, 300
FAULTS = {"none": [], "a third lost": ["drop:0.333"]}


def trials(quick: bool) -> list[Trial]:
    return [
        _trial(name, faults, seed) for seed in range(1 if quick else 2) for name in METHODS for faults in _faults(name)
    ]


def _faults(name: str) -> list[str]:
    """One worker alone exchanges with nobody."""
    return ["none"] if METHODS[name].coupling.most_workers == 1 else [*FAULTS]


def _trial(name: str, faults: str, seed: int) -> Trial:
    coupling = METHODS[name].coupling
    workers = min(WORKERS, coupling.most_workers or WORKERS)
    tau = 1 if coupling.single_step or workers == 1 else 4
    rounds = ROUNDS * (WORKERS // workers) // (1 if coupling.single_step or workers == 1 else 4)
    return Trial(
        {"method": name, "faults": faults, "seed": seed},
        RunConfig(
            task="mnist",
            method=name,
            knobs=dict(coupling.examples),
            workers=workers,
            tau=tau,
            rounds=rounds,
            eval_every=max(1, rounds // 15),
            faults=FAULTS[faults],
            topology=f"tree:{WORKERS}" if coupling.topology == "tree" else "star",
            seed=seed,
            threads=1,
        ),
    )


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """A small picture per method: test accuracy of the center over the local steps of one worker."""
    made = []
    for name in METHODS:
        found = [r for r in results if r.labels["method"] == name]
        if not found:
            continue
        drawn = figure(5.2, 3.2)
        axes = drawn.add_subplot()
        for i, faults in enumerate(FAULTS):
            runs = [r for r in found if r.labels["faults"] == faults and r.error is None]
            if not runs:
                continue
            steps = [point["round"] * runs[0].config["tau"] for point in runs[0].curve]
            curves = [[100 * point["test_accuracy"] for point in r.curve] for r in runs]
            look = style(i)
            axes.plot(steps, [mean(c) for c in zip(*curves, strict=True)], label=faults, **look.of(len(steps)))
            axes.fill_between(
                steps, [min(c) for c in zip(*curves, strict=True)], [max(c) for c in zip(*curves, strict=True)],
                color=look.colour, alpha=0.2, linewidth=0,
            )  # fmt: skip
        axes.set_ylim(0, max(99, axes.dataLim.y1))  # its margin would take half the picture
        towards_all(axes)
        axes.set_title(f"{name}, MNIST", fontsize=9)
        label(axes, "local steps of a worker", "test accuracy (%)")
        axes.legend(fontsize=8, loc="lower right")
        made.append(save(drawn, folder / f"{name}.png"))
    return made


EVERY_METHOD = Experiment("methods", "every method on MNIST, with and without lost exchanges", trials, draw)
