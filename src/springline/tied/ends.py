"""The ends of a script: its lines are closed, however it comes to them."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from typing import Any, Protocol

from springline.errors import RunError, UsageError


class Closing(Protocol):
    leaving: bool

    def close(self, how: str = "done") -> None: ...


lines: set[Closing] = set()  # which are open, and have to be closed even if the script has let go of them
_owner = 0  # the process whose end and signals are looked after
_lost = False  # a line could not be closed as it should be


def look_after(line: Closing) -> None:
    """Close the line when the script ends, and let it leave when the script is sent a SIGTERM."""
    global _owner
    if _owner != os.getpid():
        _owner = os.getpid()
        lines.clear()  # which are another process's, that this one was forked from
        atexit.register(_close_all)
    lines.add(line)
    _handle(signal.SIG_DFL, _leave_all)


def let_go(line: Closing) -> None:
    """The line is closed; with the last one, a SIGTERM is again what it was before."""
    lines.discard(line)
    if not lines:
        _handle(_leave_all, signal.SIG_DFL)


def _handle(before: object, now: Any) -> None:
    """Let SIGTERM be handled so, if it is handled as before, and this thread may say so."""
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGTERM) == before:
        signal.signal(signal.SIGTERM, now)


def _close_all() -> None:
    global _lost
    if _owner == os.getpid():
        failed = isinstance(getattr(sys, "last_value", None), Exception)
        for line in list(lines):
            try:
                with contextlib.suppress(SystemExit):  # it was asked to end, which it does
                    line.close("failed" if failed else "done")
            except (RunError, UsageError) as error:
                _lost = True
                print(f"springline: {error}", file=sys.stderr)


def _fail() -> None:
    """A script whose lines are closed by its end may have nothing else to say that the center is lost."""
    if _lost and _owner == os.getpid():
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(1)


atexit.register(_fail)  # registered before what the script registers, it comes after that


def _leave_all(*_: object) -> None:
    if _owner != os.getpid() or not lines:  # a data loader's process, which inherited this, or nobody is tied any more
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    for line in lines:
        line.leaving = True
