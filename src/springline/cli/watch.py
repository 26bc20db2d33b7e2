"""`springline status` and `springline watch`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from springline.cli import options as o
from springline.cli.screen import Screen

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]


def add_to(app: typer.Typer) -> None:
    app.command()(status)
    app.command()(watch)


def status(run: Run, as_json: o.Json = False, debug: o.Debug = False) -> None:
    """Show RUN as it is now, worker by worker: who computes, is silent or dead, how fast, how far from the center."""
    from springline.files import finite
    from springline.watching import Watcher
    from springline.watching.lines import table

    screen = Screen(as_json)
    view = Watcher(run).look()
    if as_json:
        screen.result(finite(view))
    else:
        screen.show(table(view))


def watch(
    run: Run,
    every: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, help="Time between two looks (default: 1; 5 where output is piped)."),
    ] = None,
    debug: o.Debug = False,
) -> None:
    """Show RUN as it goes on, until it ends or Ctrl-C, which leaves it alone. Piped, a line now and then."""
    from rich.live import Live

    from springline.watching import Watcher
    from springline.watching.lines import line, table

    screen, watcher = Screen(), Watcher(run)
    view = watcher.look()
    if not screen.console.is_terminal:
        screen.say(line(view))
        while view["state"] == "running":
            time.sleep(every or 5.0)
            view = watcher.look()
            screen.say(line(view))
        return
    with Live(table(view), console=screen.console, auto_refresh=False) as live:
        while view["state"] == "running":
            time.sleep(every or 1.0)
            view = watcher.look()
            live.update(table(view), refresh=True)
