"""A worker's mailbox: the vectors of its message and then, one chunk before them, those of the reply."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from springline.couplings.base import Message
from springline.engines.local.memory import Region, reserve
from springline.engines.local.plan import Plan
from springline.engines.local.tally import Vitals


def box_path(place: Path, i: int) -> Path:
    return place / f"box-{i}"


def make_box(plan: Plan, place: Path, i: int) -> None:
    """Reserve the memory of worker i's box."""
    reserve(box_path(place, i), plan.box_size)


class Box:
    """message, reply: the vectors [P] by name, as views; buffers [B]; vitals: what the worker says about itself.

    A message overwrites the reply before it, and its reply overwrites the message, unless the plan keeps them apart.
    """

    def __init__(self, plan: Plan, place: Path, i: int) -> None:
        self.plan = plan
        self.region = Region(box_path(place, i))
        self.message = {name: self._vector(plan.message_at(k)) for k, name in enumerate(plan.message)}
        self.reply = {name: self._vector(plan.reply_at(k)) for k, name in enumerate(plan.reply)}
        self.first = self._vector(plan.reply_at(0))
        self.buffers = self.region.tensor(plan.box_buffers, (plan.buffer_size,), plan.buffer_kind)
        self.vitals = Vitals(self.region.numbers(0, len(Vitals.FIELDS)))

    def put(self, message: Message) -> None:
        """Write a message's vectors."""
        for name, v in self.message.items():
            v.copy_(message.vectors[name])
        if self.plan.buffer_size:
            self.buffers.copy_(message.buffers)

    def _vector(self, at: int) -> Tensor:
        return self.region.tensor(at, (self.plan.size,), self.plan.kind)

    def own(self, t: Tensor, device: torch.device) -> Tensor:
        """The tensor itself, or a copy if it looks at this box."""
        return t.to(device, copy=self.region.holds(t))
