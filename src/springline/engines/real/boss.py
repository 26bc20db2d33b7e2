"""What those who write and tell about a run of real workers know of whoever leads it, whatever its engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from springline.engines.job import Job
from springline.engines.real.pauses import Pauses
from springline.engines.real.tally import Tally


class Life(Protocol):
    """A process or actor. state: absent, starting, up, frozen, dying or gone."""

    @property
    def pid(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def restarts(self) -> int: ...


class Member(Life, Protocol):
    """Worker i's place. down: the scenario wants it down."""

    @property
    def i(self) -> int: ...
    @property
    def down(self) -> bool: ...


class Vitals(Protocol):
    """What a worker last said about itself. age: seconds for which that was on its way."""

    @property
    def age(self) -> float: ...
    @property
    def state(self) -> str: ...
    def __getitem__(self, name: str, /) -> float: ...


class Tallies(Protocol):
    def read(self, i: int, /) -> Tally: ...


class Boards(Protocol):
    """Where the vitals of all workers are seen."""

    def vitals(self, i: int, /) -> Vitals: ...


class Ground(Boards, Protocol):
    """path: where other programs find the run."""

    @property
    def path(self) -> Path: ...


class Engine(Protocol):
    @property
    def min_workers(self) -> int: ...


class Boss(Protocol):
    """told: rounds; updates: of the center; zero: when the run began, on the monotonic clock; strangers: for everybody
    who was turned away, why.
    """

    @property
    def job(self) -> Job: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def center(self) -> Life: ...
    @property
    def crew(self) -> Sequence[Member]: ...
    @property
    def tallies(self) -> Tallies: ...
    @property
    def ground(self) -> Ground: ...
    @property
    def pauses(self) -> Pauses: ...
    @property
    def told(self) -> int: ...
    @property
    def updates(self) -> int: ...
    @property
    def zero(self) -> float: ...
    @property
    def strangers(self) -> Sequence[str]: ...


class Leader(Boss, Protocol):
    """Who can be asked for something. stopping: somebody wants the run to end."""

    stopping: bool

    def join(self) -> int:
        """Make room for one more worker, and return its number. Raises UsageError if there is none."""

    def watch(self, sock: Any, heard: Callable[[], None], /) -> None: ...
    def forget(self, sock: Any, /) -> None: ...


def away(crew: Sequence[Member]) -> int:
    """How many are missing because the scenario wants it so, and come back."""
    return sum(member.down and member.state not in ("up", "gone") for member in crew)
