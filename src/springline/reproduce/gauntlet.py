"""The gauntlet: every way to fail × every method, under the same failures, batches and initial weights.

Asked of each pair: the center's test accuracy at the end (mean, deviation, worst seed), and after how many rounds it
reached 95 % of what the same method reaches when nothing fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from springline.config import RunConfig
from springline.errors import UsageError, unknown
from springline.methods import method, name_and_knobs
from springline.reproduce.experiment import Experiment, Trial
from springline.reproduce.heat import heat_map, write_gauntlet
from springline.reproduce.results import Result
from springline.reproduce.shortfall import write_shortfall
from springline.reproduce.tables import chosen, distinct, settings

HALF = "{half}"  # the numbers of the first half of the workers, as worker= takes them

# Each takes about a third of somebody's exchanges, or does a damage that one exchange in twenty can do.
FAILURES: dict[str, tuple[str, ...]] = {
    "none": (),
    "drop": ("drop:0.333",),
    "outage-short": ("outage:up=20,down=10",),
    "outage-long": ("outage:up=80,down=40",),
    "outage-short-computing": ("outage:up=20,down=10,compute=true",),
    "outage-long-computing": ("outage:up=80,down=40,compute=true",),
    "crash-stale": ("crash:mtbf=40,down=20,rejoin=stale",),
    "crash-initial": ("crash:mtbf=40,down=20,rejoin=initial",),
    "crash-center": ("crash:mtbf=40,down=20,rejoin=center",),
    "slow-one": ("slow:4,worker=0",),
    "slow-half": (f"slow:4,worker={HALF}",),
    "corrupt-nan": ("corrupt:nan,rate=0.05",),
    "corrupt-scale": ("corrupt:scale,rate=0.05,by=10",),
    "corrupt-sign": ("corrupt:sign,rate=0.05",),
    "lost-reply": ("lost-reply:0.2",),
    "mixture-spot": ("crash:mtbf=60,down=20,rejoin=initial", "outage:up=40,down=20,compute=true"),
    "mixture-network": ("drop:0.2", "lost-reply:0.1", "corrupt:sign,rate=0.03"),
    "mixture-all": (
        "crash:mtbf=80,down=20,rejoin=initial", "outage:up=60,down=20,compute=true", "slow:4,worker=0",
        "drop:0.1", "corrupt:nan,rate=0.02", "corrupt:scale,rate=0.02,by=10",
    ),
}  # fmt: skip
SHARE = 0.95  # of the fault-free accuracy, which counts as having arrived
GUARDED = "geahes-o"
METHODS = ("eahes-o", "eahes-om", "deahes-o", GUARDED)
# What experiments/gauntlet holds for each data set: seeds, N, τ, rounds, failures.
RECORDED: tuple[tuple[int, int, int, int, tuple[str, ...]], ...] = (
    (3, 4, 1, 300, tuple(FAILURES)),
    (1, 4, 4, 100, tuple(FAILURES)),
    (1, 8, 1, 200, tuple(FAILURES)),
    (1, 8, 4, 100, tuple(FAILURES)),
    # which one seed does not decide
    (3, 4, 4, 100, ("mixture-all", "crash-center")),
    (3, 8, 1, 200, ("crash-center",)),
    (3, 8, 4, 100, ("crash-center",)),
)


def flags(failure: str, workers: int) -> list[str]:
    """The fault flags of a failure among so many workers. Raises UsageError for one that is not in `FAILURES`."""
    if failure not in FAILURES:
        raise unknown("failure", failure, list(FAILURES))
    half = "+".join(map(str, range(max(1, workers // 2))))
    return [flag.replace(HALF, half) for flag in FAILURES[failure]]


def gauntlet_trials(
    task: str,
    methods: Sequence[str],
    *,
    seeds: int = 3,
    failures: Sequence[str] = tuple(FAILURES),
    workers: int = 4,
    tau: int = 1,
    rounds: int = 300,
    batch_size: int = 64,
    compiled: bool = False,
    knobs: dict[str, Any] | None = None,
) -> list[Trial]:
    """Seed by seed. methods: names, each with knobs if need be: "geahes-o:q1=8".  failures: names of `FAILURES`; a
    method without failures is always among them, as what the others are measured by.  knobs: to turn in every method
    that does not turn them itself.
    """
    if seeds < 1:
        raise UsageError(f"seeds={seeds} is less than 1; it is the number of runs of each method under each failure.")
    if not methods:
        raise UsageError("there are no methods to compare; name at least one, for example easgd,geahes-o.")
    if not failures:
        raise UsageError("there are no failures to go through; name some, for example drop,crash-stale.")
    named: dict[str, tuple[str, dict[str, Any]]] = {}
    for label in methods:
        name, own = name_and_knobs(label)
        named[label] = name, (knobs or {}) | own
    for name, turned in named.values():  # whatever is wrong with one is said before any begins
        method(name, **turned)
    wanted = list(dict.fromkeys(["none", *failures]))
    configs = {
        (failure, label): RunConfig(
            task=task,
            method=name,
            knobs=turned,
            workers=workers,
            tau=tau,
            rounds=rounds,
            batch_size=batch_size,
            eval_every=max(1, rounds // 15),
            faults=flags(failure, workers),
            compiled=compiled,
            threads=1,
        )
        for failure in wanted
        for label, (name, turned) in named.items()
    }
    return [
        Trial(
            {"task": task, "workers": workers, "tau": tau, "failure": failure, "method": label, "seed": seed},
            config.model_copy(update={"seed": seed}),
        )
        for seed in range(seeds)
        for (failure, label), config in configs.items()
    ]


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """A heat map and a table for each task, number of workers and period; how near guarded weights are to the best."""
    made = []
    for task, workers, tau in settings(results):
        runs = chosen(results, task=task, workers=workers, tau=tau)
        name = f"{task}-{workers}-workers-tau-{tau}".replace(":", ",").replace("/", "-")
        title = f"{task}, {workers} workers, τ = {tau}, {runs[0].config['rounds']} rounds"
        made.append(heat_map(runs, title, folder / f"{name}.png"))
        made.append(write_gauntlet(runs, SHARE, title, folder / f"{name}.md"))
    if GUARDED in distinct(results, "method") and len(distinct(results, "method")) > 1:
        made.append(write_shortfall(results, GUARDED, folder / "guarded.md"))
    return made


def recorded(quick: bool) -> list[Trial]:
    """What experiments/gauntlet holds."""
    found: list[Trial] = []
    for task in ("mnist", "fashion-mnist"):
        for seeds, workers, tau, rounds, failures in RECORDED:
            found += gauntlet_trials(
                task,
                METHODS,
                seeds=1 if quick else seeds,
                failures=failures,
                workers=workers,
                tau=tau,
                rounds=rounds,
                compiled=True,  # the four are AdaHessian's, whose step it makes faster
            )
    return list({tuple(trial.labels.values()): trial for trial in found}.values())


GAUNTLET = Experiment("gauntlet", "every way to fail, four weightings, on MNIST and Fashion-MNIST", recorded, draw)
