"""The scenario, carried out on actors: those that are to be down are killed, and started anew when they are up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from springline.engines.ray.crew import Member
from springline.engines.real.harm import RealHarm
from springline.scenario.fault import Fate

if TYPE_CHECKING:
    from springline.engines.ray.driver import Driver

ROOM = 64  # workers that may join


class Harm(RealHarm):
    boss: Driver

    def __init__(self, boss: Driver) -> None:
        super().__init__(boss, boss.job.workers + ROOM)
        self.struck = 0  # deaths of the center that were counted in rounds

    def hit(self, member: Member, fate: Fate) -> None:
        if fate.killed and member.lives:
            member.kill()

    def say_absent(self, i: int) -> bool:
        center = self.boss.center
        if center.state == "up":
            center.lead.absent.remote(i)
        return center.state == "up"

    def strike_center(self, now: float) -> None:
        """Down for seconds the center is not restored meanwhile; rounds do not go by without it, so it is at once."""
        boss = self.boss
        rounds = boss.resolved // boss.plan.workers
        strikes = [(t.interval(now if unit == "s" else rounds), unit) for t, unit in self.center]
        boss.center.down = any(k % 2 for k, unit in strikes if unit == "s")
        struck = sum((k + 1) // 2 for k, unit in strikes if unit == "r")
        if boss.center.state == "up" and (boss.center.down or struck > self.struck):
            self.struck = struck
            boss.center.lose("the scenario ends it")
            boss.center.kill()
