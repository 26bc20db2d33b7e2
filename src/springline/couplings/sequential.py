"""One worker alone: the center is where it stands, or the average of where it has stood.

    c ← x,   z ← (1 − a) z + a c       at every exchange; the worker goes on from its own x

With SGD on the worker this is SGD; with Nesterov momentum MSGD; read out through a = 1/(t+1) averaged SGD (Polyak),
through a constant a MVASGD. The average counts exchanges: with τ = 1 every step.

Memory: center c [P] (and z [P]); worker x [P].  Each exchange: P numbers up (x), nothing down.

Reference: Zhang, Distributed stochastic optimization for deep learning, section 4 (the sequential comparators).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import Tensor

from springline.couplings.averaging import Averaging, Last
from springline.couplings.base import Center, Coupling, Message, Note, Reply, Scalars, Vectors, Worker


@dataclass(frozen=True)
class Sequential(Coupling):
    """average: what is read out, `Last()`, `Mean()` or `Moving(a)`."""

    most_workers: ClassVar[int | None] = 1

    average: Averaging = field(default_factory=Last)

    @property
    def by_sums(self) -> Literal["no"]:
        return "no"

    def center(self, x0: Tensor, buffers: Tensor, workers: int) -> Center:
        shared = {"c": x0.clone()} | ({"z": x0.clone()} if self.average.held else {})
        return Center(shared, {}, buffers.clone(), {"t": 0})

    def readout(self, center: Center) -> Tensor:
        return center.shared["z" if self.average.held else "c"]

    def position(self, center: Center) -> Tensor:
        return center.shared["c"]

    def push(self, worker: Worker, y: Tensor, note: Note, buffers: Tensor) -> tuple[Worker, Message]:
        return worker, Message({"x": y}, note, {}, buffers)

    def pull(self, worker: Worker, x: Tensor, reply: Reply) -> tuple[Worker, Tensor]:
        return worker, x

    def decide(self, scalars: Scalars, message: Message, measured: list[float]) -> tuple[Scalars, Scalars]:
        t = scalars["t"]
        a = self.average.weight(t)
        return scalars | {"t": t + 1}, {"a": a, "blend": a}

    def apply_(self, shared: Vectors, row: Vectors, message: Vectors, decision: Scalars) -> Vectors:
        c = shared["c"].copy_(message["x"])
        if self.average.held:
            shared["z"].lerp_(c, decision["a"])
        return {}
