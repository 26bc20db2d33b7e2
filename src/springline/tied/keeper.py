"""The center of a tied run: its process is forked here, watched, started again, and asked for copies to write down."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from types import SimpleNamespace
from typing import Any

import torch

from springline.engines.local import Local
from springline.engines.local import center as center_process
from springline.engines.local.crew import PATIENCE, Process, ended_by
from springline.engines.local.overseer import Overseer
from springline.engines.local.plan import WANTED
from springline.engines.local.zygote import be, die_with_parent
from springline.engines.real import wire
from springline.engines.real.words import ENDED, WAITS, too_few
from springline.errors import RunError
from springline.tied.book import Book

IDLE = 0.2  # seconds between two looks around

log = logging.getLogger("springline.tied")


class Keeper(Overseer):
    """job, ground, book: there as soon as a worker has said what the center is; until then, stand-ins.

    expected: the numbers whose processes are there or will be; done: those whose scripts have finished.
    """

    def __init__(self, workers: int, engine: Local, snapshot_every: float) -> None:
        torch.set_num_threads(1)  # so that no thread pool is there to be lost in a fork
        super().__init__(engine, Process("the center", "center", {}, patience=engine.patience))
        self.snapshot_every = snapshot_every
        self.job: Any = SimpleNamespace(tau=1, rounds=0, workers=workers)
        self.ground: Any = None
        self.book: Book | None = None
        self.kept = time.monotonic()
        self.expected, self.done = set(range(workers)), set[int]()

    @property
    def tallies(self) -> Any:
        return self.ground.tallies

    def hear_all(self) -> None:
        """Wait for the next thing to happen, for a short time, and see to it."""
        for key, _ in self.selector.select(IDLE):
            if self.selector.get_map().get(key.fd) is key:  # what came before it may have ended it
                key.data()
        if self.book is not None and time.monotonic() - self.kept > self.snapshot_every:
            self.ground.words[WANTED] = 1
        self.check_center()

    # -- its process

    def start_center(self) -> None:
        center = self.center
        center.count_start(self.resolved)
        mine, theirs = wire.pair()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            be(lambda: self.be_center(parent, mine, theirs))
        theirs.close()
        center.sock, center.state, center.began = mine, "starting", time.monotonic()
        center.started(pid)
        self.watch(mine, lambda: self.hear(center))
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
        center = self.center
        self.last_words(center)
        _, status = os.waitpid(center.pid, 0)
        center.why = ended_by(os.waitstatus_to_exitcode(status))
        log.warning(ENDED, center.name, center.why)
        self.forget(center.pidfd)
        center.ended()
        self.start_center()

    def said(self, process: Process, packet: dict[str, Any]) -> None:
        self.center_says(packet)

    # -- who is there

    def awaited(self, i: int) -> None:
        """Worker i is being started."""
        self.expected.add(i)
        if i < len(self.crew):
            self.crew[i].state = "starting"

    def missed(self, i: int) -> None:
        """The process of worker i has ended, and nobody waits for another one."""
        self.expected.discard(i)
        if i < len(self.crew) and self.crew[i].state == "starting":
            self.crew[i].state = "absent"

    def pause(self) -> None:
        """See to it that nobody exchanges while too few workers are alive; say so where that may last."""
        enough = self.engine.min_workers - len(self.done)
        short = self.alive > 0 and self.left < enough  # somebody waits, and for nobody who is to come
        self.hold(self.alive < enough and not self.stopping, short=short)
        if self.updates and self.alive < enough and self.pauses.to_be_named():
            log.warning(WAITS, too_few(self.alive, self.engine.min_workers))

    @property
    def left(self) -> int:
        """Workers who have not parted for good."""
        return sum(m.state == "up" or (m.state != "gone" and m.i in self.expected) for m in self.crew)

    # -- what is written

    def record(self, packet: dict[str, Any]) -> None:
        assert self.book is not None
        self.book.row(self, packet["at"] - self.zero)
        if packet["copied"]:
            self.keep(packet["at"] - self.zero)

    def keep(self, seconds: float) -> None:
        """Write the copy that the center has made."""
        assert self.book is not None
        try:
            self.book.snapshot(self, seconds)
        finally:  # also where a Ctrl-C comes meanwhile: the next one wants a copy too
            self.release(self.lent)
        self.kept = time.monotonic()

    def write(self, *, ended: bool = True) -> None:
        """Write down the center as it is now. ended: it is the result."""
        if self.book is None:
            return
        deadline = time.monotonic() + PATIENCE
        self.release(self.lent)  # what was being written when somebody stopped it
        self.copying = ""
        while not self.copied():
            self.hear_all()
            if time.monotonic() > deadline:
                raise RunError(f"the center did not answer within {PATIENCE:.0f} s; its last snapshot is what is left.")
        seconds = time.monotonic() - self.zero
        self.book.row(self, seconds, last=True)
        self.keep(seconds)
        if ended:
            self.book.end()

    def end_center(self) -> None:
        if self.center.pid:
            self.center.signal(signal.SIGKILL)
            os.waitpid(self.center.pid, 0)
            self.center.ended()
