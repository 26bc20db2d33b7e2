"""How a center serves: one message at a time, or those of a round at once. The same arithmetic as the couplings'
own `serve_` and `serve_round_`, in the pieces that an exchange on shared memory is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from springline.couplings.base import Center, Coupling, Exchange, Message, Scalars, Vectors, finite, measure_in_blocks
from springline.couplings.sync_base import SyncCoupling

Decisions = list[Scalars]
NOT_SAID = (KeyError, TypeError, ValueError, ArithmeticError, IndexError)  # what a message's own scalars may cause


class Protocol(ABC):
    """judge reads only; change_ and blend_ work on one piece of the center, for the accepted messages.

    deadline: how long a round is held open, in times of its first message; None where there are no rounds.
    """

    deadline: float | None = None

    @abstractmethod
    def judge(self, center: Center, messages: list[Message]) -> tuple[Scalars, list[Scalars | None]]:
        """The center's new scalars, and the decision about each message, None for one that is refused."""

    @abstractmethod
    def change_(
        self, shared: Vectors, rows: list[Vectors], messages: list[Vectors], decisions: Decisions
    ) -> list[Vectors]:
        """Change this piece, and return the same piece of each reply."""

    @abstractmethod
    def blend_(self, buffers: Tensor, theirs: list[Tensor], decisions: Decisions) -> None:
        """Change this piece of the buffers."""


class Single(Protocol):
    """One message at a time."""

    def __init__(self, coupling: Coupling) -> None:
        self.coupling = coupling

    def judge(self, center: Center, messages: list[Message]) -> tuple[Scalars, list[Scalars | None]]:
        if not messages:
            return center.scalars, []
        [message] = messages
        measured = measure_in_blocks(self.coupling, center.shared, center.row(message.note.worker), message)
        scalars, decision = self.decide(center.scalars, message, measured)
        return scalars, [decision]

    def decide(
        self, scalars: Scalars, message: Message, measured: list[float] | None
    ) -> tuple[Scalars, Scalars | None]:
        """The new scalars and the decision; None if the message is refused, as one that is not finite is."""
        if measured is None or not finite(message.buffers):
            return scalars, None
        try:
            return self.coupling.decide(scalars, message, measured)
        except NOT_SAID:
            return scalars, None

    def change_(
        self, shared: Vectors, rows: list[Vectors], messages: list[Vectors], decisions: Decisions
    ) -> list[Vectors]:
        return [self.coupling.apply_(shared, rows[0], messages[0], decisions[0])]

    def blend_(self, buffers: Tensor, theirs: list[Tensor], decisions: Decisions) -> None:
        buffers.lerp_(theirs[0], decisions[0]["blend"])


class Together(Protocol):
    """The messages of a round."""

    def __init__(self, coupling: SyncCoupling) -> None:
        self.coupling, self.deadline = coupling, coupling.deadline

    def judge(self, center: Center, messages: list[Message]) -> tuple[Scalars, list[Scalars | None]]:
        measured: dict[int, list[float]] = {}
        for m in messages:
            sums = measure_in_blocks(self.coupling, center.shared, {}, m)
            if sums is not None and finite(m.buffers):
                measured[m.note.worker] = sums
        fit = [m for m in messages if m.note.worker in measured]
        if not fit:
            return center.scalars, [None] * len(messages)
        scalars, decisions = self.coupling.decide(center.scalars, fit, [measured[m.note.worker] for m in fit])
        found = {m.note.worker: d for m, d in zip(fit, decisions, strict=True)}
        return scalars, [found.get(m.note.worker) for m in messages]

    def change_(
        self, shared: Vectors, rows: list[Vectors], messages: list[Vectors], decisions: Decisions
    ) -> list[Vectors]:
        return self.coupling.apply_(shared, messages, decisions)

    def blend_(self, buffers: Tensor, theirs: list[Tensor], decisions: Decisions) -> None:
        total = torch.zeros_like(buffers)
        for b, decision in zip(theirs, decisions, strict=True):
            total.add_(b - buffers, alpha=decision["blend"])
        buffers.add_(total)


PROTOCOLS: dict[str, Callable[[Any], Protocol]] = {"message": Single, "round": Together}


def protocol_of(coupling: Exchange) -> Protocol:
    return PROTOCOLS[coupling.protocol](coupling)
