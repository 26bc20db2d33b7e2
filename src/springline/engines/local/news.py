"""The state of a run on shared memory, as its checkpoints hold it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from springline.engines.local.tickets import Tickets
from springline.engines.real.news import LocalState

if TYPE_CHECKING:
    from springline.engines.local.overseer import Overseer


def state_of(boss: Overseer, seconds: float) -> Callable[[], LocalState]:
    """The state that the spare copy of the center belongs to."""
    tallies = [list(boss.ground.spare_tallies.read(m.i)) for m in boss.crew]
    steps = [int(boss.ground.vitals(m.i)["steps"]) for m in boss.crew]
    resolved, updates = boss.resolved, boss.updates
    center, tickets = boss.ground.spare(), Tickets(boss.ground.path).drawn
    return lambda: LocalState(center, tallies, steps, resolved, updates, seconds, tickets)
