"""Virtual time: a heap of events (time, priority, sequence), and what all protocols share.

A round of a worker is τ local steps and one attempt to exchange, whether or not the attempt succeeds or the worker is
up. Faults are looked up at the beginning of each round. A row is written whenever N more attempts have been resolved.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from springline.couplings.base import Center, Exchange
from springline.engines.base import Outcome, Row, Sink
from springline.engines.evaluator import Evaluator
from springline.engines.job import Job
from springline.engines.simulator.record import counts, per_worker
from springline.engines.simulator.world import Event, Seat, World
from springline.engines.worker import Replica
from springline.scenario.fault import Moment
from springline.scenario.scenario import Fates
from springline.tasks.allocator import KEPT, give_back_freed_memory

LAST = 1 << 63  # priority of what comes after all that the workers do at the same time

C = TypeVar("C", bound=Exchange)
Kinds = dict[int, Callable[[int, float, Any], None]]  # what is done at an event, given (worker or node, time, what)


class Events(ABC, Generic[C]):
    """A simulation in its first moment. C: the couplings whose protocol it is.

    `run` takes up a state, or begins with the workers' first rounds (`open`); a protocol adds its own to `open`,
    `kinds`, `world` and `restore`.
    """

    center: Center
    seats: list[Seat]

    def __init__(self, job: Job, sink: Sink) -> None:
        self.job, self.sink, self.scenario = job, sink, job.scenario
        self.coupling = cast(C, job.method.coupling)  # by its protocol this class was chosen
        self.fates = Fates(job.scenario, job.seed, job.workers)
        self.replica = Replica(job)
        self.evaluator = Evaluator(job)
        self.heap: list[Event] = []
        self.sequence = self.resolved = self.updates = self.round = self.tickets = 0
        self.free = 0.0
        self.fresh = 0  # bytes of the vectors that steps have made since freed memory was given back
        self.shared = self.replica.b0 if job.buffers == "shared" else None

    def run(self, resumed: World | None) -> Outcome:
        if resumed is None:
            self.open()
        else:
            self.restore(resumed)
        kinds = self.kinds()
        while self.round < self.job.rounds:
            time, _, _, kind, i, what = heapq.heappop(self.heap)
            kinds[kind](i, time, what)
            while self.resolved >= (self.round + 1) * self.job.workers and self.round < self.job.rounds:
                self.round += 1
                self.sink.row(self.row(time))
                self.sink.checkpoint(self.world)
        return self.outcome()

    @abstractmethod
    def kinds(self) -> Kinds:
        """What is done at each kind of event."""

    def open(self) -> None:
        """Everybody stands at the center and begins."""
        x0, b0 = self.replica.x0, self.replica.b0
        self.center = self.coupling.center(x0, b0, self.holders())
        self.seats = [Seat(self.replica.start(i)) for i in range(self.job.workers)]
        for i in range(self.job.workers):
            self.begin(i, 0.0)

    def holders(self) -> int:
        """For how many the center has a row: the workers."""
        return self.job.workers

    def exported(self) -> Outcome:
        """The center's parameters and buffers."""
        return Outcome(self.coupling.readout(self.center), self.center.buffers)

    def outcome(self) -> Outcome:
        """What is evaluated, and left at the end."""
        x, buffers = self.exported()
        return Outcome(x, buffers if self.shared is None else self.shared)

    def world(self) -> World:
        """The state between two events."""
        return World(
            [seat.copy() for seat in self.seats], self.center, self.heap, self.sequence, self.resolved, self.updates,
            self.free, self.round, tickets=self.tickets, shared=self.shared,
        )  # fmt: skip

    def restore(self, world: World) -> None:
        """Take up a state."""
        self.seats, self.center, self.heap = [seat.copy() for seat in world.seats], world.center, list(world.heap)
        self.sequence, self.resolved, self.updates = world.sequence, world.resolved, world.updates
        self.free, self.round = world.free, world.round
        self.tickets, self.shared = world.tickets, world.shared

    # -- a worker's round

    @abstractmethod
    def begin(self, i: int, time: float) -> None:
        """A worker begins its next round: its fate is looked up, its steps are timed."""

    def enter(self, i: int, time: float) -> Seat:
        """The worker in its next round, whose fate is known; if it comes back in it, as it comes back."""
        seat = self.seats[i]
        seat.round += 1
        seat.fate = fate = self.fates.of(i, Moment(seat.round, time, seat.begun))
        seat.begun, seat.rejoin, seat.todo = time, fate.rejoin or seat.rejoin, self.job.tau
        if fate.computes:
            if seat.rejoin is not None:
                self.rejoin(seat)
            seat.me = self.replica.claim(seat.me, self.job.tau, self.ticket)
        return seat

    def ticket(self) -> int:
        """The next chunk of the data, claimed in the order of virtual time."""
        self.tickets += 1
        return self.tickets - 1

    # -- means

    def schedule(self, time: float, kind: int, i: int, what: Any = None) -> None:
        """An event of worker i; of those that happen at once, the pace says who is first."""
        self.at(time, self.scenario.pace.priority(self.job.seed, i, self.seats[i].round), kind, i, what)

    def at(self, time: float, priority: int, kind: int, i: int, what: Any = None) -> None:
        heapq.heappush(self.heap, (time, priority, self.sequence, kind, i, what))
        self.sequence += 1

    def train(self, i: int, steps: int, seconds: float) -> None:
        """A worker makes its next steps, on the buffers of all where they share one set."""
        seat = self.seats[i]
        if not steps:
            return
        me = seat.me if self.shared is None else seat.me._replace(buffers=self.shared)
        seat.me = me = self.replica.train(me, steps, seat.round or None)
        seat.todo -= steps
        seat.tally.computing += seconds
        self.fresh += me.x.nbytes * steps
        if min(self.fresh, me.x.nbytes * len(self.seats)) > KEPT:
            self.fresh = 0
            give_back_freed_memory()
        if self.shared is not None:
            self.shared = me.buffers

    def rejoin(self, seat: Seat) -> None:
        """The worker comes back, with what its crash left it; an answer to what it was before is nothing to it now."""
        assert seat.rejoin is not None
        x = self.coupling.start(self.center)
        seat.me = self.replica.rejoin(seat.me, seat.rejoin, x, self.exported().buffers)
        if seat.rejoin != "stale":
            seat.awaiting, seat.answer, seat.clock = None, None, self.clock(seat.me.worker)
        seat.rejoin = None

    def clock(self, i: int) -> int:
        """The messages that have been taken in where worker i's go."""
        return self.updates

    def row(self, time: float) -> Row:
        """The metrics of the round that has just ended."""
        x, buffers = self.outcome()
        row: Row = {"round": self.round, "time": time}
        if self.round % self.job.eval_every == 0 or self.round == self.job.rounds:
            row |= self.evaluator(x, buffers)
        return row | counts(self.seats) | {"workers": per_worker(self.seats, self.coupling.position(self.center))}
