"""A real worker's rounds, whether it is a process or an actor: τ local steps, an attempt to exchange, and so on.

An engine says how to reach the center (`Way`), where the worker's news are seen (`Board`), and what it means to wait.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from springline.couplings.base import LANDED, Ease, Message, Reply
from springline.engines.damage import damaged
from springline.engines.job import Job
from springline.engines.real.faults import of_workers
from springline.engines.worker import Replica, WorkerState
from springline.scenario.fault import Fate, Moment, Rejoin
from springline.scenario.scenario import Fates

PACE = 0.2  # weight of the latest round in the running mean of their length

T = TypeVar("T")


class Stopped(Exception):
    """The run is over for this worker."""


class Way(Protocol):
    """To the center: one request under way at a time. last: the last of this worker's rounds that is resolved."""

    @property
    def last(self) -> int: ...

    def push(self, round: int, message: Message, *, asked: bool, begun: float, ease: Ease | None) -> None:
        """Hand in a message and go on. asked: whether its reply will be heard; ease: how, see `Exchange.ease_`."""

    def lost(self, round: int) -> None:
        """Say that an attempt failed."""

    def settle(self) -> Reply | None:
        """Wait for the answer to what was asked last; None if it was no push, or nobody knows what came of it."""

    def fetch(self, *, start: bool) -> tuple[Tensor, Tensor]:
        """Copies of the center's x [P] and buffers b [B]: of where a worker starts, or of the readout."""


class Board(Protocol):
    """What the worker says about itself: seconds of computing, communicating, waiting, steps, round, loss, pace …"""

    def __getitem__(self, name: str, /) -> float: ...

    def __setitem__(self, name: str, value: float, /) -> None: ...

    def enter(self, state: str) -> None:
        """Be in a state from now on."""


class RealWorker(ABC):
    """round: the last one attempted; awaiting: the round whose reply is under way; zero: when the run began.

    me: its state, made by `begin`.
    """

    me: WorkerState
    round: int
    zero: float

    def __init__(self, i: int, job: Job, way: Way, board: Board, ticket: Callable[[], int]) -> None:
        """ticket(): the next value of a counter that all workers share."""
        self.i, self.job, self.way, self.board, self.ticket = i, job, way, board, ticket
        self.replica = Replica(job)
        self.fates = Fates(of_workers(job.scenario), job.seed, job.workers)
        self.device = torch.device(job.device)
        self.on_cpu = self.device.type == "cpu"
        self.awaiting: int | None = None
        self.leaving = False
        self.strikes = 0

    # -- what engines differ in

    @abstractmethod
    def recall(self) -> WorkerState | None:
        """The worker as it was before it died, where that was kept."""

    @abstractmethod
    def keep(self) -> None:
        """Keep what it is, if it may have to come back as it was."""

    @abstractmethod
    def leave(self) -> None:
        """Everything is handed in, and it goes."""

    @abstractmethod
    def rest(self) -> None:
        """Wait a little for its next round, while it is down."""

    @abstractmethod
    def waiting(self, ask: Callable[[], T]) -> T:
        """ask(), which may wait for the center."""

    @abstractmethod
    def listen(self) -> None:
        """Do what others want, if they want anything."""

    @abstractmethod
    def own(self, t: Tensor) -> Tensor:
        """The tensor, or a copy if it looks at what is lent until the next message."""

    # -- its life

    def live(self, how: Rejoin | str | None) -> None:
        """Until `Stopped`. how: it comes back, or None at the beginning of a run."""
        self.me = self.begin(how)
        self.round = self.way.last
        self.board["round"] = self.round
        now = time.monotonic() - self.zero
        while True:
            since, now = now, time.monotonic() - self.zero
            round, fate = self.next_round(since, now)
            began = time.monotonic()
            self.play(round, fate, began)
            self.round = round
            self.board["round"], self.board["missed"] = round, self.me.missed
            self.keep()
            if self.leaving:
                self.waiting(self.way.settle)
                self.leave()
                raise Stopped
            took, pace = time.monotonic() - began, self.board["pace"]
            self.board["pace"] = took if pace == 0 else pace + PACE * (took - pace)

    def begin(self, how: Rejoin | str | None) -> WorkerState:
        """The worker as it starts: at the beginning of a run, or coming back."""
        steps, last = int(self.board["steps"]), self.way.last
        if how is None and not last:
            return self.replica.start(self.i)
        missed = int(self.board["missed"]) + max(0, last - int(self.board["round"]))
        if how == "stale" and (me := self.recall()) is not None:
            return me._replace(missed=missed)
        if how == "initial":
            me = self.replica.start(self.i, steps, reborn=True)
        else:
            me = self.at_center(steps, reborn=how not in ("resume", "join"))
        return me._replace(missed=missed)

    def at_center(self, steps: int, reborn: bool) -> WorkerState:
        x, b = self.waiting(lambda: self.way.fetch(start=True))
        return self.replica.start_at(x.to(self.device), b.to(self.device), self.i, steps, reborn=reborn)

    # -- a round

    def next_round(self, since: float, now: float) -> tuple[int, Fate]:
        """The next round that this worker may compute in; those it was down for were counted without it."""
        while True:
            round = max(self.way.last, self.round) + 1
            fate = self.fates.of(self.i, Moment(round, now, since))
            if fate.computes:
                self.me = self.me._replace(missed=self.me.missed + round - 1 - self.round)
                return round, fate
            self.board.enter("down")  # whoever plays the faults will see to that
            self.rest()
            self.listen()
            now = time.monotonic() - self.zero

    def play(self, round: int, fate: Fate, began: float) -> None:
        job = self.job
        self.listen()
        self.me = self.replica.claim(self.me, job.tau, self.ticket)
        split = 0
        if self.awaiting is not None:
            split = job.pull_after
            self.train(split, round, fate)
            began += self.land(round)  # how long a round takes is measured without the wait for the one before
        self.train(job.tau - split, round, fate)
        self.board.enter("exchanging")
        start = time.monotonic()
        self.me = self.me._replace(x=self.own(self.me.x))
        if fate.pushed:
            self.me, message = self.replica.push(self.me)
            self.me = self.owned(self.me)  # where it last was may have been what is lent, and no longer matters
            self.board["loss"] = message.note.loss
            sent = damaged(message, fate.damage, job.seed, round)
            ease = job.ease if sent is message else None  # of one that was damaged the worker knows better what it sent
            self.waiting(lambda: self.way.push(round, sent, asked=fate.answered, begun=began, ease=ease))
            if fate.answered:
                self.awaiting = round
            else:
                self.me = self.replica.miss(self.me, None)
        else:
            self.me = self.owned(self.replica.miss(self.me, None))
            self.waiting(lambda: self.way.lost(round))
        self.board["communicating"] += time.monotonic() - start

    def train(self, steps: int, round: int, fate: Fate) -> None:
        if not steps:
            return
        self.board.enter("computing")
        start = time.monotonic()
        self.me = self.replica.train(self.me, steps, round)
        if fate.slowness > 1:
            time.sleep((fate.slowness - 1) * (time.monotonic() - start))
        self.board["steps"] = self.me.steps
        self.board["computing"] += time.monotonic() - start

    def land(self, round: int) -> float:
        """The answer to the last message, waited for if need be: for so many seconds."""
        asked, self.awaiting = self.awaiting, None
        assert asked is not None
        self.board.enter("waiting")
        start = time.monotonic()
        reply = self.waiting(self.way.settle)
        waited = time.monotonic() - start
        self.board["waiting"] += waited
        if reply is not None and reply.accepted:
            # nobody else looks at x: it was owned before it was sent, or a step has made it since
            me = self.replica.pull(self.me, self.taken(reply), missed=round - 1 - asked, own=True)
            # an x that has landed may stay where it is until the next step has made another of it
            self.me, self.strikes = (me if LANDED in reply.vectors else self.owned(me)), 0
        else:
            self.me = self.replica.miss(self.me, None, told=True)
            self.strikes += reply is not None
        self.board["strikes"] = self.strikes
        if self.strikes >= self.job.method.coupling.patience:
            self.strikes = 0
            missed, claims = self.me.missed, self.me.claims
            self.me = self.at_center(self.me.steps, reborn=True)._replace(missed=missed, claims=claims)
        return waited

    # -- means

    def taken(self, reply: Reply) -> Reply:
        if self.on_cpu:
            return reply
        return reply._replace(vectors={name: v.to(self.device) for name, v in reply.vectors.items()})

    def owned(self, me: WorkerState) -> WorkerState:
        """Nothing of it looks at what is lent until the next message."""
        vectors = {name: self.own(v) for name, v in me.link.vectors.items()}
        return me._replace(x=self.own(me.x), link=me.link._replace(vectors=vectors))
