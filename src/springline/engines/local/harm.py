"""The scenario, carried out on real processes: SIGKILL, SIGSTOP and SIGCONT, and the rounds of those who are down.

A span in rounds is one of that worker's rounds (of the run's, where it befalls the center), one in seconds real
seconds. While a worker is down its rounds go by at the pace it had, each of them a lost attempt, as in the simulator.
What happens to messages happens in the workers.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from springline.engines.local import wire
from springline.engines.local.crew import Member
from springline.engines.local.faults import of_center, of_workers
from springline.scenario.fault import Fate, Moment
from springline.scenario.scenario import Fates
from springline.scenario.spans import Span
from springline.streams import stream

if TYPE_CHECKING:
    from springline.engines.local.staff import Staff

TICK = 0.02  # seconds between two looks at the scenario
UNKNOWN_PACE = 0.05  # seconds per round of workers of which none has made one


class Harm:
    def __init__(self, boss: Staff) -> None:
        self.boss, job = boss, boss.job
        scenario = of_workers(job.scenario)
        self.fates = Fates(scenario, job.seed, boss.plan.capacity)
        self.center = []
        for nth, fault in enumerate(of_center(job.scenario)):
            timeline = fault.timeline(partial(stream, job.seed, f"fault {fault.name}", nth, 0))
            self.center.append((timeline, Span.of(fault.mtbf, "mtbf").unit))
        self.deaths: int | None = None  # of the center, of those that were counted in rounds
        self.any = bool(job.scenario.faults)

    def tick(self) -> None:
        now = time.monotonic() - self.boss.zero
        for member in self.boss.crew:
            if member.state != "gone":
                self.befall(member, now)
        if self.center:
            self.strike_center(now)

    def befall(self, member: Member, now: float) -> None:
        boss = self.boss
        round = boss.tallies.last(member.i) + 1
        fate = self.fates.of(member.i, Moment(round, now, member.seen))
        member.seen = now
        if fate.rejoin is not None and member.came_back != round:
            member.rejoin, member.came_back = fate.rejoin, round
            if member.lives and not member.down:  # it was down for less than a tick
                member.kill()
        was, member.down = member.down, not fate.computes
        if member.down:
            if not was:
                member.absent_at = now + self.pace(member)
            self.hit(member, fate)
            if now >= member.absent_at and boss.center.state == "up" and boss.center.sock is not None:
                wire.send(boss.center.sock, {"absent": member.i})
                member.absent_at = now + self.pace(member)
        elif member.state == "frozen":
            member.thaw()

    def hit(self, member: Member, fate: Fate) -> None:
        """Make a worker that is to be down be down."""
        if fate.killed:
            if member.lives or (member.state == "frozen" and member.pid):
                member.kill()
        elif member.lives and member.state == "up":
            member.freeze()

    def pace(self, member: Member) -> float:
        """Seconds that a round of this worker takes, or else one of the others."""
        paces = [p for m in self.boss.crew if (p := self.boss.ground.vitals(m.i)["pace"])]
        return self.boss.ground.vitals(member.i)["pace"] or (sum(paces) / len(paces) if paces else UNKNOWN_PACE)

    def strike_center(self, now: float) -> None:
        """Down for seconds the center is not started meanwhile; rounds do not go by without it, so it is at once."""
        boss = self.boss
        rounds = boss.resolved // boss.plan.workers
        strikes = [(t.interval(now if unit == "s" else rounds), unit) for t, unit in self.center]
        boss.center_down = any(k % 2 for k, unit in strikes if unit == "s")
        deaths = sum((k + 1) // 2 for k, unit in strikes if unit == "r")
        self.deaths = deaths if self.deaths is None else self.deaths  # a resumed run has those before it behind it
        if boss.center.lives and (boss.center_down or deaths > self.deaths):
            self.deaths = deaths
            boss.center.kill()
