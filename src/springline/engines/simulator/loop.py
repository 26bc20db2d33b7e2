"""Workers around one center, each with a message to it and a reply.

READY    a worker has made its τ local steps and attempts an exchange
ARRIVE   its message reaches the center, which serves as its protocol says (star.py, synchronous.py)
ANSWER   the reply reaches the worker
LAND     the moment, `pull_after` steps into the next round, at which the worker wants that reply
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from springline.couplings.base import Message, Reply
from springline.engines.damage import damaged
from springline.engines.simulator.events import C, Events, Kinds
from springline.engines.simulator.record import gap
from springline.engines.simulator.world import Answer, Sent

READY, ARRIVE, ANSWER, LAND = range(4)


class Loop(Events[C]):
    """A protocol adds what the center does with a message."""

    def kinds(self) -> Kinds:
        return {READY: self.ready, ARRIVE: self.arrive, ANSWER: self.hear, LAND: self.land}

    # -- a worker's round

    def begin(self, i: int, time: float) -> None:
        job, seat = self.job, self.enter(i, time)
        first = (seat.round - 1) * job.tau
        steps = [self.scenario.pace.step_time(job.seed, i, first + j) * seat.fate.slowness for j in range(job.tau)]
        lands = seat.fate.computes and (seat.awaiting is not None or seat.answer is not None)
        seat.length = seat.rest = sum(steps)
        if lands:
            seat.rest = sum(steps[job.pull_after :])
            self.schedule(time + (seat.length - seat.rest), LAND, i)
        else:
            self.schedule(time + seat.length, READY, i)

    def land(self, i: int, time: float, _: Any) -> None:
        """The worker wants the answer now, and waits for it if it must."""
        seat = self.seats[i]
        self.train(i, self.job.pull_after, seat.length - seat.rest)
        if seat.answer is None:
            seat.blocked = time
        else:
            self.proceed(i, time)

    def proceed(self, i: int, time: float) -> None:
        """The pull lands, and the round goes on."""
        seat = self.seats[i]
        answer, tally = seat.answer, seat.tally
        assert answer is not None
        if answer.reply.accepted:
            # attempts made while it was down, after the one that is answered only now, have all failed
            seat.me = self.replica.pull(seat.me, answer.reply, missed=seat.round - 1 - answer.asked)
            seat.clock = answer.clock
            tally.strikes = 0
        else:
            seat.me = self.replica.miss(seat.me, self.coupling.readout(self.center), told=True)
            tally.strikes += 1
        seat.answer = seat.blocked = None
        if tally.strikes >= self.coupling.patience:
            seat.rejoin, tally.strikes = "center", 0
            self.rejoin(seat)
        self.schedule(time + seat.rest, READY, i)

    def ready(self, i: int, time: float, _: Any) -> None:
        """The steps of a round are made; the worker attempts an exchange and begins its next round."""
        seat = self.seats[i]
        fate = seat.fate
        if fate.computes and seat.todo:
            self.train_together(i, time)
        if fate.computes and fate.pushed:
            seat.me, message = self.replica.push(seat.me)
            message = damaged(message, fate.damage, self.job.seed, seat.round)
            size = message.nbytes
            way = self.scenario.network.transfer(size)
            seat.awaiting = seat.round if fate.answered else None
            seat.tally.bytes += size
            self.schedule(time + way, ARRIVE, i, Sent(message, seat.me.x, seat.awaiting, seat.length + 2 * way))
            if not fate.answered:
                seat.me = self.replica.miss(seat.me, self.coupling.readout(self.center))
        else:
            if fate.computes:
                seat.me = self.replica.miss(seat.me, self.coupling.readout(self.center))
            else:
                seat.me = seat.me._replace(missed=seat.me.missed + 1)
            seat.tally.lost += 1
            self.resolved += 1
        self.begin(i, time)

    def train_together(self, i: int, time: float) -> None:
        """All whose rounds end at this moment make their steps, one after the other, before any of them exchanges.

        What is exchanged at this moment has no part in these steps, and code that is still in the processor's caches
        runs about twice as fast.
        """
        others = sorted((p, s, j) for t, p, s, kind, j, _ in self.heap if t == time and kind == READY)
        for j in (i, *(j for _, _, j in others)):
            seat = self.seats[j]
            if seat.fate.computes:
                self.train(j, seat.todo, seat.rest)

    def hear(self, i: int, time: float, answer: Answer) -> None:
        """A reply reaches its worker, which may have been waiting for it."""
        seat = self.seats[i]
        if seat.awaiting != answer.asked:  # the worker has lost the state in which it asked
            return
        seat.awaiting, seat.answer = None, answer
        if seat.blocked is not None:
            wait = time - seat.blocked
            own = min(wait, answer.cost)
            seat.tally.communicating += own
            seat.tally.waiting += wait - own
            self.proceed(i, time)

    # -- the center

    @abstractmethod
    def arrive(self, i: int, time: float, sent: Sent) -> None:
        """A message reaches the center."""

    def serving(self, time: float, messages: Sequence[Message]) -> float:
        """When the center, which serves one at a time, has served these."""
        network = self.scenario.network
        self.free = max(time, self.free) + sum(network.serving(m.nbytes) for m in messages)
        return self.free

    def answer(self, i: int, sent: Sent, reply: Reply, time: float, apart: tuple[int, float]) -> None:
        """Count what came of a message, and send the reply if the worker is to hear it."""
        tally = self.seats[i].tally
        if reply.accepted:
            tally.decision = reply.scalars
            tally.met(*apart)
            if sent.asked is not None:
                tally.made += 1
            else:
                tally.lost += 1
                tally.unanswered += 1
        else:
            tally.lost += 1
            tally.refused += 1
        self.resolved += 1
        if sent.asked is not None:
            network, size = self.scenario.network, sent.message.nbytes
            back = network.transfer(reply.nbytes)
            cost = network.transfer(size) + network.serving(size) + back
            tally.bytes += reply.nbytes
            self.schedule(time + back, ANSWER, i, Answer(reply, sent.asked, self.updates, cost))

    def apart(self, i: int, sent: Sent) -> tuple[int, float]:
        """(lag, gap): how many updates, and how far, the center has moved on from where the worker stood.

        A worker that sends a gradient stood where it took it. One that sends its position has made its local steps
        since its last pull, so its gap holds them too: it is the distance that the exchange finds.
        """
        far = gap(self.replica.layout, sent.x, self.coupling.position(self.center))
        return self.updates - self.seats[i].clock, far
