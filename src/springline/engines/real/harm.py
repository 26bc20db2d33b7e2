"""The scenario, carried out on real workers, and the rounds of those who are down.

A span in rounds is one of that worker's rounds, one in seconds real seconds. While a worker is down its rounds go by at
the pace it had, each of them a lost attempt, as in the simulator. What happens to messages happens in the workers, by
the same draws.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from functools import partial
from typing import Any

from springline.engines.real.faults import of_center, of_workers
from springline.scenario.fault import Fate, Moment
from springline.scenario.scenario import Fates
from springline.scenario.spans import Span
from springline.streams import stream

UNKNOWN_PACE = 0.05  # seconds per round of workers of which none has made one


class RealHarm(ABC):
    """boss: whose crew, center and tallies they are.  room: for so many workers.  center: the timelines of its faults,
    each with the unit of its spans.
    """

    boss: Any

    def __init__(self, boss: Any, room: int) -> None:
        self.boss, job = boss, boss.job
        self.fates = Fates(of_workers(job.scenario), job.seed, room)
        self.center = []
        for nth, fault in enumerate(of_center(job.scenario)):
            timeline = fault.timeline(partial(stream, job.seed, f"fault {fault.name}", nth, 0))
            self.center.append((timeline, Span.of(fault.mtbf, "mtbf").unit))
        self.deaths: int | None = None  # of the center, of those that were counted in rounds

    def tick(self) -> None:
        now = time.monotonic() - self.boss.zero
        for member in self.boss.crew:
            if member.state != "gone":
                self.befall(member, now)
        if self.center:
            self.strike_center(now)

    def befall(self, member: Any, now: float) -> None:
        round = self.boss.tallies.last(member.i) + 1
        fate = self.fates.of(member.i, Moment(round, now, member.seen))
        member.seen = now
        if fate.rejoin is not None and member.came_back != round:
            member.rejoin, member.came_back = fate.rejoin, round
            if member.lives and not member.down:  # it was down for less than a tick
                member.kill()
        was, member.down = member.down, not fate.computes
        if not member.down:
            self.let_go_on(member)
            return
        if not was:
            member.absent_at = now + self.pace(member)
        self.hit(member, fate)
        if now >= member.absent_at and self.say_absent(member.i, round):
            member.absent_at = now + self.pace(member)

    def pace(self, member: Any) -> float:
        """Seconds that a round of this worker takes, or else one of the others."""
        vitals = self.boss.ground.vitals
        paces = [p for m in self.boss.crew if (p := vitals(m.i)["pace"])]
        return vitals(member.i)["pace"] or (sum(paces) / len(paces) if paces else UNKNOWN_PACE)

    @abstractmethod
    def hit(self, member: Any, fate: Fate) -> None:
        """Make a worker that is to be down be down."""

    def let_go_on(self, member: Any) -> None:  # noqa: B027 (an engine may have nothing to do)
        """A worker is not to be down."""

    @abstractmethod
    def say_absent(self, i: int, round: int) -> bool:
        """Tell the center that this round of worker i has gone by; False if it cannot be told now.

        The center may have heard of it already, though it did not show when the round was looked up.
        """

    @abstractmethod
    def end_center(self, down: bool, again: bool) -> bool:
        """Keep the center down, or end it once more; whether it lived and was ended."""

    def strike_center(self, now: float) -> None:
        """Down for seconds the center is not started meanwhile; rounds do not go by without it, so it is at once."""
        rounds = self.boss.resolved // self.boss.plan.workers
        strikes = [(t.interval(now if unit == "s" else rounds), unit) for t, unit in self.center]
        deaths = sum((k + 1) // 2 for k, unit in strikes if unit == "r")
        self.deaths = deaths if self.deaths is None else self.deaths  # a resumed run has those before it behind it
        if self.end_center(any(k % 2 for k, unit in strikes if unit == "s"), deaths > self.deaths):
            self.deaths = deaths
