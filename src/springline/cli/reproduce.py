"""`springline reproduce`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from springline.cli import options as o
from springline.cli.experiments import carry_out
from springline.cli.screen import Screen
from springline.errors import UsageError, unknown

if TYPE_CHECKING:
    from springline.reproduce import Trial


def add_to(app: typer.Typer) -> None:
    app.command()(reproduce)


def reproduce(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Left out: list them.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Fewer runs: the same picture, with less certainty.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="LABEL=A,B", help="Make only the trials with one of these labels; repeatable."),
    ] = None,
    figure: Annotated[str | None, typer.Option(help="Make only what this figure of the paper is drawn from.")] = None,
    draw: Annotated[
        bool, typer.Option("--draw", help="Make no runs: draw what the results show that there are.")
    ] = False,
    folder: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where results and figures are kept.")] = Path(
        "experiments"
    ),
    jobs: o.Jobs = None,
    debug: o.Debug = False,
) -> None:
    """Make what is missing of a paper's experiment, and draw its figures and tables from the results.

    Interrupted at any point, the same command goes on where it stopped.
    """
    from springline.reproduce import EXPERIMENTS

    screen = Screen(False)
    if not experiment:
        for known in EXPERIMENTS.values():
            screen.say(f"{known.name:20} {len(known.trials(False)):4} runs   {known.title}")
        return
    if experiment not in EXPERIMENTS:
        raise unknown("experiment", experiment, list(EXPERIMENTS))
    chosen = EXPERIMENTS[experiment]
    wanted: list[Callable[[Trial], bool]] = [_Only(text, chosen.trials(quick)) for text in only or ()]
    if figure is not None:
        if figure not in chosen.figures:
            raise unknown("figure", figure, list(chosen.figures), f" of {chosen.name}")
        drawn_from = chosen.figures[figure]
        wanted.append(lambda trial: drawn_from(trial.labels))
    every = chosen.trials(quick)
    if draw and wanted:
        raise UsageError("--draw shows all results that there are; leave out --only and --figure.")
    asked = [] if draw else [t for t in every if all(w(t) for w in wanted)]
    if not asked and not draw:
        raise UsageError(f"no trial of {chosen.name} is what --only and --figure ask for together; ask for less.")
    carry_out(screen, chosen, asked, folder, jobs, whole=every)


class _Only:
    """A --only flag as a predicate of trials."""

    def __init__(self, text: str, trials: list[Trial]) -> None:
        self.name, equals, values = text.partition("=")
        self.values = set(values.split(","))
        known: dict[str, set[str]] = {}
        for trial in trials:
            for label, value in trial.labels.items():
                known.setdefault(label, set()).add(str(value))
        if not equals or self.name not in known:
            raise UsageError(f"--only {text}: write LABEL=VALUE with one of the labels {', '.join(known)}.")
        if missing := self.values - known[self.name]:
            raise UsageError(f"--only {text}: no trial has {self.name}={', '.join(sorted(missing))}; "
                             f"there are {', '.join(sorted(known[self.name]))}.")  # fmt: skip

    def __call__(self, trial: Trial) -> bool:
        return str(trial.labels.get(self.name, "")) in self.values
