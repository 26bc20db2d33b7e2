"""`springline join`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from springline.cli import options as o
from springline.cli.screen import Screen


def add_to(app: typer.Typer) -> None:
    app.command()(join)


def join(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a running run.")],
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Add a worker to RUN; it starts from the center. A SIGTERM to a worker's process lets it leave."""
    from springline.engines.real import ask

    screen = Screen(as_json)
    worker = ask.join(run)
    screen.say(f"worker {worker} joins the run in {run}; see it by `springline status {run}`")
    screen.result({"joined": worker})
