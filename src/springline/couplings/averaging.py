"""What is read out of a center: its last value, or an average over its updates.

    z ← (1 − a) z + a c      at every update of c

`Last` reads out c and holds no z; `Mean` has a = 1/(t+1), t the updates before this one, so that z is the mean of all
values c has had after an update; `Moving` has a constant a, a mean over about the last 1/a updates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from springline.errors import UsageError


class Averaging(ABC):
    """held: whether there is a z."""

    held: ClassVar[bool] = True

    @abstractmethod
    def weight(self, t: int) -> float:
        """a at the update after t updates."""


@dataclass(frozen=True)
class Last(Averaging):
    """a = 1: the center as it is."""

    held: ClassVar[bool] = False

    def weight(self, t: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Mean(Averaging):
    """a = 1/(t+1): the mean of all values that the center has had after an update."""

    def weight(self, t: int) -> float:
        return 1 / (t + 1)


@dataclass(frozen=True)
class Moving(Averaging):
    """a: in (0, 1]."""

    a: float = 0.001

    def __post_init__(self) -> None:
        if not 0 < self.a <= 1:
            raise UsageError(
                f"a={self.a} is outside (0, 1]; the average reaches over about 1/a updates: the thesis uses 0.001."
            )

    def weight(self, t: int) -> float:
        return self.a
