"""DOWNPOUR: a worker adds what it has learned since its last exchange to the center, and starts again from there.

    worker:  x ← x − η g(x), v ← v − η g(x)      τ times, then sends v
    center:  c ← c + v,   reply c
    worker:  x ← c, v ← 0

With an average, ADOWNPOUR and MVADOWNPOUR: z ← (1 − a) z + a c at every update of c, and z is read out.

v is kept as the difference x − base. Sending sets base ← x, so what has been sent is never sent again, whether or not
the reply comes; a message that could not be sent leaves base alone, and v goes on growing. Any local optimiser will do.

Memory: center c [P] (and z [P]); worker x and base [P].  Each exchange: P numbers up (v), P down (c).

Reference: Zhang, Distributed stochastic optimization for deep learning, Algorithm 3; Dean et al. 2012, Large Scale
Distributed Deep Networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import Tensor

from springline.couplings.averaging import Averaging, Last
from springline.couplings.base import Center, Coupling, Message, Note, Reply, Scalars, Vectors, Worker


@dataclass(frozen=True)
class Downpour(Coupling):
    """average: what is read out, `Last()`, `Mean()` or `Moving(a)`."""

    sends: ClassVar[tuple[str, ...]] = ("v",)
    replaces: ClassVar[bool] = True

    average: Averaging = field(default_factory=Last)

    @property
    def by_sums(self) -> Literal["no"]:
        return "no"

    def center(self, x0: Tensor, buffers: Tensor, workers: int) -> Center:
        shared = {"c": x0.clone()} | ({"z": x0.clone()} if self.average.held else {})
        return Center(shared, {}, buffers.clone(), {"t": 0, "workers": workers})

    def readout(self, center: Center) -> Tensor:
        return center.shared["z" if self.average.held else "c"]

    def position(self, center: Center) -> Tensor:
        return center.shared["c"]

    def worker(self, x0: Tensor, served: float = math.nan) -> Worker:
        return Worker({"base": x0}, {})

    def push(self, worker: Worker, y: Tensor, note: Note, buffers: Tensor) -> tuple[Worker, Message]:
        return Worker({"base": y}, {}), Message({"v": y - worker.vectors["base"]}, note, {}, buffers)

    def pull(self, worker: Worker, x: Tensor, reply: Reply) -> tuple[Worker, Tensor]:
        c = reply.vectors["x"]
        return Worker({"base": c}, {}), c

    def decide(self, scalars: Scalars, message: Message, measured: list[float]) -> tuple[Scalars, Scalars]:
        t = scalars["t"]
        return scalars | {"t": t + 1}, {"a": self.average.weight(t), "blend": 1 / scalars["workers"]}

    def apply_(self, shared: Vectors, row: Vectors, message: Vectors, decision: Scalars) -> Vectors:
        c = shared["c"].add_(message["v"])
        if self.average.held:
            shared["z"].lerp_(c, decision["a"])
        return {"x": c.clone()}
