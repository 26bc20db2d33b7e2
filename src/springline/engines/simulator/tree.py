"""The tree: leaves compute, inner nodes average, messages go one way.

    STEP     a leaf has made one local step; it takes in what has arrived meanwhile, and sends up every τ steps
    COME     a message reaches a node: an inner node takes it in at once, a leaf after its present gradient

A round of a leaf is τ steps and one message to its parent. What the inner nodes do stands in nodes.py.

The lag of a message to a parent is how many messages the parent has taken in since it sent the one that the leaf heard
last; the gap is the distance between the two.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from springline.couplings.base import Message
from springline.engines.base import Row, Sink
from springline.engines.damage import damaged
from springline.engines.job import Job
from springline.engines.simulator.events import Kinds
from springline.engines.simulator.nodes import Nodes, Parcel
from springline.engines.simulator.record import gap
from springline.engines.simulator.world import World
from springline.engines.worker import WorkerState

STEP = 2


class TreeLoop(Nodes):
    """inbox: what has arrived at each leaf during its present step."""

    def __init__(self, job: Job, sink: Sink) -> None:
        super().__init__(job, sink)
        self.inbox: list[list[Parcel]] = [[] for _ in range(job.workers)]

    def kinds(self) -> Kinds:
        return super().kinds() | {STEP: self.step}

    def world(self) -> World:
        world = super().world()
        return world._replace(extra=world.extra | {"inbox": self.inbox})

    def restore(self, world: World) -> None:
        super().restore(world)
        self.inbox = [list(box) for box in world.extra["inbox"]]

    def begin(self, i: int, time: float) -> None:
        self.enter(i, time)
        self.next_step(i, time)

    def next_step(self, i: int, time: float) -> None:
        seat = self.seats[i]
        number = seat.round * self.job.tau - seat.todo
        seat.length = self.scenario.pace.step_time(self.job.seed, i, number) * seat.fate.slowness
        self.schedule(time + seat.length, STEP, i)

    def step(self, i: int, time: float, _: Any) -> None:
        """A leaf's gradient is made and applied; what has arrived meanwhile is taken in."""
        seat = self.seats[i]
        if seat.fate.computes:
            self.train(i, 1, seat.length)
            for parcel in self.inbox[i]:
                if self.coupling.fit(seat.me.x, parcel.message):
                    seat.me, seat.clock = self.meet(seat.me, parcel.message), parcel.clock
        else:
            seat.todo -= 1
        self.inbox[i] = []
        if seat.todo:
            self.next_step(i, time)
        else:
            self.send_up(i, time)
            self.begin(i, time)

    def meet(self, me: WorkerState, message: Message) -> WorkerState:
        """The leaf after it has taken in a message."""
        return me._replace(x=self.coupling.meet(me.x, message.vectors["x"], self.alpha))

    def send_up(self, i: int, time: float) -> None:
        seat = self.seats[i]
        if seat.fate.computes and seat.fate.pushed:
            me, message = self.replica.push(seat.me)
            message = damaged(message, seat.fate.damage, self.job.seed, seat.round)
            seat.me = me._replace(missed=0, reborn=False)
            self.send(self.inner + i, self.tree.parent(self.inner + i), message, time)
        else:
            seat.me = seat.me._replace(missed=seat.me.missed + 1)
            seat.tally.lost += 1
            self.resolved += 1

    def come(self, to: int, time: float, parcel: Parcel) -> None:
        """A message reaches a node; a leaf that is down, or cut off, does not hear it."""
        message, leaf = parcel.message, parcel.sender - self.inner
        if to >= self.inner:
            fate = self.seats[to - self.inner].fate
            if fate.computes and fate.pushed and fate.answered:
                self.inbox[to - self.inner].append(parcel)
            return
        if leaf < 0:
            self.take(to, message)
            return
        lag = self.clock(leaf) - self.seats[leaf].clock
        far = gap(self.replica.layout, message.vectors["x"], self.center.rows["x"][to])
        tally = self.seats[leaf].tally
        if self.take(to, message):
            tally.made += 1
            tally.met(lag, far)
        else:
            tally.lost += 1
            tally.refused += 1
        self.resolved += 1

    def row(self, time: float) -> Row:
        """Also how far the inner nodes are from the root; all bytes, those between inner nodes included."""
        x: Tensor = self.center.rows["x"]
        row = super().row(time)
        return row | {"bytes": row["bytes"] + self.between, "spread": float((x - x[0]).norm(dim=1).mean())}
