"""The inner nodes of a tree: they send what they hold when their clocks say so, and take in what they are sent.

    TICK     the clock of an inner node says that it sends, up or down
    COME     a message reaches a node

The clock of an inner node ticks once per `pace.tick`. A node serves one message at a time. Of those that act at the
same moment the leaves come first, then the root, and so on down.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

from springline.couplings.base import Message, Note
from springline.couplings.tree import TreeCoupling
from springline.engines.base import Outcome, Sink
from springline.engines.job import Job
from springline.engines.simulator.events import LAST, Events, Kinds
from springline.engines.simulator.world import World
from springline.scenario.topology import Tree
from springline.state import state

TICK, COME = range(2)


@state
class Parcel(NamedTuple):
    """A message on its way; sender is a node, a leaf if it is at least M."""

    message: Message
    sender: int
    clock: int  # messages that the sender had taken in


class Nodes(Events[TreeCoupling]):
    """By inner node: ticks; taken, the messages taken in; busy, until when it serves what it was sent.
    between: bytes sent from inner node to inner node.
    """

    def __init__(self, job: Job, sink: Sink) -> None:
        super().__init__(job, sink)
        tree = job.scenario.topology
        assert isinstance(tree, Tree)
        self.tree, self.inner = tree, tree.inner(job.workers)
        self.alpha = self.coupling.alpha_of(tree.d)
        self.ticks, self.taken, self.busy = [0] * self.inner, [0] * self.inner, [0.0] * self.inner
        self.between = 0

    def kinds(self) -> Kinds:
        return {TICK: self.tick, COME: self.come}

    def open(self) -> None:
        super().open()
        for node in range(self.inner):
            self.next_tick(node, 0.0)

    def holders(self) -> int:
        return self.inner

    def clock(self, i: int) -> int:
        return self.taken[self.tree.parent(self.inner + i)]

    def exported(self) -> Outcome:
        return Outcome(self.coupling.readout(self.center), self.center.rows["b"][0])

    def world(self) -> World:
        extra = {"ticks": self.ticks, "taken": self.taken, "busy": self.busy, "between": self.between}
        return super().world()._replace(extra=extra)

    def restore(self, world: World) -> None:
        super().restore(world)
        self.ticks, self.taken, self.busy = (list(world.extra[name]) for name in ("ticks", "taken", "busy"))
        self.between = world.extra["between"]

    def next_tick(self, node: int, time: float) -> None:
        """The next tick at which a node sends."""
        periods = [p for p in self.tree.periods(node, self.job.workers, self.job.tau) if p]
        now = self.ticks[node]
        self.ticks[node] = min((now // p + 1) * p for p in periods)
        self.at(self.scenario.pace.tick * self.ticks[node], LAST + node, TICK, node)

    def tick(self, node: int, time: float, _: Any) -> None:
        """An inner node sends what it holds."""
        up, down = self.tree.periods(node, self.job.workers, self.job.tau)
        now = self.ticks[node]
        note = Note(node, 0, False, float("nan"), 0)
        held = Message({"x": self.center.rows["x"][node].clone()}, note, {}, self.center.rows["b"][node].clone())
        if up and now % up == 0:
            self.send(node, self.tree.parent(node), held, time)
        if down and now % down == 0:
            for child in self.tree.children(node):
                self.send(node, child, held, time)
        self.next_tick(node, time)

    def send(self, sender: int, to: int, message: Message, time: float) -> None:
        leaf = max(sender, to) - self.inner
        if leaf >= 0:
            self.seats[leaf].tally.bytes += message.nbytes
        else:
            self.between += message.nbytes
        network = self.scenario.network
        arrival = time + network.transfer(message.nbytes)
        if to < self.inner:  # messages of one size arrive in the order in which they were sent
            arrival = self.busy[to] = max(arrival, self.busy[to]) + network.serving(message.nbytes)
        clock = self.taken[sender] if sender < self.inner else 0
        self.at(arrival, LAST + to, COME, to, Parcel(message, sender, clock))

    @abstractmethod
    def come(self, to: int, time: float, parcel: Parcel) -> None:
        """A message reaches a node."""

    def take(self, node: int, message: Message) -> bool:
        """An inner node takes in a message, unless it is damaged."""
        x, b = self.center.rows["x"][node], self.center.rows["b"][node]
        if not self.coupling.fit(x, message):
            return False
        self.updates += 1
        self.taken[node] += 1
        x.copy_(self.coupling.meet(x, message.vectors["x"], self.alpha))
        b.copy_(self.coupling.meet(b, message.buffers, self.alpha))
        return True
