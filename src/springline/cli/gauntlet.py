"""`springline gauntlet`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from springline.cli import options as o
from springline.cli.experiments import carry_out
from springline.cli.screen import Screen
from springline.errors import UsageError


def add_to(app: typer.Typer) -> None:
    app.command()(gauntlet)


def gauntlet(
    task: o.TaskName,
    methods: o.Methods = "eahes-o,eahes-om,deahes-o,geahes-o",
    seeds: Annotated[int, typer.Option(help="Runs per method and failure, with seeds 0, 1, ….")] = 3,
    failures: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Only these (default: all; `list` lists them)."),
    ] = None,
    workers: o.Workers = 4,
    tau: o.Tau = 1,
    rounds: o.Rounds = 300,
    batch_size: o.BatchSize = 64,
    alpha: o.Alpha = None,
    lr: o.Rate = None,
    overlap: o.Overlap = None,
    pull_after: o.PullAfter = None,
    knob: o.Knobs = None,
    folder: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where results, table and heat map go.")] = Path(
        "runs"
    ),
    jobs: o.Jobs = None,
    compiled: o.Compiled = False,
    debug: o.Debug = False,
) -> None:
    """Send methods through every way to fail, all under the same failures: a table and a heat map.

    Interrupted at any point, the same command goes on where it stopped.
    """
    from springline.reproduce.experiment import Experiment
    from springline.reproduce.gauntlet import FAILURES, draw, gauntlet_trials
    from springline.setup import rebuild
    from springline.tasks import load_task

    screen = Screen(False)
    if failures == "list":
        for name, flags in FAILURES.items():
            screen.say(f"{name:26} {' '.join(flags)}")
        return
    trials = gauntlet_trials(
        task,
        o.names(methods),
        seeds=seeds,
        failures=tuple(FAILURES) if failures is None else o.names(failures),
        workers=workers,
        tau=tau,
        rounds=rounds,
        batch_size=batch_size,
        compiled=compiled,
        knobs=o.knobs(knob, alpha, lr, overlap, pull_after),
    )
    loaded = load_task(task, say=screen.say)
    if loaded.metrics is None or loaded.test is None:
        raise UsageError(
            f"task {task} has no test accuracy, which is what a gauntlet compares; choose a classification."
        )
    for trial in trials[: len(trials) // seeds]:
        rebuild(trial.config, loaded)
    carry_out(screen, Experiment(f"gauntlet-{task}", "", lambda _: trials, draw), trials, folder, jobs)
