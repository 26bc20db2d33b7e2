"""Synchronous elastic averaging: all workers and the center move at once.

    Jacobi         pull_i = −α (x_i − c),   c ← c + β/N Σ_i (x_i − c)        both with the old c
    Gauss–Seidel   c ← c + β/N Σ_i (x_i − c),   pull_i = −α (x_i − c)        the pull with the new c

and x_i ← x_i + pull_i: in the Jacobi form together with the next gradient step (`pull_after=1`), in the Gauss–Seidel
form before it (`pull_after=0`). α = β/N makes the tie symmetric. With all N workers there, c becomes
(1 − β) c + β mean(x_i); a worker that did not answer by the deadline does not pull at the center in that round.

α and β are separate, and a negative α, which pushes the workers away from the center, is allowed with a warning.

Memory: center c [P] and the round's N messages [P]; worker x [P].  Each exchange: P numbers up (x), P down (the pull).

Reference: Zhang, Distributed stochastic optimization for deep learning, eqs. 2.3, 2.4 (Jacobi, β = 0.9) and 6.3
(Gauss–Seidel).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from springline.couplings.base import Center, Message, Note, Reply, Scalars, Vectors, Worker, square
from springline.couplings.sync_base import SyncCoupling, check_deadline
from springline.errors import UsageError


@dataclass(frozen=True)
class SyncElastic(SyncCoupling):
    """alpha: α, the workers' share; None stands for β/N.  beta: β > 0, the center's share, divided among the workers.

    form: which center value the pull is towards.  deadline: see `SyncCoupling`.
    """

    alpha: float | None = None
    beta: float = 0.9
    form: Literal["jacobi", "gauss-seidel"] = "jacobi"
    deadline: float = 3.0

    def __post_init__(self) -> None:
        if self.alpha is not None and not math.isfinite(self.alpha):
            raise UsageError(f"alpha={self.alpha} is not a number; leave it out for α = β/N, or choose one below 1.")
        if not 0 < self.beta < math.inf:
            raise UsageError(f"beta={self.beta} is not positive; at 0 the center never moves: the thesis uses 0.9.")
        if self.form not in ("jacobi", "gauss-seidel"):
            raise UsageError(f"form={self.form!r} is unknown; choose 'jacobi' or 'gauss-seidel'.")
        check_deadline(self.deadline)

    def check(self, method: str) -> None:
        if self.alpha is not None and self.alpha < 0:
            warnings.warn(f"{method}: alpha={self.alpha} pushes the workers away from the center", stacklevel=2)

    def center(self, x0: Tensor, buffers: Tensor, workers: int) -> Center:
        return Center({"c": x0.clone()}, {}, buffers.clone(), {"workers": workers})

    def readout(self, center: Center) -> Tensor:
        return center.shared["c"]

    def push(self, worker: Worker, y: Tensor, note: Note, buffers: Tensor) -> tuple[Worker, Message]:
        return worker, Message({"x": y}, note, {}, buffers)

    def pull(self, worker: Worker, x: Tensor, reply: Reply) -> tuple[Worker, Tensor]:
        return worker, x + reply.vectors["pull"]

    def measure(self, shared: Vectors, row: Vectors, message: Vectors) -> list[float]:
        """‖x − c‖² of this piece."""
        d = message["x"] - shared["c"]
        return [square(d)]

    def decide(
        self, scalars: Scalars, messages: list[Message], measured: list[list[float]]
    ) -> tuple[Scalars, list[Scalars]]:
        share = self.beta / scalars["workers"]
        blend = min(self.beta, 1.0) / scalars["workers"]  # beyond 1 a variance could turn negative
        h1 = share if self.alpha is None else self.alpha
        return scalars, [{"h1": h1, "h2": share, "distance": math.sqrt(s), "blend": blend} for (s,) in measured]

    def apply_(self, shared: Vectors, messages: list[Vectors], decisions: list[Scalars]) -> list[Vectors]:
        c = shared["c"]
        total = torch.zeros_like(c)
        for message, decision in zip(messages, decisions, strict=True):
            total.add_(message["x"] - c, alpha=decision["h2"])
        old = c.clone()
        c.add_(total)
        towards = old if self.form == "jacobi" else c
        return [
            {"pull": (message["x"] - towards).mul_(-decision["h1"])}
            for message, decision in zip(messages, decisions, strict=True)
        ]
