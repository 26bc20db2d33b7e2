"""What all couplings have in common whose workers send gradients: the center steps, and the worker stands where told.

    worker:  g_i = g(x_i)              center:  θ ← step(θ, g_i, η_t),   t its updates so far
             x_i ← what was replied             reply θ, or where θ is expected to be

A gradient whose message is lost is lost; the worker takes the next one at the same x. A worker that never heard the
reply likewise, so its next gradient is older than the center knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from springline.couplings.base import Center, Coupling, Exchange, Message, Note, Reply, Scalars, Worker
from springline.optim.checks import check_lr, check_momentum
from springline.optim.schedule import Rate, at


@dataclass(frozen=True)
class GradientExchange(Exchange):
    """The worker's side, and what is read out, whether the center serves one gradient at a time or those of a round.

    lr: η > 0, a number or a `Rate` of the center's updates.
    """

    takes: ClassVar[Literal["position", "gradient"]] = "gradient"
    sends: ClassVar[tuple[str, ...]] = ("g",)
    single_step: ClassVar[bool] = True
    replaces: ClassVar[bool] = True

    lr: Rate | float = 0.05

    def __post_init__(self) -> None:
        check_lr(self.lr)

    def readout(self, center: Center) -> Tensor:
        return center.shared["theta"]

    def push(self, worker: Worker, y: Tensor, note: Note, buffers: Tensor) -> tuple[Worker, Message]:
        return worker, Message({"g": y}, note, {}, buffers)

    def pull(self, worker: Worker, x: Tensor, reply: Reply) -> tuple[Worker, Tensor]:
        return worker, reply.vectors["x"]


@dataclass(frozen=True)
class GradientCoupling(GradientExchange, Coupling):
    """lr: η > 0, a number or a `Rate` of the center's updates.

    zeros, zero_rows: the names of what the center holds beside θ, [P] and [N, P], all zero in the beginning.
    """

    zeros: ClassVar[tuple[str, ...]] = ()
    zero_rows: ClassVar[tuple[str, ...]] = ()

    @property
    def by_sums(self) -> Literal["no"]:
        return "no"

    def center(self, x0: Tensor, buffers: Tensor, workers: int) -> Center:
        shared = {"theta": x0.clone()} | {name: torch.zeros_like(x0) for name in self.zeros}
        rows = {name: x0.new_zeros(workers, len(x0)) for name in self.zero_rows}
        return Center(shared, rows, buffers.clone(), {"t": 0, "workers": workers})

    def decide(self, scalars: Scalars, message: Message, measured: list[float]) -> tuple[Scalars, Scalars]:
        t = scalars["t"]
        return scalars | {"t": t + 1}, {"eta": at(self.lr, t), "blend": 1 / scalars["workers"]}


@dataclass(frozen=True)
class MomentumCoupling(GradientCoupling):
    """lr: η > 0.  momentum: γ (or δ) in [0, 1)."""

    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        check_momentum(self.momentum)
