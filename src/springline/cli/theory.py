"""`springline theory`: the figures of the theory, drawn or as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from springline.cli import options as o
from springline.cli.screen import Screen
from springline.errors import UsageError

GALLERY = Path("docs/theory")


def add_to(app: typer.Typer) -> None:
    app.command()(theory)


def theory(
    figure: Annotated[
        str | None, typer.Argument(metavar="[FIGURE]", help="A figure's name, or `all`; without one, list them.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="PATH", help="The picture (default: theory-FIGURE.png), or the folder of all figures."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the numbers behind the figure; a picture only with --out.")
    ] = False,
    debug: o.Debug = False,
) -> None:
    """Draw a figure of the theory: stability regions, rates and variances, computed from their equations.

    `springline theory all` draws every figure into docs/theory (or --out), with a page that shows them.
    """
    from springline.report.style import check_format
    from springline.theory.figures import FIGURES, compute, draw, gallery, to_json

    screen = Screen(as_json)
    if out is not None and figure != "all":
        check_format(out)
    if figure is None:
        from springline.report.tables import listing

        if out is not None or as_json:
            raise UsageError("--out and --json need a figure; name one, or `all`.")
        lines = [(name, " ".join((make.__doc__ or "").split())) for name, make in FIGURES.items()]
        screen.show(listing(("figure", "what it shows"), lines))
        screen.say(
            "Draw one: springline theory NAME; the numbers behind it: --json; all of them: springline theory all"
        )
        return
    if figure == "all":
        if as_json:
            raise UsageError("--json prints one figure; name it.")
        try:
            written = gallery(out or GALLERY, screen.say)
        except OSError as error:
            raise UsageError(
                f"{out or GALLERY} cannot be written to ({error.strerror}); choose another folder."
            ) from None
        screen.say(f"gallery: {written[-1]}")
        return
    found = compute(figure)
    if as_json:
        print(to_json(found), flush=True)
    if out is not None or not as_json:
        path = out or Path(f"theory-{figure}.png")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draw(found, path)
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror}); choose another place.") from None
        screen.say(f"picture: {path}")
