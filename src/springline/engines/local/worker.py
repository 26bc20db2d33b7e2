"""A worker's process: τ local steps, an attempt to exchange, and so on until somebody stops it."""

from __future__ import annotations

import select
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from springline.checkpoint import load_state, save_state
from springline.couplings.base import LANDED, Reply
from springline.engines.damage import damaged
from springline.engines.job import Job
from springline.engines.local import wire
from springline.engines.local.client import Interrupted, Line
from springline.engines.local.heap import keep_vectors
from springline.engines.local.plan import Plan
from springline.engines.local.tickets import Tickets
from springline.engines.real.faults import of_workers
from springline.engines.worker import Replica, WorkerState
from springline.errors import RunError, UsageError
from springline.scenario.fault import Fate, Moment, Rejoin
from springline.scenario.scenario import Fates

PACE = 0.2  # weight of the latest round in the running mean of their length


class Stopped(Exception):
    """The run is over for this worker."""


def state_path(place: Path, i: int) -> Path:
    return place / f"state-{i}"


class WorkerProcess:
    """round: the last one attempted; awaiting: the round whose reply is under way."""

    def __init__(self, plan: Plan, job: Job, place: Path, spec: dict[str, Any], boss: socket.socket) -> None:
        self.i, self.job, self.place, self.spec, self.boss = spec["worker"], job, place, spec, boss
        self.replica = Replica(job)
        self.line = Line(plan, place, self.i, boss)
        self.vitals = self.line.box.vitals
        self.tickets = Tickets(place)
        self.fates = Fates(of_workers(job.scenario), job.seed, job.workers)
        self.device = torch.device(job.device)
        self.awaiting: int | None = None
        self.leaving = False
        self.strikes = 0
        signal.signal(signal.SIGTERM, self.leave)

    def leave(self, *_: object) -> None:
        self.leaving = True

    # -- its life

    def run(self) -> None:
        self.vitals.enter("starting")
        self.waiting(self.line.connect)
        self.me = self.begin(self.spec["rejoin"])
        self.round = self.line.last
        self.vitals["round"] = self.round
        wire.send(self.boss, {"up": self.i})
        now = time.monotonic() - self.spec["zero"]
        while True:
            since, now = now, time.monotonic() - self.spec["zero"]
            round, fate = self.next_round(since, now)
            began = time.monotonic()
            self.play(round, fate, began)
            self.round = round
            self.vitals["round"], self.vitals["missed"] = round, self.me.missed
            if self.spec["keep"]:
                save_state(state_path(self.place, self.i), self.me)
            if self.leaving:
                self.waiting(self.line.settle)
                self.vitals.enter("leaving")
                wire.send(self.boss, {"left": self.i})
                raise Stopped
            took, pace = time.monotonic() - began, self.vitals["pace"]
            self.vitals["pace"] = took if pace == 0 else pace + PACE * (took - pace)

    def begin(self, how: Rejoin | str | None) -> WorkerState:
        """The worker as it starts: at the beginning of a run, or coming back."""
        steps = int(self.vitals["steps"])
        if how is None:
            return self.replica.start(self.i, self.replica.x0, self.replica.b0)
        missed = int(self.vitals["missed"]) + max(0, self.line.last - int(self.vitals["round"]))
        if how == "stale" and state_path(self.place, self.i).exists():
            me = load_state(state_path(self.place, self.i))
            assert isinstance(me, WorkerState)
            return me._replace(missed=missed)
        if how == "initial":
            me = self.replica.start(self.i, self.replica.x0, self.replica.b0, steps, reborn=True)
        else:
            me = self.at_center(steps, reborn=how == "center")
        return me._replace(missed=missed)

    def at_center(self, steps: int, reborn: bool) -> WorkerState:
        x, b = self.waiting(self.line.fetch)
        return self.replica.start(self.i, x.to(self.device), b.to(self.device), steps, reborn=reborn)

    # -- a round

    def next_round(self, since: float, now: float) -> tuple[int, Fate]:
        """The next round that this worker may compute in; those it was down for were counted without it."""
        while True:
            round = max(self.line.last, self.round) + 1
            fate = self.fates.of(self.i, Moment(round, now, since))
            if fate.computes:
                self.me = self.me._replace(missed=self.me.missed + round - 1 - self.round)
                return round, fate
            self.vitals.enter("down")  # the supervisor will see to that
            select.select([self.boss], [], [], 0.005)
            self.listen()
            now = time.monotonic() - self.spec["zero"]

    def play(self, round: int, fate: Fate, began: float) -> None:
        job = self.job
        self.listen()
        self.me = self.replica.claim(self.me, job.tau, self.tickets.draw)
        split = 0
        if self.awaiting is not None:
            split = job.pull_after
            self.train(split, round, fate)
            self.land(round)
        self.train(job.tau - split, round, fate)
        self.vitals.enter("exchanging")
        start = time.monotonic()
        self.me = self.owned(self.me)
        if fate.pushed:
            self.me, message = self.replica.push(self.me)
            self.vitals["loss"] = message.note.loss
            sent = damaged(message, fate.damage, job.seed, round)
            lands = job.method.coupling.lands and not job.pull_after and sent is message  # then it is what it has sent
            self.waiting(lambda: self.line.push(round, sent, asked=fate.answered, begun=began, lands=lands))
            if fate.answered:
                self.awaiting = round
            else:
                self.me = self.replica.miss(self.me, None)
        else:
            self.me = self.replica.miss(self.me, None)
            self.waiting(lambda: self.line.lost(round))
        self.vitals["communicating"] += time.monotonic() - start

    def train(self, steps: int, round: int, fate: Fate) -> None:
        if not steps:
            return
        self.vitals.enter("computing")
        start = time.monotonic()
        self.me = self.replica.train(self.me, steps, round)
        if fate.slowness > 1:
            time.sleep((fate.slowness - 1) * (time.monotonic() - start))
        self.vitals["steps"] = self.me.steps
        self.vitals["computing"] += time.monotonic() - start

    def land(self, round: int) -> None:
        """The answer to the last message, waited for if need be."""
        asked, self.awaiting = self.awaiting, None
        assert asked is not None
        self.vitals.enter("waiting")
        start = time.monotonic()
        reply = self.waiting(self.line.settle)
        self.vitals["waiting"] += time.monotonic() - start
        if reply is not None and reply.accepted:
            # x is a step's own result, as at least one lies between a start and a reply
            me = self.replica.pull(self.me, self.taken(reply), missed=round - 1 - asked, own=True)
            # an x that has landed may stay where it is until the next step has made another of it
            self.me, self.strikes = (me if LANDED in reply.vectors else self.owned(me)), 0
        else:
            self.me = self.replica.miss(self.me, None)
            self.strikes += reply is not None
        self.vitals["strikes"] = self.strikes
        if self.strikes >= self.job.method.coupling.patience:
            self.strikes = 0
            missed, claims = self.me.missed, self.me.claims
            self.me = self.at_center(self.me.steps, reborn=True)._replace(missed=missed, claims=claims)

    # -- means

    def taken(self, reply: Reply) -> Reply:
        if self.device.type == "cpu":
            return reply
        return reply._replace(vectors={name: v.to(self.device) for name, v in reply.vectors.items()})

    def owned(self, me: WorkerState) -> WorkerState:
        """Nothing of it looks at the box any more, which the next message overwrites."""
        vectors = {name: self.line.box.own(v, self.device) for name, v in me.link.vectors.items()}
        return me._replace(x=self.line.box.own(me.x, self.device), link=me.link._replace(vectors=vectors))

    def waiting(self, ask: Any) -> Any:
        """ask(), however often the supervisor has something to say meanwhile."""
        while True:
            try:
                return ask()
            except Interrupted:
                self.listen()

    def listen(self) -> None:
        """Do what the supervisor wants, if it wants anything."""
        ready, _, _ = select.select([self.boss], [], [], 0)
        if ready:
            packet = wire.receive(self.boss)
            if packet is None or "stop" in packet:
                raise Stopped
            if "leave" in packet:
                self.leaving = True


def main(plan: Plan, job: Job, place: Path, spec: dict[str, Any], boss: socket.socket) -> int:
    torch.set_num_threads(spec["threads"])
    keep_vectors(plan.vector)
    if spec["device"] != job.device or spec["worker"] >= job.workers:
        # somebody who joined later trains on the last part of a partition among so many workers
        job = replace(job, device=spec["device"], workers=max(job.workers, spec["worker"] + 1))
    try:
        WorkerProcess(plan, job, place, spec, boss).run()
    except Stopped:
        return 0
    except (RunError, UsageError) as error:
        wire.send(boss, {"failed": type(error).__name__, "why": str(error)})
        return 1
    return 0
