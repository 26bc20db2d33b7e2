"""Whoever has the center's process: it hears what that says, asks it for copies, and tells it who is there."""

from __future__ import annotations

import contextlib
import selectors
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from springline.engines.local.crew import Member, Process
from springline.engines.local.plan import EXPECTED, PAUSED, SPARE
from springline.engines.real import wire
from springline.engines.real.pauses import Pauses
from springline.errors import RunError

if TYPE_CHECKING:
    from springline.engines.local import Local


class Overseer(ABC):
    """resolved: attempts whose outcome is known; updates: of the center; told: rounds; zero: when the run began, on the
    monotonic clock.  strangers: why somebody was turned away.  stopping: somebody wants the run to end.

    lent: the number of the spare copy of the center that is being looked at, or 0.  copying: the wish for one that
    belongs to no row: "asked", "busy" (with an earlier one), "made", or none.  halted: nobody is to exchange any more.
    """

    ground: Any

    def __init__(self, engine: Local, center: Process) -> None:
        self.engine, self.center = engine, center
        self.crew: list[Member] = []
        self.selector = selectors.DefaultSelector()
        self.zero = time.monotonic()
        self.resolved = self.updates = self.told = 0
        self.pauses = Pauses()
        self.stopping = self.halted = False
        self.lent = 0
        self.copying = ""
        self.strangers: list[str] = []

    # -- what processes say

    @abstractmethod
    def said(self, process: Process, packet: dict[str, Any]) -> None:
        """A process has said something."""

    @abstractmethod
    def record(self, packet: dict[str, Any]) -> None:
        """A round is complete."""

    def hear(self, process: Process) -> None:
        assert process.sock is not None
        try:
            packet = wire.receive(process.sock, wait=False)
        except BlockingIOError:  # a new process has the place of one that had something to say
            return
        if packet is None:
            self.forget(process.sock)  # how it ended is told elsewhere
        else:
            self.said(process, packet)

    def last_words(self, process: Process) -> None:
        """What a process said before it ended still counts."""
        if process.sock is not None:
            while (packet := wire.waiting(process.sock)) is not None:
                self.said(process, packet)
            self.forget(process.sock)

    def center_says(self, packet: dict[str, Any]) -> None:
        self.resolved = packet.get("resolved", self.resolved)
        self.updates = packet.get("updates", self.updates)
        self.ground.scalars = packet.get("scalars") or self.ground.scalars
        if "up" in packet:
            self.center.state = "up"
            if packet["lent"] != self.lent:  # a copy whose maker died before it could say so
                self.release(packet["lent"])
        elif "row" in packet:
            if packet["row"] > self.told:
                self.told = packet["row"]
                self.lent = packet["copied"] or self.lent
                self.record(packet)
            elif packet["copied"]:  # the center died before it could note that it had told it
                self.release(packet["copied"])
        elif "copied" in packet:
            self.copying = "made" if packet["copied"] else "busy"
            self.lent = packet["copied"] or self.lent
        elif "stranger" in packet:
            self.strangers.append(packet["why"])

    # -- what the center is told

    def to_center(self, packet: dict[str, Any]) -> None:
        if self.center.sock is not None:
            wire.send(self.center.sock, packet)

    def release(self, copy: int) -> None:
        """The copy of this number is not needed any more. May be called from any thread."""
        words = self.ground.words
        if copy and words[SPARE] == copy:  # 0 is none, and may be followed by one at any time
            words[SPARE] = 0
        if self.lent == copy:
            self.lent = 0

    def copied(self) -> bool:
        """Whether a copy has been made; asks for one, and again where nothing came of that."""
        if self.copying != "made":
            if self.center.state != "up":  # what it was asked before it died is forgotten
                self.copying = ""
            elif self.copying != "asked" and not self.ground.words[SPARE]:
                self.copying = "asked"
                self.to_center({"copy": True})
        return self.copying == "made"

    @property
    def alive(self) -> int:
        return sum(m.state == "up" for m in self.crew)

    def hold(self, paused: bool, *, short: bool = False) -> None:
        """Let nobody exchange while the run is paused, and wait for no message of those who are not there.

        short: so many have left for good that only somebody who joins ends that.
        """
        self.pauses.turn(paused, short=short)
        words, hold = self.ground.words, paused or self.halted
        there = sum(m.state in ("up", "starting") for m in self.crew)
        if (hold, there) != (bool(words[PAUSED]), words[EXPECTED]):
            words[PAUSED], words[EXPECTED] = hold, there
            self.to_center({"look": True})

    def check_center(self, hint: str = "") -> None:
        """Raises RunError if the center does not start."""
        if self.center.overdue:
            raise RunError(
                f"the center has not started within {self.center.patience:g} s; see the messages above{hint}."
            )

    # -- means

    def watch(self, sock: Any, heard: Callable[[], None]) -> None:
        self.selector.register(sock, selectors.EVENT_READ, heard)

    def forget(self, sock: Any) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(sock)
