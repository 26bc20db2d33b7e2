"""What breaks, as plain data: the base of all faults, and what they do to one communication round of one worker.

A fault is a frozen description. `course` turns it into the fate of one worker, a pure function of that worker's round
and the time at its beginning: what happens does not depend on what was trained, so two methods meet the same failures,
and a resumed run the same ones as an uninterrupted run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from springline.errors import UsageError
from springline.state import state

Rejoin = Literal["stale", "initial", "center"]
Draw = Callable[[int], np.random.Generator]


@state
class Damage(NamedTuple):
    """How a message is damaged on its way."""

    kind: Literal["nan", "scale", "sign"]
    by: float  # the factor of `scale`


@state
class Fate(NamedTuple):
    """What befalls one worker in one of its communication rounds."""

    computes: bool = True  # it makes its local steps
    pushed: bool = True  # its message reaches the center
    answered: bool = True  # the reply reaches the worker
    damage: Damage | None = None
    rejoin: Rejoin | None = None  # it begins the round with these weights, having been down
    slowness: float = 1.0  # factor on the time of its steps
    killed: bool = False  # of one that does not compute: it loses what it holds, instead of standing still

    def also(self, other: Fate) -> Fate:
        """Both at once."""
        return Fate(
            computes=self.computes and other.computes,
            pushed=self.pushed and other.pushed,
            answered=self.answered and other.answered,
            damage=self.damage or other.damage,
            rejoin=max(self.rejoin, other.rejoin, key=_SEVERITY.index),
            slowness=self.slowness * other.slowness,
            killed=self.killed or other.killed,
        )


_SEVERITY: list[Rejoin | None] = [None, "stale", "center", "initial"]
UNHARMED = Fate()


class Moment(NamedTuple):
    """When a fate is asked for: the beginning of a round."""

    round: int  # 1, 2, … of this worker
    time: float  # seconds at its beginning
    since: float  # seconds at the beginning of the round before; equal to `time` in the first

    def position(self, unit: str) -> tuple[float, float]:
        """(now, at the round before) on the axis of a span's unit."""
        return (self.round - 1, max(self.round - 2, 0)) if unit == "r" else (self.time, self.since)


Course = Callable[[Moment], Fate]


class Fault(ABC):
    """worker: the workers it befalls; none named means all of them."""

    name: ClassVar[str]  # as in --fault NAME:…
    main: ClassVar[str]  # the key that may be left out
    line: ClassVar[str]  # one line of help
    common: ClassVar[bool] = False  # it befalls all workers at the same time
    worker: tuple[int, ...]

    @abstractmethod
    def course(self, draw: Draw) -> Course:
        """The fate of one worker. `draw(j)` is the j-th random stream of this fault and worker."""

    def befalls(self, worker: int) -> bool:
        return not self.worker or worker in self.worker

    def check(self, workers: int, rounds: int) -> None:
        """Raises UsageError if it cannot befall anybody in a run of `rounds` × `workers` attempts to exchange."""
        for worker in self.worker:
            if not 0 <= worker < workers:
                raise UsageError(
                    f"fault {self.name}: there is no worker {worker}; with {workers} workers they are "
                    f"0 to {workers - 1}."
                )


def check_rate(name: str, key: str, rate: float) -> None:
    if not 0 <= rate <= 1:
        raise UsageError(f"fault {name}: {key}={rate} is outside [0, 1]; it is the probability per exchange attempt.")
