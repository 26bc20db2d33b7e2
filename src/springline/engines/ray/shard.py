"""A part of the center as an actor of its own. What it does, the lead says (lead.py)."""

from __future__ import annotations

from typing import Any, NamedTuple

import ray
import torch

from springline.couplings.base import Exchange, Scalars, Vectors
from springline.engines.ray.arrays import Piece, pack, rows_of, unpack
from springline.engines.ray.box import Boxes, Place
from springline.engines.ray.part import Part, Sums
from springline.engines.ray.plan import Plan


class Brought(NamedTuple):
    """A piece that the shard has been brought, in place of that piece. number: of the message, of all workers'."""

    number: int


class NotWhole(Exception):
    """This part of the center does not belong to the others: it was restarted, or they were restored without it."""


class Shard:
    """epoch: how often the center was restored; parts of different epochs do not fit together.

    brought: of each worker the last piece that waits to be measured, and its number.
    """

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.epoch = -1
        self.part: Part | None = None
        self.messages: list[Vectors] = []
        self.rooms: list[Vectors | None] = []
        self.workers: list[int] = []
        self.brought: dict[int, tuple[int, Vectors]] = {}

    @ray.method(max_task_retries=-1)
    def restore(
        self, k: int, plan: Plan, coupling: Exchange, epoch: int, shared: Piece, rows: Piece, members: int
    ) -> None:
        """Be part k from now on."""
        self.coupling, self.dtype, self.boxes = coupling, plan.kind, Boxes(plan, *plan.cuts[k])
        mine = {name: v.clone() for name, v in unpack(shared, self.dtype).items()}
        theirs = {name: v.clone() for name, v in rows_of(rows, self.dtype, members).items()}
        self.part, self.epoch, self.brought = Part(coupling, mine, theirs, len(plan.cuts)), epoch, {}

    def meet(self, epoch: int, i: int, place: Place) -> bool:
        self.of(epoch)
        return self.boxes.of(i, place) is not None

    def bring(self, epoch: int, i: int, number: int, piece: Piece) -> None:
        """Keep worker i's piece until it is measured: nobody has to wait for it then, and it outlives its worker."""
        self.of(epoch)  # one that was on its way for longer than that would stand in the place of a later one
        if number > self.brought.get(i, (0, {}))[0]:  # calls do not come in their order
            self.brought[i] = number, unpack(piece, self.dtype)

    def measure(self, epoch: int, workers: list[int], pieces: list[Piece | Place | Brought]) -> list[Sums | None]:
        part, self.workers, self.messages, self.rooms = self.of(epoch), workers, [], []
        for i, piece in zip(workers, pieces, strict=True):
            message, room = self.opened(i, piece)
            self.messages.append(message)
            self.rooms.append(room)
        return part.measure(workers, self.messages)

    def opened(self, i: int, piece: Piece | Place | Brought) -> tuple[Vectors, Vectors | None]:
        """Worker i's part of a message, and where its reply goes, if it is not to be sent."""
        if isinstance(piece, Place):
            return self.boxes.of(i, piece) or ({}, None)
        if isinstance(piece, Brought):
            number, message = self.brought.pop(i, (0, {}))
            return (message if number == piece.number else {}), None
        return unpack(piece, self.dtype), None

    def apply(self, epoch: int, decisions: list[Scalars | None]) -> list[Any]:
        """Nothing, when it is done; and of each message that was accepted this part of the reply."""
        fit = [k for k, d in enumerate(decisions) if d is not None]
        workers, messages = [self.workers[k] for k in fit], [self.messages[k] for k in fit]
        rooms = [self.rooms[k] for k in fit]
        self.messages, self.rooms = [], []
        return [None, *self.of(epoch).apply_(workers, messages, rooms, [d for d in decisions if d is not None])]

    def copy(self, epoch: int) -> tuple[None, tuple[Piece, Piece]]:
        part = self.of(epoch)
        return None, (pack(part.shared), pack(part.rows))

    def fetch(self, epoch: int, scalars: Scalars, start: bool) -> tuple[None, Piece]:
        part = self.of(epoch)
        return None, pack({"x": self.coupling.fetched(part.center(scalars, torch.empty(0)), start=start)})

    def grow(self, epoch: int, scalars: Scalars, members: int) -> None:
        self.of(epoch).grow(scalars, members)

    def of(self, epoch: int) -> Part:
        if self.part is None or epoch != self.epoch:
            raise NotWhole(f"epoch {self.epoch}, not {epoch}")
        return self.part
