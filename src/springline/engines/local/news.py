"""The state of a run on shared memory, as its checkpoints hold it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from springline.engines.local.tickets import Tickets
from springline.engines.real.news import Glance, LocalState

if TYPE_CHECKING:
    from springline.engines.local.overseer import Overseer


def glance(boss: Overseer) -> Glance:
    """The workers as they are now."""
    ground, there = boss.ground, [m.i for m in boss.crew]
    tallies, vitals = map(ground.tallies.read, there), (ground.vitals(i).copy() for i in there)
    return Glance(list(tallies), list(vitals), [m.restarts for m in boss.crew])


def state_of(boss: Overseer, seconds: float, *, live: bool = False) -> Callable[[], LocalState]:
    """The state that the spare copy of the center belongs to; or the center itself, when nobody exchanges any more."""
    ground = boss.ground
    center, read = (ground.live(), ground.tallies) if live else (ground.spare(), ground.spare_tallies)
    tallies = [list(read.read(m.i)) for m in boss.crew]
    steps = [int(ground.vitals(m.i)["steps"]) for m in boss.crew]
    resolved, updates = boss.resolved, boss.updates
    tickets = Tickets(ground.path).drawn
    return lambda: LocalState(center, tallies, steps, resolved, updates, seconds, tickets)
