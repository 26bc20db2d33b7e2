"""Synchronous: the center serves the messages of a round at once, those that came by its deadline.

The center opens a round when it has served the last one. It closes it as soon as it has a message of every worker, or
`deadline` times as long after the opening as the quickest of its messages took: that worker's steps, and the way there
and back. Whoever comes later is in the next round; whoever failed holds up nobody beyond the deadline. A round of
messages is one update of the center.
"""

from __future__ import annotations

from springline.couplings.sync_base import SyncCoupling
from springline.engines.base import Row, Sink
from springline.engines.job import Job
from springline.engines.simulator.events import LAST, Kinds
from springline.engines.simulator.loop import Loop
from springline.engines.simulator.world import Sent, World

CLOSE = 4


class Synchronous(Loop[SyncCoupling]):
    """opened: when; inbox: the messages of this round by worker; closes: when at the latest; number: of the round."""

    def __init__(self, job: Job, sink: Sink) -> None:
        super().__init__(job, sink)
        self.opened, self.closes = 0.0, float("inf")
        self.number = self.incomplete = 0
        self.inbox: dict[int, Sent] = {}

    def kinds(self) -> Kinds:
        return super().kinds() | {CLOSE: self.due}

    def world(self) -> World:
        inbox = {str(i): sent for i, sent in self.inbox.items()}
        extra = {"opened": self.opened, "closes": self.closes, "number": self.number}
        return super().world()._replace(extra=extra | {"inbox": inbox, "incomplete": self.incomplete})

    def restore(self, world: World) -> None:
        super().restore(world)
        extra = world.extra
        self.opened, self.closes, self.number = extra["opened"], extra["closes"], extra["number"]
        self.inbox = {int(i): sent for i, sent in extra["inbox"].items()}
        self.incomplete = extra["incomplete"]

    def arrive(self, i: int, time: float, sent: Sent) -> None:
        if i in self.inbox:  # it never heard of its first message, or lost its state since: the second counts
            self.seats[i].tally.lost += 1
            self.resolved += 1
        self.inbox[i] = sent
        if len(self.inbox) == self.job.workers:
            self.close(time)
            return
        closes = max(time, self.opened + self.coupling.deadline * sent.took)
        if closes < self.closes:
            self.closes = closes
            self.at(closes, LAST, CLOSE, i, self.number)

    def due(self, i: int, time: float, number: int) -> None:
        """The deadline of a round, unless it is closed already or has an earlier one."""
        if number == self.number and time >= self.closes:
            self.incomplete += 1
            self.close(time)

    def close(self, time: float) -> None:
        """Serve the messages of this round and open the next."""
        arrived = sorted(self.inbox.items())
        self.inbox, self.closes, self.number = {}, float("inf"), self.number + 1
        apart = [self.apart(i, sent) for i, sent in arrived]
        messages = [sent.message for _, sent in arrived]
        self.center, replies = self.coupling.serve_round_(self.center, messages)
        self.updates += any(reply.accepted for reply in replies)
        self.opened = self.serving(time, messages)
        for (i, sent), reply, how in zip(arrived, replies, apart, strict=True):
            self.answer(i, sent, reply, self.opened, how)

    def row(self, time: float) -> Row:
        """Also how many rounds went on without everybody."""
        return super().row(time) | {"rounds_incomplete": self.incomplete}
