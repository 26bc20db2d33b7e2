"""Ctrl-C and SIGTERM are heard between two things that happen in a run, and not in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, Self


class Interrupts:
    """While this is entered, in the main thread, a signal that comes during `finish` is heard at its end.

    A second Ctrl-C is heard at once, so that nothing that hangs can keep somebody from leaving; SIGTERM may come twice
    from whoever sends it.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Callable[[int, Any], Any]] = {}
        self._busy = False
        self._late: list[signal.Signals] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if callable(handler):  # neither the system's own nor none
                    self._before[number] = handler
                    signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._heard:  # nobody has put another one in its place
                signal.signal(number, handler)

    def finish(self, what: Callable[[], object]) -> None:
        """Do it, whole."""
        busy, self._busy = self._busy, True
        try:
            what()
        finally:  # also where it failed, because somebody wanted to leave
            self._busy = busy
            if self._late and not busy:
                number, self._late = self._late[0], []
                self._before[number](number, None)

    def _heard(self, number: int, frame: Any) -> None:
        if self._busy and (number == signal.SIGTERM or not self._late):
            self._late.append(signal.Signals(number))
        else:
            self._late = []
            self._before[signal.Signals(number)](number, frame)
