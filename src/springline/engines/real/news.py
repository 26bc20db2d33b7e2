"""What is written and told about a run of real workers: rows of metrics, checkpoints, the state of every worker."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from springline.couplings.base import Center
from springline.engines.base import Row
from springline.engines.real.boss import Boss, Vitals
from springline.engines.real.tally import Tally
from springline.engines.real.words import too_few
from springline.files import finite
from springline.state import state


@state
class LocalState(NamedTuple):
    """What a checkpoint holds: the center whole, and of the workers how far they are. They start anew from the center,
    each with a fresh optimiser; what they had learned since their last exchange is lost."""

    center: Center
    tallies: list[list[float]]  # of each worker, see tally.py
    steps: list[int]
    resolved: int  # attempts whose outcome is known
    updates: int
    seconds: float
    tickets: int  # chunks of the data that have been claimed


class Glance(NamedTuple):
    """A moment of a run, from which a row is made: a number of each worker's per list. None of it changes any more."""

    tallies: list[Tally]
    vitals: list[Vitals]
    restarts: list[int]


def row(glance: Glance, round: int, seconds: float) -> Row:
    """A row of metrics, with the columns of the simulator's."""
    columns = dict(zip(Tally._fields, zip(*glance.tallies, strict=True), strict=True))
    vitals = glance.vitals
    found: Row = {"round": round, "time": seconds}
    for name in ("made", "lost", "refused", "unanswered", "repeated"):
        found[f"exchanges_{name}"] = int(sum(columns[name]))
    found["bytes"] = int(sum(columns["bytes"]))
    workers: dict[str, list[Any]] = {}
    for name in ("distance", "score", "h1", "h2"):
        workers[name] = finite(columns[name])
    for name in ("made", "lost", "lag"):
        workers[name] = list(map(int, columns[name]))
    workers["gap"] = [None] * len(vitals)  # a worker's position is nobody's business but its own
    for name in ("computing", "communicating", "waiting"):
        workers[name] = [round_(v[name]) for v in vitals]
    workers["steps"] = [int(v["steps"]) for v in vitals]
    workers["restarts"] = glance.restarts
    return found | {"workers": workers}


def paused_row(boss: Boss) -> Row:
    """How long the run has waited for workers, and how often the center was restarted."""
    return {"paused": round_(boss.pauses.total), "center_restarts": boss.center.restarts}


def status(boss: Boss) -> dict[str, Any]:
    """The run as it is now."""
    now = time.monotonic()
    workers = []
    for member in boss.crew:
        tally, vitals = boss.tallies.read(member.i), boss.ground.vitals(member.i)
        states = {"absent": "dead", "dying": "dead", "starting": "restarting" if member.restarts else "starting"}
        workers.append(
            {
                "worker": member.i,
                "pid": member.pid,
                "state": states.get(member.state, member.state if member.state != "up" else vitals.state),
                "silent": round_(now - vitals["since"]) if vitals["since"] else None,
                "exchanged": round_(now - tally.when) if tally.when else None,
                "rounds": int(tally.last),
                "steps": int(vitals["steps"]),
                "steps_per_s": round_(boss.job.tau / vitals["pace"]) if vitals["pace"] else None,
                "loss": finite(vitals["loss"]),
                "age": round_(vitals.age),
                "restarts": member.restarts,
            }
            | {name: finite(getattr(tally, name)) for name in ("distance", "score", "h1", "h2")}
            | {name: int(getattr(tally, name)) for name in ("made", "lost", "refused", "repeated", "lag")}
        )
    alive = sum(m.state == "up" for m in boss.crew)
    waits = too_few(alive, boss.engine.min_workers) if boss.pauses.since is not None else None
    return {
        "round": boss.told,
        "rounds": boss.job.rounds,
        "seconds": round_(now - boss.zero),
        "updates": boss.updates,
        "waits": waits,
        "center": {"pid": boss.center.pid, "state": boss.center.state, "restarts": boss.center.restarts},
        "strangers": len(boss.strangers),
        "workers": workers,
    }


def round_(value: float) -> float:
    return round(value, 3)
