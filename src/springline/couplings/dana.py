"""DANA: the momentum lives at the worker, and the center is that of plain asynchronous SGD.

    worker:  v ← γ v + g,   sends γ v + g
    center:  Θ ← Θ − η (γ v + g),   reply Θ

Θ is DANA-Zero's θ − η γ Σ_j v_j: the same trajectory, without a vector per worker at the center.
A gradient that could not be sent does not enter v; one whose message is lost or refused on the way does.

Memory: center Θ [P]; worker x, g and v [P].  Each exchange: P numbers up (γ v + g), P down (Θ).

Reference: Hakimi et al., DANA, Algorithm 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from springline.couplings.base import Message, Note, Scalars, Vectors, Worker
from springline.couplings.gradient_base import MomentumCoupling


@dataclass(frozen=True)
class Dana(MomentumCoupling):
    """lr: η > 0, a number or a `Rate` of the center's updates.  momentum: γ in [0, 1)."""

    sends: ClassVar[tuple[str, ...]] = ("u",)

    def worker(self, x0: Tensor, served: float = math.nan) -> Worker:
        return Worker({"v": torch.zeros_like(x0)}, {})

    def push(self, worker: Worker, y: Tensor, note: Note, buffers: Tensor) -> tuple[Worker, Message]:
        v = worker.vectors["v"].mul(self.momentum).add_(y)
        return Worker({"v": v}, {}), Message({"u": y.add(v, alpha=self.momentum)}, note, {}, buffers)

    def apply_(self, shared: Vectors, row: Vectors, message: Vectors, decision: Scalars) -> Vectors:
        return {"x": shared["theta"].add_(message["u"], alpha=-decision["eta"]).clone()}
