"""How hard the line pulls: the weights (h1, h2) of one elastic exchange.

    x_i ← x_i − h1·d,   c ← c + h2·d,   d = x_i − c

A `Weights` is a frozen description with one pure verb, `weigh`, which sees only the `Evidence` that center and worker
have between them. Each rule stands in a file of its own: fixed, dynamic, oracle, guarded.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

from springline.errors import UsageError


class Evidence(NamedTuple):
    """What is known when the center serves one message."""

    worker: int
    distance: float  # ‖x_i − c‖₂
    log_distances: tuple[float, ...]  # u of this worker's attempts so far, oldest first, this one last
    missed: int  # attempts that failed since the last one that did not
    reborn: bool  # the worker lost its state since then
    reach: float = math.nan  # ρ, how far its last pull and the way it has gone since can have brought it; nan: unknown
    idle: float = math.nan  # rounds of all in which it did not compute, since it was where the center was; nan: unknown


class Weighting(NamedTuple):
    """What `weigh` decides."""

    h1: float  # the worker's share of the difference, in [0, 1]
    h2: float  # the center's share
    score: float  # the raw score behind it; nan if the rule has none or knows too little


Follows = Literal["no", "rarely", "yes"]


class Weights(ABC):
    """A rule for (h1, h2). alpha: α in (0, 1], the weight of an exchange that nothing speaks against.

    history: how many past log distances the rule wants to see in its evidence.
    by_distance: whether the weights follow the distance; "rarely": they can mostly be guessed before it is measured.
    reaches: whether the rule wants to see ρ, for which a worker measures its way at every attempt.
    """

    by_distance: ClassVar[Follows] = "yes"
    reaches: ClassVar[bool] = False

    alpha: float

    @property
    def history(self) -> int:
        return 0

    @property
    def peers(self) -> bool:
        """Whether a worker whose attempt failed measures itself against the center its peers know."""
        return False

    @abstractmethod
    def weigh(self, evidence: Evidence) -> Weighting:
        """h1 and h2 of this exchange, with the score that they follow from."""


def check_alpha(alpha: float) -> None:
    if not 0 < alpha <= 1:
        raise UsageError(
            f"alpha={alpha} is outside (0, 1]; the paper uses 0.1, the thesis 0.9/N; at 0 nothing is exchanged."
        )


NAN = math.nan
