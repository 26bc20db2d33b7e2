"""The center of a tied run: its process is forked here, watched, started again, and asked for copies to write down."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from springline.engines.local import Local, wire
from springline.engines.local import center as center_process
from springline.engines.local.crew import PATIENCE, TRIES, Member, Process
from springline.engines.local.plan import EXPECTED, PAUSED, SPARE, WANTED
from springline.engines.local.zygote import be, die_with_parent
from springline.errors import RunError
from springline.tied.book import Book

IDLE = 0.2  # seconds between two looks around


class Keeper:
    """job, ground, book: there as soon as a worker has said what the center is; until then, stand-ins.

    resolved: attempts whose outcome is known; told: rounds; zero: when the run began, on the monotonic clock.
    """

    def __init__(self, workers: int, engine: Local, snapshot_every: float) -> None:
        torch.set_num_threads(1)  # so that no thread pool is there to be lost in a fork
        self.engine, self.snapshot_every = engine, snapshot_every
        self.job: Any = SimpleNamespace(tau=1, rounds=0, workers=workers)
        self.ground: Any = None
        self.book: Book | None = None
        self.selector = selectors.DefaultSelector()
        self.center = Process("center", "center", {})
        self.crew: list[Member] = []
        self.resolved = self.updates = self.told = 0
        self.zero = self.kept = time.monotonic()
        self.paused_since: float | None = None
        self.paused = 0.0
        self.stopping = False
        self.strangers: list[str] = []
        self.copying = ""  # the wish for a copy: "asked", "busy" (with an earlier one), "made", or none

    @property
    def tallies(self) -> Any:
        return self.ground.tallies

    def turn(self) -> None:
        """Wait for the next thing to happen, for a short time, and see to it."""
        for key, _ in self.selector.select(IDLE):
            if key.fileobj in self.selector.get_map():  # what came before it may have ended it
                key.data()
        if self.book is not None and time.monotonic() - self.kept > self.snapshot_every:
            self.ground.words[WANTED] = 1
        if self.center.overdue:
            raise RunError(f"the center has not started within {PATIENCE:.0f} s; see the messages above.")

    # -- its process

    def start_center(self) -> None:
        center = self.center
        if center.progress == self.resolved:
            center.tries += 1
        else:
            center.tries, center.progress = 1, self.resolved
        if center.tries > TRIES:
            raise RunError(f"the center ended {TRIES} times in a row before its next exchange; see the messages above.")
        center.restarts += center.began > 0
        mine, theirs = wire.pair()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            be(lambda: self.be_center(parent, mine, theirs))
        theirs.close()
        center.sock, center.state, center.began = mine, "starting", time.monotonic()
        center.started(pid)
        self.watch(mine, self.hear_center)
        self.watch(center.pidfd, self.center_ended)

    def be_center(self, parent: int, mine: socket.socket, theirs: socket.socket) -> int:
        """The forked process's life."""
        die_with_parent(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # some send it to everybody; its keeper says when to end
        for key in list(self.selector.get_map().values()):  # what only its parent should hold open
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        mine.close()
        ground = self.ground
        return center_process.main(ground.plan, self.job.method.coupling, ground.path, ground.listener, theirs)

    def center_ended(self) -> None:
        assert self.center.sock is not None
        while (packet := wire.waiting(self.center.sock)) is not None:
            self.center_says(packet)
        os.waitpid(self.center.pid, 0)
        self.forget(self.center.sock)
        self.forget(self.center.pidfd)
        self.center.ended()
        self.start_center()

    def hear_center(self) -> None:
        assert self.center.sock is not None
        try:
            packet = wire.receive(self.center.sock, wait=False)
        except BlockingIOError:  # a new center has the place of one that had something to say
            return
        if packet is None:
            self.forget(self.center.sock)  # its end is told by its pidfd
        else:
            self.center_says(packet)

    def center_says(self, packet: dict[str, Any]) -> None:
        self.resolved = packet.get("resolved", self.resolved)
        self.updates = packet.get("updates", self.updates)
        self.ground.scalars = packet.get("scalars") or self.ground.scalars
        if "up" in packet:
            self.center.state = "up"
            if packet["lent"]:  # a copy whose maker died before it could say so
                self.ground.words[SPARE] = 0
        elif "row" in packet:
            self.told = max(self.told, packet["row"])
            assert self.book is not None
            self.book.row(self, packet["at"] - self.zero)
            if packet["copied"]:
                self.keep(packet["at"] - self.zero)
        elif "copied" in packet:
            self.copying = "made" if packet["copied"] else "busy"
        elif "stranger" in packet:
            self.strangers.append(packet["why"])

    def pause(self) -> None:
        """Let nobody exchange while too few workers are alive, and wait for no message of those who are not there."""
        paused = sum(m.state == "up" for m in self.crew) < self.engine.min_workers and not self.stopping
        there = sum(m.state in ("up", "starting") for m in self.crew)
        words = self.ground.words
        if paused != bool(words[PAUSED]):
            if paused:
                self.paused_since = time.monotonic()
            elif self.paused_since is not None:
                self.paused += time.monotonic() - self.paused_since
                self.paused_since = None
        if (paused, there) != (bool(words[PAUSED]), words[EXPECTED]):
            words[PAUSED], words[EXPECTED] = paused, there
            self.to_center({"look": True})

    # -- what is written

    def keep(self, seconds: float) -> None:
        """Write the copy that the center has made."""
        assert self.book is not None
        self.book.snapshot(self, seconds)
        self.ground.words[SPARE] = 0
        self.kept = time.monotonic()

    def write(self, *, ended: bool = True) -> None:
        """Write down the center as it is now. ended: it is the result."""
        if self.book is None:
            return
        deadline = time.monotonic() + PATIENCE
        self.copying = ""
        while self.copying != "made":
            if self.center.state != "up":  # what it was asked before it died is forgotten
                self.copying = ""
            elif self.copying != "asked":
                self.copying = "asked"
                self.to_center({"copy": True})
            self.turn()
            if time.monotonic() > deadline:
                raise RunError(f"the center did not answer within {PATIENCE:.0f} s; its last snapshot is what is left.")
        seconds = time.monotonic() - self.zero
        self.book.row(self, seconds, last=True)
        self.keep(seconds)
        if ended:
            self.book.end()

    # -- means

    def to_center(self, packet: dict[str, Any]) -> None:
        if self.center.sock is not None:
            wire.send(self.center.sock, packet)

    def watch(self, sock: Any, heard: Callable[[], None]) -> None:
        self.selector.register(sock, selectors.EVENT_READ, heard)

    def forget(self, sock: Any) -> None:
        if sock in self.selector.get_map():
            self.selector.unregister(sock)

    def end_center(self) -> None:
        if self.center.pid:
            self.center.signal(signal.SIGKILL)
            os.waitpid(self.center.pid, 0)
            self.center.ended()
