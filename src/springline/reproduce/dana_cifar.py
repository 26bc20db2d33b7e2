"""DANA's Tables 3 to 8 in their own setting, for whoever has a GPU: for every cell that the paper prints, five runs.

Batch 128, γ = 0.9, η = 0.1, from η/N in five epochs of warm-up.
ResNet-20      160 epochs, η divided by 10 at epochs 80 and 120
WRN-16-4       200 epochs, η divided by 5 at epochs 60, 120 and 160

Not printed there, and taken from the networks' own papers: l2 regularisation of 1e-4 and 5e-4, WRN's 200 epochs.
Reference: DANA, section 5 and appendix.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from springline.config import RunConfig
from springline.reproduce.dana import knobs
from springline.reproduce.experiment import Experiment, Trial
from springline.reproduce.printed import Printed, printed, printed_table
from springline.reproduce.results import Result
from springline.reproduce.tables import chosen, distinct, write_table

SAMPLES, BATCH, ETA, SEEDS = 50_000, 128, 0.1, 5


class Training(NamedTuple):
    task: str  # the network's part of the task's name, and its l2
    epochs: int
    steps: str  # when η falls, and by how much


TRAININGS = {
    "ResNet-20": Training("resnet20:l2=0.0001", 160, "step:0.1@80e,120e"),
    "WRN-16-4": Training("wrn16-4:l2=0.0005", 200, "step:0.2@60e,120e,160e"),
}


def trials(quick: bool) -> list[Trial]:
    """Table by table; quick: one seed, a twentieth of the epochs."""
    return [_trial(cell, seed, quick) for cell in printed() for seed in range(1 if quick else SEEDS)]


def _trial(cell: Printed, seed: int, quick: bool) -> Trial:
    training, n = TRAININGS[cell.network], cell.workers
    epochs = training.epochs // (20 if quick else 1)
    rounds = epochs * SAMPLES // BATCH // n
    warm = "" if n == 1 else "warmup:5e+"
    return Trial(
        {"table": cell.table, "algorithm": cell.algorithm, "pace": cell.pace, "workers": n, "seed": seed},
        RunConfig(
            task=f"{cell.dataset.lower().replace('-', '')}-{training.task}",
            method=cell.algorithm,
            knobs=dict(knobs(cell.algorithm, n, ETA)),
            schedule=warm + training.steps,
            workers=n,
            rounds=rounds,
            batch_size=BATCH,
            eval_every=max(1, rounds // 16),
            pace=cell.pace,
            device="cuda",
            seed=seed,
        ),
    )


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Each table, ours above the paper's."""
    return [
        write_table("algorithm", "workers", chosen(results, table=n), folder / f"table-{n}.md", below=printed_table(n))
        for n in distinct(results, "table")
    ]


DANA_CIFAR = Experiment(
    "dana-cifar", "DANA's tables in their own setting: CIFAR, residual networks, a GPU", trials, draw
)
