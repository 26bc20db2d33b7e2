"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from springline import __version__
from springline.cli import (
    advise,
    compare,
    data,
    gauntlet,
    launch,
    lists,
    membership,
    plot,
    reproduce,
    theory,
    train,
    watch,
)
from springline.cli.options import Debug

app = typer.Typer(
    name="springline",
    help="Train PyTorch models on workers that fail, stall, lag and come back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (train, launch, membership, watch, compare, gauntlet, plot, lists, data, advise, theory, reproduce):
    group.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"springline {__version__}")
        raise typer.Exit


@app.callback()
def springline(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", callback=_version, is_eager=True)
    ] = False,
    debug: Debug = False,
) -> None:
    """Train PyTorch models on workers that fail, stall, lag and come back."""
