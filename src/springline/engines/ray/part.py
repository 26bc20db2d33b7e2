"""A part of the center's vectors: elements a … b, measured block by block and changed chunk by chunk.

Blocks are independent of each other, so several threads share them; the sums are added up by whoever has all parts, in
the order of the blocks. The bytes are those of the coupling's own `serve_` and `serve_round_`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

import torch
from torch import Tensor

from springline.couplings.base import BLOCK, Center, Coupling, Exchange, Message, Scalars, Vectors, cut
from springline.couplings.sync_base import SyncCoupling
from springline.engines.ray.arrays import LARGE, Piece, nbytes, pack
from springline.engines.real.protocol import NOT_SAID, Decisions, protocol_of

CHUNK = BLOCK  # elements changed at once
Sums = list[list[float]]  # of each block

T = TypeVar("T")


class Part:
    """shared: name -> [p]; rows: name -> [N, p]; both are changed in place."""

    def __init__(self, coupling: Exchange, shared: Vectors, rows: Vectors, parts: int = 1) -> None:
        """parts: of the center, which may all be on one machine."""
        self.coupling, self.shared, self.rows = coupling, shared, rows
        self.protocol = protocol_of(coupling)
        self.size = len(next(iter(shared.values())))
        self.threads = max(1, min(4, len(os.sched_getaffinity(0)) // parts))
        self._pool = ThreadPoolExecutor(self.threads)
        self._replies: dict[int, Vectors] = {}

    def center(self, scalars: Scalars, buffers: Tensor) -> Center:
        return Center(self.shared, self.rows, buffers, scalars)

    def row(self, i: int) -> Vectors:
        return {name: rows[i] for name, rows in self.rows.items()}

    def measure(self, workers: list[int], messages: list[Vectors]) -> list[Sums | None]:
        """The sums of each message in each block; None if a vector is missing or misshapen."""
        return [self._measure(i, message) for i, message in zip(workers, messages, strict=True)]

    def apply_(
        self, workers: list[int], messages: list[Vectors], rooms: list[Vectors | None], decisions: Decisions
    ) -> list[Piece | None]:
        """Change this part, and return it of each reply, good until the next time; None where it was written to a room
        that was given for it.
        """
        rows, spans = [self.row(i) for i in workers], list(range(0, self.size, CHUNK))

        def change(a: int) -> list[Vectors]:
            theirs, said = ([cut(v, a, a + CHUNK) for v in vectors] for vectors in (rows, messages))
            return self.protocol.change_(cut(self.shared, a, a + CHUNK), theirs, said, decisions)

        first = change(0)
        replies = [rooms[k] or self._room(k, reply) for k, reply in enumerate(first)]

        def write(a: int, found: list[Vectors]) -> None:
            for whole, reply in zip(replies, found, strict=True):
                for name, v in reply.items():
                    whole[name][a : a + CHUNK].copy_(v)

        write(0, first)
        self._over(spans[1:], lambda a: write(a, change(a)))
        return [None if room else pack(reply) for room, reply in zip(rooms, replies, strict=True)]

    def grow(self, scalars: Scalars, members: int) -> None:
        """Rows for more workers: those of a run that begins at the present center."""
        present = len(next(iter(self.rows.values()))) if self.rows else members
        readout = self.coupling.readout(self.center(scalars, torch.empty(0)))
        for n in range(present + 1, members + 1):
            fresh = self.coupling.center(readout, torch.empty(0), n)
            self.rows = {name: torch.cat([rows, fresh.rows[name][-1:]]) for name, rows in self.rows.items()}

    def _measure(self, i: int, message: Vectors) -> Sums | None:
        if not message or any(v.shape != (self.size,) for v in message.values()):
            return None
        row = {} if self.coupling.protocol == "round" else self.row(i)

        def block(a: int) -> list[float]:
            pieces = (cut(v, a, a + BLOCK) for v in (self.shared, row, message))
            return self.coupling.measure(*pieces)

        try:
            return self._over(range(0, self.size, BLOCK), block)
        except NOT_SAID:
            return None

    def _over(self, spans: Iterable[int], do: Callable[[int], T]) -> list[T]:
        """do(a) for each, in several threads where that pays; what came of it in order."""
        spans = list(spans)
        if len(spans) < 2 * self.threads or self.threads == 1:
            return [do(a) for a in spans]
        share = -(-len(spans) // self.threads)
        groups = [spans[k : k + share] for k in range(0, len(spans), share)]
        return [found for part in self._pool.map(lambda g: [do(a) for a in g], groups) for found in part]

    def _room(self, k: int, like: Vectors) -> Vectors:
        """Where the k-th reply is written: for large ones the same memory each time."""
        room = self._replies.get(k)
        if room is None or room.keys() != like.keys():
            room = {name: torch.empty(self.size, dtype=v.dtype) for name, v in like.items()}
            if nbytes(pack(room)) >= LARGE:
                self._replies[k] = room
        return room


def added(parts: list[Sums | None]) -> list[float] | None:
    """The sums over all blocks of all parts, in order; None if the message is not finite, or was not whole."""
    total: list[float] | None = None
    for part in parts:
        if part is None:
            return None
        for block in part:
            total = block if total is None else [s + p for s, p in zip(total, block, strict=True)]
    return total if total is not None and all(map(math.isfinite, total)) else None


def decide(
    coupling: Exchange, center: Center, messages: list[Message], sums: list[list[float] | None]
) -> tuple[Scalars, list[Scalars | None]]:
    """The center's new scalars, and the decision about each message, None for one that is refused."""
    fit = [
        (m, s)
        for m, s in zip(messages, sums, strict=True)
        if s is not None and m.buffers.shape == center.buffers.shape and bool(torch.isfinite(m.buffers).all())
    ]
    if not fit:
        return center.scalars, [None] * len(messages)
    try:
        if coupling.protocol == "round":
            together = cast(SyncCoupling, coupling)
            scalars, decisions = together.decide(center.scalars, [m for m, _ in fit], [s for _, s in fit])
        else:
            scalars, decision = cast(Coupling, coupling).decide(center.scalars, *fit[0])
            decisions = [decision]
    except NOT_SAID:
        return center.scalars, [None] * len(messages)
    found = {m.note.worker: d for (m, _), d in zip(fit, decisions, strict=True)}
    return scalars, [found.get(m.note.worker) for m in messages]
