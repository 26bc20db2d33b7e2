"""DANA's comparison: final test error over the number of workers, at a scale that two cores finish.

The paper trains residual networks on CIFAR for 160 epochs. Here it is the MNIST network (21,840 parameters, no batch
normalisation), batch 64, five passes over the training data, η = 0.005, γ = 0.9, no decay, and no warm-up but in runs
of their own: the paper's, of 5 epochs in 160, would be over after an eighth of a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from springline.config import RunConfig
from springline.reproduce.experiment import Experiment, Label, Trial
from springline.reproduce.printed import printed_table
from springline.reproduce.results import Result
from springline.reproduce.tables import chosen, error_over, errors, markdown, write_table

UPDATES = 5 * 60_000 // 64  # gradients applied by the center: five passes, whatever N
WORKERS = (4, 8, 16, 24, 32)
ALGORITHMS = ("asgd", "nag-asgd", "multi-asgd", "dana", "ssgd", "dc-asgd")
PACES = ("round-robin", "block-random", "gamma")
ETA, GAMMA, LAMBDA = 0.005, 0.9, 0.04
WARM, WARM_UP, MANY = ("nag-asgd", "multi-asgd", "dana"), "warmup:1e", (16, 24, 32)
PRINTED = {"round-robin": 3, "block-random": 4}  # the paper's tables of ResNet-20 on CIFAR-10, to stand beside ours


def knobs(algorithm: str, workers: int, eta: float = ETA) -> dict[str, float]:
    """One worker's η and γ for everybody, as in the paper; ASGD and DC-ASGD have no momentum.

    A synchronous round of N gradients is one update with N times the batch, so SSGD steps N times as far (the linear
    scaling rule), or it would make N times less of the same gradients.
    """
    return {
        "asgd": {"lr": eta},
        "dc-asgd": {"lr": eta, "lam": LAMBDA},
        "ssgd": {"lr": eta * workers, "momentum": GAMMA},
    }.get(algorithm, {"lr": eta, "momentum": GAMMA})


def trials(quick: bool) -> list[Trial]:
    """Seed by seed. Quick: one seed, one pace and two N."""
    found = []
    for seed in range(1 if quick else 2):
        found.append(_trial("baseline", "msgd", "round-robin", 1, {"lr": ETA, "momentum": GAMMA}, seed))
        for pace in ("block-random",) if quick else PACES:
            for workers in (8, 16) if quick else WORKERS:
                found += [_trial(a, a, pace, workers, knobs(a, workers), seed) for a in ALGORITHMS]
        for workers in () if quick else MANY:
            found += [_trial(a, a, "round-robin", workers, knobs(a, workers), seed, WARM_UP) for a in WARM]
    return found


def _trial(
    label: str, method: str, pace: str, workers: int, knobs: dict[str, float], seed: int, schedule: str = ""
) -> Trial:
    rounds = UPDATES // workers
    labels: dict[str, Label] = {"algorithm": label, "pace": pace, "workers": workers, "seed": seed}
    return Trial(
        labels | ({"schedule": schedule} if schedule else {}),
        RunConfig(
            task="mnist",
            method=method,
            knobs=dict(knobs),
            workers=workers,
            rounds=rounds,
            eval_every=max(1, rounds // 10),
            pace="gamma:batch=64" if pace == "gamma" else pace,
            seed=seed,
            schedule=schedule,
            threads=1,
        ),
    )


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """A table and a picture for each pace; a table of what a warm-up changes."""
    made = []
    cold, warm = ([r for r in results if ("schedule" in r.labels) == begins_low] for begins_low in (False, True))
    if warm:
        made.append(_warmed(cold, warm, folder / "warm-up.md"))
    results = cold
    for pace in PACES:
        here = chosen(results, pace=pace)
        if len({r.labels["workers"] for r in here}) < 2:
            continue
        baseline = chosen(results, algorithm="baseline")
        rest = [r for r in here if r.labels["algorithm"] != "baseline"]
        title = f"MNIST network, {pace}, five passes, η = {ETA}, γ = {GAMMA}"
        made.append(error_over("workers", "algorithm", rest, baseline, title, folder / f"error-{pace}.png"))
        theirs = printed_table(PRINTED[pace]) if pace in PRINTED else []
        made.append(write_table("algorithm", "workers", [*baseline, *rest], folder / f"error-{pace}.md", theirs))
    return made


def _warmed(cold: Sequence[Result], warm: Sequence[Result], path: Path) -> Path:
    found = {
        (f"{algorithm}, {how}", f"workers {n}"): errors(runs, algorithm=algorithm, pace="round-robin", workers=n)
        for algorithm in WARM
        for how, runs in (("η from the beginning", cold), ("from η/N, over one pass", warm))
        for n in MANY
    }
    return markdown("algorithm", found, path, "Final test error (%), round-robin.")


DANA = Experiment("dana", "DANA: test error over the number of workers", trials, draw)
