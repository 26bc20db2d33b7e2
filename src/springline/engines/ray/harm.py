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

    def hit(self, member: Member, fate: Fate) -> None:
        if fate.killed and member.lives:
            member.kill()

    def say_absent(self, i: int, round: int) -> bool:
        center = self.boss.center
        if center.state == "up":
            center.lead.absent.remote(i, round)
        return center.state == "up"

    def end_center(self, down: bool, again: bool) -> bool:
        center = self.boss.center
        center.down = down
        struck = center.state == "up" and (down or again)
        if struck:
            center.lose("the scenario ends it", wanted=True)
            center.kill()
        return struck
