"""The workers as the supervisor sees them: processes that are started, die, are frozen, and start again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from springline.engines.local.nursery import Nursery
from springline.engines.real import wire
from springline.engines.real.words import TRIES, in_vain

PATIENCE = 60.0  # seconds for a start, unless somebody wants it otherwise


def ended_by(code: int) -> str:
    """How a process ended, by its exit code or minus the signal."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


@dataclass
class Process:
    """A process of the run. state: absent, starting, up, frozen, dying (the scenario wants it so), or gone (it left and
    is not missed).
    """

    name: str
    kind: str
    spec: dict[str, Any]
    patience: float = PATIENCE
    sock: socket.socket | None = None
    pid: int = 0
    pidfd: int = -1
    state: str = "absent"
    began: float = 0.0
    restarts: int = 0
    tries: int = 0
    progress: float = -1.0  # what it had achieved at its last start
    why: str = ""  # how it ended last
    extra: list[socket.socket] = field(default_factory=list)  # sockets it gets beside its own

    def start(self, nursery: Nursery, **spec: Any) -> None:
        assert self.state == "absent"
        self.spec.update(spec)
        self.sock, theirs = wire.pair()
        nursery.start(self.kind, self.spec | {"name": self.name}, [*self.extra, theirs])
        theirs.close()
        self.state, self.began, self.pid = "starting", time.monotonic(), 0

    def count_start(self, progress: float) -> None:
        """It is about to be started. Raises RunError if the starts before led to nothing.

        progress: what it has achieved by now.
        """
        self.tries = self.tries + 1 if self.progress == progress else 1
        self.progress = progress
        self.restarts += self.began > 0
        if self.tries > TRIES:
            raise in_vain(self.name, self.why)

    def started(self, pid: int) -> None:
        self.pid = pid
        with contextlib.suppress(OSError):
            self.pidfd = os.pidfd_open(pid)

    def ended(self) -> None:
        """Forget the process."""
        if self.sock is not None:
            self.sock.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
        self.sock, self.pidfd, self.pid = None, -1, 0
        self.tries -= self.state == "dying"  # what became of that start is not its fault
        if self.state != "gone":
            self.state = "absent"

    def signal(self, number: signal.Signals) -> None:
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.state = "dying"

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)
        self.state = "frozen"

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)
        self.state = "up"

    @property
    def lives(self) -> bool:
        return self.state in ("starting", "up") and self.pid != 0

    @property
    def overdue(self) -> bool:
        return self.state == "starting" and time.monotonic() - self.began > self.patience


@dataclass
class Member(Process):
    """A worker's place. seen: when its fate was looked up last; came_back: the round it was last restarted in."""

    i: int = 0
    seen: float = 0.0
    came_back: int = 0
    rejoin: str | None = None  # how it will come back
    absent_at: float = 0.0  # when its next attempt fails, while it is down
    down: bool = False  # the scenario wants it down
