"""The runs that the guide on stability shows: eight workers on MNIST inside and outside the stable range."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from springline.config import RunConfig
from springline.reproduce.experiment import Experiment, Trial
from springline.reproduce.results import Result
from springline.reproduce.tables import markdown

RUNS = (("nag-asgd", 0.02), ("nag-asgd", 0.001749), ("dana", 0.0047))  # (method, η)


def trials(quick: bool) -> list[Trial]:
    return [
        Trial(
            {"method": method, "lr": eta},
            RunConfig(
                task="mnist", method=method, knobs={"lr": eta}, workers=8, rounds=60, eval_every=60, threads=1
            ),
        )
        for method, eta in RUNS
    ]  # fmt: skip


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    found = {(f"{r.labels['method']}, η = {r.labels['lr']}", "test accuracy (%)"): [100 * r.accuracy] for r in results}
    return [markdown("run", found, folder / "stability.md")]


STABILITY = Experiment(
    "stability", "the guide's example: eight workers inside and outside the stable range", trials, draw
)
