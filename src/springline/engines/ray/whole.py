"""The center's vectors as one, wherever their parts are: the first one here, each of the others in an actor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import ray
import torch
from torch import Tensor

from springline.couplings.base import Exchange, Message, Scalars, Vectors
from springline.engines.ray.arrays import LARGE, Piece, nbytes, pack, rows_of, unpack
from springline.engines.ray.box import Boxes, Place
from springline.engines.ray.ledger import Attempt
from springline.engines.ray.part import Part, added, decide
from springline.engines.ray.plan import Plan
from springline.engines.ray.shard import Brought
from springline.engines.real.protocol import protocol_of

Answer = dict[str, Any]
Parcel = Any  # a piece, or where in shared memory it lies; of a reply None if it lies in the worker's box
Replies = list[tuple[list[Parcel], int]]  # each with its size in bytes


@dataclass
class Held:
    """An attempt that is not served yet. vectors: the first part of the message; room: where that of its reply goes, if
    it is not to be sent; rest: where the others lie.
    """

    attempt: Attempt
    answer: asyncio.Future[Answer]
    vectors: Vectors = field(default_factory=dict)
    room: Vectors | None = None
    rest: list[Parcel] = field(default_factory=list)
    buffers: Tensor = field(default_factory=lambda: torch.empty(0))
    sent: int = 0

    def settle(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


class Whole:
    """shards: the actors of the other parts; epoch: how often the center was restored; messages: that were brought.

    Every verb raises RayError if an actor is gone; what it had changed until then is left as it is.
    """

    def __init__(
        self, plan: Plan, coupling: Exchange, shards: list[Any], epoch: int, pieces: list[Piece], members: int
    ) -> None:
        self.plan, self.coupling, self.shards, self.epoch, self.messages = plan, coupling, shards, epoch, 0
        shared, rows, buffers = pieces
        mine = {name: v.clone() for name, v in unpack(shared, plan.kind).items()}
        theirs = {name: v.clone() for name, v in rows_of(rows, plan.kind, members).items()}
        self.part = Part(coupling, mine, theirs, len(plan.cuts))
        self.buffers = unpack(buffers, plan.buffer_kind)["b"].clone()
        self.boxes = Boxes(plan, *plan.cuts[0])

    async def meet(self, i: int, place: Place) -> list[bool]:
        """Which of its parts find worker i's box."""
        calls = [s.meet.remote(self.epoch, i, place) for s in self.shards]
        return [self.boxes.of(i, place) is not None, *[await call for call in calls]]

    async def bring(self, i: int, parcels: list[Parcel]) -> list[Parcel]:
        """Have the parcels of worker i's message come, at once, each to where its part of the center is.

        The first is opened; of the others comes back what their parts know them by. Those of several workers may be on
        the way together, nobody's turn is spent waiting for them, and once they are there it does not matter what
        becomes of the worker.
        """
        self.messages += 1
        first, *rest = parcels
        there = Brought(self.messages)
        calls = [
            s.bring.remote(self.epoch, i, there.number, p)
            for s, p in zip(self.shards, rest, strict=False)
            if isinstance(p, ray.ObjectRef)
        ]
        first = await first if isinstance(first, ray.ObjectRef) else first
        for call in calls:
            await call
        return [first, *(there if isinstance(p, ray.ObjectRef) else p for p in rest)]

    async def exchange(self, scalars: Scalars, real: list[Held]) -> tuple[Scalars, list[Scalars | None], Replies]:
        """Apply the messages: the new scalars, and of each message the decision and the reply."""
        workers, mine = [h.attempt.worker for h in real], [h.vectors for h in real]
        calls = [s.measure.remote(self.epoch, workers, [h.rest[k] for h in real]) for k, s in enumerate(self.shards)]
        parts = [self.part.measure(workers, mine)]
        parts += [await call for call in calls]
        sums = [added([part[j] for part in parts]) for j in range(len(real))]
        messages = [Message({}, h.attempt.note, h.attempt.scalars, h.buffers) for h in real]
        scalars, decisions = decide(self.coupling, self.part.center(scalars, self.buffers), messages, sums)
        fit = [k for k, d in enumerate(decisions) if d is not None]
        replies: Replies = [([], 0)] * len(real)
        if fit:
            decided = [d for d in decisions if d is not None]
            changes: list[Any] = [
                s.apply.options(num_returns=1 + len(fit)).remote(self.epoch, decisions) for s in self.shards
            ]
            rooms = [real[k].room for k in fit]
            pieces = self.part.apply_([workers[k] for k in fit], [mine[k] for k in fit], rooms, decided)
            size = len(self.plan.reply) * self.plan.size * self.plan.kind.itemsize
            for n, (k, piece) in enumerate(zip(fit, pieces, strict=True)):
                first = _parcel(piece) if piece is not None else None
                replies[k] = ([first, *[change[1 + n] for change in changes]], size)
            for change in changes:
                await change[0]
            if len(self.buffers):
                protocol_of(self.coupling).blend_(self.buffers, [real[k].buffers for k in fit], decided)
        return scalars, decisions, replies

    async def fetch(self, scalars: Scalars, start: bool) -> tuple[list[Parcel], Piece]:
        """x in parts, and the buffers."""
        calls: list[Any] = [s.fetch.options(num_returns=2).remote(self.epoch, scalars, start) for s in self.shards]
        mine = _parcel(pack({"x": self.coupling.fetched(self.part.center(scalars, self.buffers), start=start)}))
        for done, _ in calls:
            await done
        return [mine, *[ref for _, ref in calls]], pack({"b": self.buffers.clone()})

    async def copy(self) -> tuple[list[Parcel], Piece]:
        """The vectors and rows in parts, and the buffers."""
        calls: list[Any] = [s.copy.options(num_returns=2).remote(self.epoch) for s in self.shards]
        mine = ray.put((pack(self.part.shared), pack(self.part.rows)))
        for done, _ in calls:
            await done
        return [mine, *[ref for _, ref in calls]], pack({"b": self.buffers.clone()})

    async def grow(self, scalars: Scalars, members: int) -> None:
        """Rows for so many workers."""
        for shard in self.shards:
            await shard.grow.remote(self.epoch, scalars, members)
        self.part.grow(scalars, members)


def _parcel(piece: Piece) -> Parcel:
    """The piece as it is if it is small; else it is laid into shared memory."""
    return {name: v.copy() for name, v in piece.items()} if nbytes(piece) < LARGE else ray.put(piece)
