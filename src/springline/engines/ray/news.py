"""What the driver knows from the center's news: tallies, vitals, copies of the center, and what follows from them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from springline.couplings.base import Center, Exchange, Note
from springline.engines.base import Row
from springline.engines.job import Job
from springline.engines.local.plan import serve
from springline.engines.local.records import with_one_more
from springline.engines.ray.arrays import cuts, pack, rows_of, unpack
from springline.engines.ray.call import get
from springline.engines.ray.part import Part
from springline.engines.ray.plan import Plan
from springline.engines.ray.pulse import Pulse
from springline.engines.real.kinds import written
from springline.engines.real.news import Glance, LocalState
from springline.engines.real.news import row as common_row
from springline.engines.real.tally import Tally


class Known:
    """tallies and vitals of all workers at one moment."""

    def __init__(self, told: dict[str, Any], ago: float = 0.0) -> None:
        now = time.monotonic() - ago
        self.resolved: int = told["resolved"]
        self.updates: int = told["updates"]
        self.tickets: int = told["tickets"]
        self.forgotten: int = told["forgotten"]
        self._tallies = [Tally(*t) for t in told["tallies"]]
        self._tallies = [t._replace(when=now - t.when if t.when >= 0 else 0.0) for t in self._tallies]
        self._vitals = [Pulse(v) for v in told["vitals"]]
        for v in self._vitals:
            v["since"] = now - v["silent"] if "silent" in v else 0.0

    def read(self, i: int) -> Tally:
        return self._tallies[i] if i < len(self._tallies) else Tally()

    def last(self, i: int) -> int:
        return int(self.read(i).last)

    def vitals(self, i: int) -> Pulse:
        return self._vitals[i] if i < len(self._vitals) else Pulse()

    @property
    def members(self) -> int:
        return len(self._tallies)


def row(crew: list[Any], known: Known, round: int, seconds: float) -> Row:
    """A row of metrics, with the columns of the other engines'."""
    there = crew[: known.members]
    glance = Glance([known.read(m.i) for m in there], [known.vitals(m.i) for m in there], [m.restarts for m in there])
    return common_row(glance, round, seconds) | {"exchanges_forgotten": known.forgotten}


def center_of(copy: dict[str, Any], plan: Plan) -> Center:
    """The whole center from a copy of its parts. Raises RayError if one of them is gone."""
    members, kind = len(copy["tallies"]), plan.kind
    parts = get(copy["parts"])
    shared = [unpack(s, kind) for s, _ in parts]
    rows = [rows_of(r, kind, members) for _, r in parts]
    return Center(
        {name: torch.cat([part[name] for part in shared]) for name in shared[0]},
        {name: torch.cat([part[name] for part in rows], dim=1) for name in rows[0]},
        unpack(copy["buffers"], plan.buffer_kind)["b"].clone(),
        copy["scalars"],
    )


def state_of(copy: dict[str, Any], center: Center, seconds: float) -> Callable[[], LocalState]:
    """What a checkpoint holds."""
    known = Known(copy)
    tallies = [list(known.read(i)._replace(when=0.0)) for i in range(known.members)]
    steps = [int(known.vitals(i)["steps"]) for i in range(known.members)]
    state = LocalState(center, tallies, steps, known.resolved, known.updates, seconds, known.tickets)
    return lambda: state


def ledger_of(state: LocalState, vitals: list[dict[str, float]], forgotten: int = 0) -> dict[str, Any]:
    """What a center begins to know with, beside its vectors."""
    counts = {"resolved": state.resolved, "updates": state.updates, "tickets": state.tickets, "forgotten": forgotten}
    return counts | {"tallies": state.tallies, "vitals": vitals, "scalars": state.center.scalars}


def grown(state: LocalState, coupling: Exchange, members: int) -> LocalState:
    """The state with room for so many workers: those who join find a center that had not heard of them."""
    center, more = state.center, range(len(state.tallies) + 1, members + 1)
    part, scalars = Part(coupling, center.shared, center.rows), center.scalars
    part.grow(scalars, members)
    for n in more:
        scalars = with_one_more(coupling, scalars, n)
    tallies, steps = [*state.tallies, *(list(Tally()) for _ in more)], [*state.steps, *(0 for _ in more)]
    return state._replace(center=center._replace(rows=part.rows, scalars=scalars), tallies=tallies, steps=steps)


def packed(state: LocalState, plan: Plan) -> list[tuple[Any, Any]]:
    """The center's vectors and rows, cut for its actors."""
    c = state.center
    return [(pack(c.shared, a, b), pack(c.rows, a, b)) for a, b in plan.cuts]


def beginning(job: Job, x0: Tensor, b0: Tensor) -> LocalState:
    """What a run begins with."""
    center = job.method.coupling.center(x0, b0, job.workers)
    return LocalState(center, [list(Tally()) for _ in range(job.workers)], [0] * job.workers, 0, 0, 0.0, 0)


def known_of(state: LocalState) -> Known:
    """What is known when only a checkpoint is."""
    vitals = [{"steps": steps, "round": t[0]} for steps, t in zip(state.steps, state.tallies, strict=True)]
    told = {"resolved": state.resolved, "updates": state.updates, "tickets": state.tickets, "forgotten": 0}
    return Known(told | {"tallies": [[*t[:-1], -1.0] for t in state.tallies], "vitals": vitals})


def plan_of(job: Job, x0: Tensor, b0: Tensor, shards: int, order: tuple[int, ...]) -> Plan:
    dtypes = written(x0.dtype), written(b0.dtype)
    parts = tuple(cuts(len(x0), shards))
    names = names_on_the_way(job.method.coupling, job.workers, x0.dtype)
    return Plan(len(x0), *dtypes, job.workers, job.rounds, job.eval_every, *names, parts, order)


def names_on_the_way(coupling: Exchange, workers: int, dtype: torch.dtype) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the vectors of a message and of a reply, found by one exchange of four elements."""
    few = torch.zeros(4, dtype=dtype)
    note = Note(0, 0, False, 1.0, 1)
    _, message = coupling.push(coupling.worker(few), few + 1, note, few[:0])
    _, (reply,) = serve(coupling, coupling.center(few, few[:0], workers), [message])
    return tuple(message.vectors), tuple(reply.vectors)
