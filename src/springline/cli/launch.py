"""`springline launch`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from springline.cli import options as o
from springline.cli.exits import Interrupted
from springline.cli.screen import Screen
from springline.cli.train import _folder


def add_to(app: typer.Typer) -> None:
    app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(launch)


def launch(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A Python script that calls springline.tie.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGUMENTS…]", help="What the script is given; all that follows it.")
    ] = None,
    workers: o.Workers = 4,
    restart: Annotated[bool, typer.Option("--restart", help="Start a worker again that failed.")] = False,
    min_workers: Annotated[
        int, typer.Option(min=1, help="With fewer workers alive nobody exchanges until there are enough again.")
    ] = 1,
    patience: o.Patience = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The run's folder (default: runs/SCRIPT-1, -2, …).")
    ] = None,
    overwrite: o.Overwrite = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last snapshot in OUT.")] = False,
    snapshot_every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Time between two snapshots of the center.")
    ] = 10.0,
    debug: o.Debug = False,
) -> None:
    """Run SCRIPT in N processes on this machine, tied to one center, and write a run folder.

    Ctrl-C lets the workers hand in their last exchange, and writes the center.
    """
    from springline.errors import UsageError
    from springline.files import RunFiles

    screen = Screen()
    if workers < 1:
        raise UsageError(f"workers={workers} is less than 1; somebody has to train.")
    if resume and out is None:
        raise UsageError("--resume goes on with the run in a folder; name it by --out DIR.")
    if not script.is_file():
        raise UsageError(f"{script} is no file; name the script that every worker is to run.")
    line = [sys.executable, str(script), *(arguments or [])]
    with _folder(out, script.stem) as folder, RunFiles(folder).held():
        if resume:
            RunFiles(folder).read_config()
        elif not overwrite:
            RunFiles(folder).check_free()
        from springline.engines.local.crew import PATIENCE  # and torch, which none of these mistakes has to wait for
        from springline.folder import RunFolder
        from springline.tied.host import Host
        from springline.tied.launcher import Launcher

        files = RunFolder(folder)
        host = Host(
            files,
            workers,
            min_workers=min_workers,
            patience=PATIENCE if patience is None else patience,
            snapshot_every=snapshot_every,
            resume=resume,
        )
        launcher = Launcher(host, line, restart=restart, say=screen.say)
        try:
            launcher.run()
        except KeyboardInterrupt:
            launcher.dismiss()
            host.write(ended=False)
            if host.book is None:
                raise Interrupted("stopped before a worker was tied.") from None
            raise Interrupted(
                f"stopped; go on with `springline launch --resume --out {folder} -n {workers} {script} …`."
            ) from None
        finally:
            launcher.kill()
            if host.book is not None:
                screen.say(f"center after {host.resolved} exchanges of {len(host.crew)} workers: {files.center}")
            host.close()
