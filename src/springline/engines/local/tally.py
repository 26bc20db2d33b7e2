"""The numbers about each worker that stand in shared memory, where anybody may look at them at any time.

The center writes the tally of a worker, as part of an exchange; the worker writes its vitals, whenever it likes.
"""

from __future__ import annotations

import time
from typing import ClassVar

from springline.engines.local.memory import Region
from springline.engines.local.plan import TALLIES, Plan
from springline.engines.real.tally import STATES, Tally


class Tallies:
    """The tallies of all workers in the center's file, or those that belong to its spare copy."""

    def __init__(self, plan: Plan, region: Region, *, spare: bool = False) -> None:
        size = plan.capacity * TALLIES
        self._numbers = region.numbers(plan.tallies + spare * size * 8, size)

    def copy(self, other: Tallies) -> None:
        """Be as another."""
        self._numbers[:] = other._numbers

    def read(self, i: int) -> Tally:
        return Tally(*self._numbers[i * TALLIES : i * TALLIES + len(Tally._fields)])

    def write(self, i: int, values: Tally | list[float]) -> None:
        for k, value in enumerate(values):
            self._numbers[i * TALLIES + k] = value

    def last(self, i: int) -> int:
        return int(self._numbers[i * TALLIES])


class Vitals:
    """What a worker says about itself, on the first page of its box. age: seconds for which it was on its way."""

    age = 0.0

    FIELDS = (
        "state", "since", "round", "steps", "computing", "communicating", "waiting", "loss", "pace", "missed",
        "strikes",
    )  # fmt: skip
    PLACES: ClassVar = {name: place for place, name in enumerate(FIELDS)}

    def __init__(self, numbers: memoryview[float] | list[float]) -> None:
        self._numbers = numbers

    def copy(self) -> Vitals:
        """As they are now, and stay."""
        return Vitals(list(self._numbers))

    def __getitem__(self, name: str) -> float:
        value: float = self._numbers[self.PLACES[name]]
        return value

    def __setitem__(self, name: str, value: float) -> None:
        self._numbers[self.PLACES[name]] = value

    def enter(self, state: str) -> None:
        """Be in a state from now on."""
        self._numbers[self.PLACES["since"]] = time.monotonic()
        self._numbers[self.PLACES["state"]] = STATES.index(state)

    @property
    def state(self) -> str:
        return STATES[int(self["state"])]
