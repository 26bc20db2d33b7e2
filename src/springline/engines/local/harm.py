"""The scenario, carried out on processes: SIGKILL, SIGSTOP and SIGCONT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from springline.engines.local.crew import Member
from springline.engines.real import wire
from springline.engines.real.harm import RealHarm
from springline.scenario.fault import Fate

if TYPE_CHECKING:
    from springline.engines.local.staff import Staff

TICK = 0.02  # seconds between two looks at the scenario


class Harm(RealHarm):
    boss: Staff

    def __init__(self, boss: Staff) -> None:
        super().__init__(boss, boss.plan.capacity)
        self.any = bool(boss.job.scenario.faults)

    def hit(self, member: Member, fate: Fate) -> None:
        if fate.killed:
            if member.lives or (member.state == "frozen" and member.pid):
                member.kill()
        elif member.lives and member.state == "up":
            member.freeze()

    def let_go_on(self, member: Member) -> None:
        if member.state == "frozen":
            member.thaw()

    def say_absent(self, i: int, round: int) -> bool:
        center = self.boss.center
        if center.state != "up" or center.sock is None:
            return False
        wire.send(center.sock, {"absent": i, "round": round})
        return True

    def end_center(self, down: bool, again: bool) -> bool:
        boss = self.boss
        boss.center_down = down
        struck = boss.center.lives and (down or again)
        if struck:
            boss.center.kill()
        return struck
