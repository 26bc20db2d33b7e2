"""What every process of a run knows about its shape."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from springline.engines.real.kinds import kind_of


@dataclass(frozen=True)
class Plan:
    """size: P; dtype: of the parameters; buffer_dtype: of the buffers; workers: N at the start.

    order: the scripted order of attempts, repeated.
    message, reply: names of the vectors on the way.
    cuts: which elements a … b each actor of the center holds.
    """

    size: int
    dtype: str
    buffer_dtype: str
    workers: int
    rounds: int
    eval_every: int
    message: tuple[str, ...]
    reply: tuple[str, ...]
    cuts: tuple[tuple[int, int], ...]
    order: tuple[int, ...] = ()

    @property
    def kind(self) -> torch.dtype:
        return kind_of(self.dtype)

    @property
    def buffer_kind(self) -> torch.dtype:
        return kind_of(self.buffer_dtype)

    @property
    def total(self) -> int:
        """Attempts in the whole run."""
        return self.rounds * self.workers
