"""What stands where in the shared memory of a run.

center   words, two records, a reply per worker, tallies, sums, the undo block, the center's vectors, their spare copy
box-i    what worker i says about itself, the vectors of its message and then of its reply, its buffers
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from springline.couplings.base import BLOCK, Center, Coupling, Exchange, Message, Note, Reply
from springline.couplings.sync_base import SyncCoupling
from springline.engines.job import Job
from springline.engines.local.memory import PAGE, Region, up
from springline.engines.real.kinds import kind_of, written

CHUNK = BLOCK  # elements changed at once: few enough to stay in the cache with their old values, many enough to pay
REPLY = 16 << 10  # bytes for the scalars of one reply
TALLIES = 16  # room for the numbers that the center keeps about a worker, see tally.py
SUMS = 64  # the most numbers that a coupling may measure
STEP, UNDO, TOLD, SPARE, WANTED, PAUSED, SWAPPED, EXPECTED = range(8)  # words


@dataclass(frozen=True)
class Plan:
    """size: P; buffer_size: B; workers: N at the start; capacity: the most there may ever be.

    shared, rows: names of the center's vectors; message, reply: of those on the way.
    order: the scripted order of attempts, repeated; empty without a script.
    together: the messages of a round are served at once.  apart: a message is still there when its reply is.
    slack: the part of a round that a worker has gone on with when it wants the reply.
    """

    size: int
    buffer_size: int
    dtype: str
    buffer_dtype: str
    workers: int
    capacity: int
    rounds: int
    eval_every: int
    shared: tuple[str, ...]
    rows: tuple[str, ...]
    message: tuple[str, ...]
    reply: tuple[str, ...]
    order: tuple[int, ...] = ()
    together: bool = False
    apart: bool = False
    slack: float = 0.0

    @property
    def kind(self) -> torch.dtype:
        return kind_of(self.dtype)

    @property
    def buffer_kind(self) -> torch.dtype:
        return kind_of(self.buffer_dtype)

    @property
    def total(self) -> int:
        """Attempts in the whole run."""
        return self.rounds * self.workers

    @property
    def slots(self) -> int:
        """Vectors in a box."""
        return max(len(self.message), len(self.reply))

    @cached_property
    def vector(self) -> int:
        """Bytes from one vector to the next."""
        return up(self.size * self.kind.itemsize)

    @cached_property
    def buffer(self) -> int:
        return up(self.buffer_size * self.buffer_kind.itemsize)

    @cached_property
    def record(self) -> int:
        return up((64 << 10) + 512 * self.capacity)

    # -- offsets in `center`

    @property
    def records(self) -> int:
        return PAGE

    @property
    def replies(self) -> int:
        return self.records + 2 * self.record

    @property
    def tallies(self) -> int:
        return self.replies + self.capacity * REPLY

    @property
    def sums(self) -> int:
        return self.tallies + 2 * self.capacity * TALLIES * 8

    @property
    def undo(self) -> int:
        return up(self.sums + 2 * SUMS * 8)

    @property
    def undo_rows(self) -> int:
        return len(self.shared) + len(self.rows) * (self.capacity if self.together else 1)

    @property
    def vectors(self) -> int:
        return self.undo + up(self.undo_rows * CHUNK * max(self.kind.itemsize, self.buffer_kind.itemsize))

    @property
    def stripe(self) -> int:
        """Bytes that all vectors of a center take."""
        return (len(self.shared) + len(self.rows) * self.capacity) * self.vector + self.buffer

    @property
    def center_size(self) -> int:
        return self.vectors + 2 * self.stripe

    def ranges(self, members: int) -> list[tuple[int, int]]:
        """What of `center` needs memory with this many members; the rows of those who never come need none."""
        found = [(0, self.vectors)]
        for copy in range(2):
            start = self.vectors + copy * self.stripe
            found.append((start, len(self.shared) * self.vector + self.buffer))
            start += len(self.shared) * self.vector + self.buffer
            found += [(start + k * self.capacity * self.vector, members * self.vector) for k in range(len(self.rows))]
        return found

    # -- offsets in a box

    def reply_at(self, k: int) -> int:
        return PAGE + k * (self.vector + CHUNK * self.kind.itemsize)

    def message_at(self, k: int) -> int:
        """One chunk behind the reply's place, so that a chunk of the reply never overwrites the chunk it is made of."""
        return self.reply_at(k + self.slots) if self.apart else self.reply_at(k) + CHUNK * self.kind.itemsize

    @property
    def box_buffers(self) -> int:
        return self.reply_at(self.slots * (1 + self.apart))

    @property
    def box_size(self) -> int:
        return self.box_buffers + self.buffer

    # -- for processes that were not started by this run

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @staticmethod
    def load(path: Path) -> Plan:
        values = json.loads(path.read_text())
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return Plan(**fields)


def plan(job: Job, x0: Tensor, b0: Tensor, capacity: int, order: tuple[int, ...]) -> Plan:
    """The plan of a run. The names on the way are found by one exchange of four elements."""
    coupling = job.method.coupling
    few = torch.zeros(4, dtype=x0.dtype)
    center = coupling.center(few, few[:0], job.workers)
    _, message = coupling.push(coupling.worker(few), few + 1, Note(0, 0, False, 1.0, 1), few[:0])
    _, (reply,) = serve(coupling, center, [message])
    return Plan(
        size=len(x0),
        buffer_size=len(b0),
        dtype=written(x0.dtype),
        buffer_dtype=written(b0.dtype),
        workers=job.workers,
        capacity=capacity,
        rounds=job.rounds,
        eval_every=job.eval_every,
        shared=tuple(center.shared),
        rows=tuple(center.rows),
        message=tuple(message.vectors),
        reply=tuple(reply.vectors),
        order=order,
        together=coupling.protocol == "round",
        apart=isinstance(coupling, Coupling) and coupling.by_sums == "rarely" and not center.rows and len(x0) > CHUNK,
        slack=job.pull_after / job.tau,
    )


def serve(coupling: Exchange, center: Center, messages: list[Message]) -> tuple[Center, list[Reply]]:
    """The readable reference of what a center process does with the messages it serves at once."""
    if isinstance(coupling, SyncCoupling):
        return coupling.serve_round_(center, messages)
    assert isinstance(coupling, Coupling)
    replies = []
    for message in messages:
        center, reply = coupling.serve_(center, message)
        replies.append(reply)
    return center, replies


def views(plan: Plan, region: Region, members: int, *, spare: bool = False) -> Center:
    """The center's tensors (or those of its spare copy) in the mapped file, with rows for this many members.

    The two may have changed places, see sweep.py.
    """
    swapped = bool(region.words(0, PAGE // 8)[SWAPPED])
    at = plan.vectors + (plan.stripe if spare != swapped else 0)
    shared = {}
    for name in plan.shared:
        shared[name] = region.tensor(at, (plan.size,), plan.kind)
        at += plan.vector
    buffers = region.tensor(at, (plan.buffer_size,), plan.buffer_kind)
    at += plan.buffer
    rows = {}
    for name in plan.rows:
        whole = region.tensor(at, (members, plan.vector // plan.kind.itemsize), plan.kind)
        rows[name] = whole[:, : plan.size]
        at += plan.capacity * plan.vector
    return Center(shared, rows, buffers, {})
