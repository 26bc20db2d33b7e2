"""How a command ends: 0 done, 1 a run failed, 2 wrong usage, 130 by Ctrl-C, 143 by SIGTERM, with a sentence why."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import typer

from springline.errors import RunError, UsageError

OK, FAILED, USAGE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
ClickError = typer.BadParameter.__mro__[2]  # ClickException, wherever this version of typer keeps it


class Interrupted(Exception):
    """Ctrl-C or SIGTERM, with a sentence on how to go on."""


def run(args: list[str]) -> int:
    """Carry out a command line and return its exit code. With --debug, errors are raised as they are."""
    for stream in (sys.stdout, sys.stderr):
        _never_fail_on_letters(stream)
    with _terminable() as asked:
        code = _carry_out(args)
    return TERMINATED if asked and code == INTERRUPTED else code


def _carry_out(args: list[str]) -> int:
    try:
        from springline.cli.app import app
        from springline.cli.warn import warnings_as_lines

        with warnings_as_lines():
            code = typer.main.get_command(app).main(args, prog_name="springline", standalone_mode=False)
    except KeyboardInterrupt:
        return _say(INTERRUPTED, "interrupted.")
    except Exception as error:
        if "--debug" in args and not isinstance(error, (ClickError, typer.Abort, typer.Exit)):
            raise
        return _explain(error)
    return code if isinstance(code, int) else OK


@contextmanager
def _terminable() -> Iterator[list[int]]:
    """SIGTERM, which Slurm, Kubernetes and docker stop send before they kill, stops a command as Ctrl-C does.

    Yields a list that is empty until it has come.
    """
    asked: list[int] = []

    def stop(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_IGN)  # it may come again, by way of whoever passes it on
        asked.append(number)
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    ours = main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, stop)
    try:
        yield asked
    finally:
        if ours and not asked:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _explain(error: Exception) -> int:
    match error:
        case typer.Exit():
            return int(error.exit_code)
        case UsageError():
            return _say(USAGE, str(error))
        case RunError():
            return _say(FAILED, str(error))
        case Interrupted():
            return _say(INTERRUPTED, str(error))
        case typer.Abort():
            return _say(INTERRUPTED, "interrupted.")
        case _ if isinstance(error, ClickError):
            return _usage(error)
        case MemoryError():
            return _say(FAILED, "out of memory; use fewer workers, a smaller batch or a smaller model.")
        case _:
            what = " ".join(str(error).split()) or "no message"
            return _say(FAILED, f"{type(error).__name__}: {what}; run again with --debug to see where.")


def _usage(error: Exception) -> int:
    """What typer found wrong with the command line, with the help that shows how it is right."""
    command = getattr(getattr(error, "ctx", None), "command_path", "springline")
    text = " ".join(error.format_message().split()).rstrip(".?")  # type: ignore[attr-defined]
    if not text:  # no arguments at all: the help was asked for
        return USAGE
    text = text.replace(". Did you mean", ", did you mean")
    return _say(USAGE, f"{text[0].lower()}{text[1:]}; see `{command} --help`.")


def _say(code: int, sentence: str) -> int:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    colour = "yellow" if code == INTERRUPTED else "red"
    console.print(Text.assemble(("springline: ", f"bold {colour}"), sentence), soft_wrap=True, highlight=False)
    return code


def _never_fail_on_letters(stream: TextIO) -> None:
    """Equations hold letters that an old terminal's encoding may lack: show ? there instead of stopping."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
