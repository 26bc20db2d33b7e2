"""How a script's worker finds its run, and what it is then connected to.

A kind of center is a `Connector`. The local one finds it by the run's folder; another engine adds its own to
`CONNECTORS`, a function that returns a connector where it is at home (inside a Ray task, say) and else None. What a
script names by `tie(connector=…)` comes before all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from springline.couplings.base import Ease, Message, Reply
from springline.engines.job import Job
from springline.tied.model import Model


@dataclass(frozen=True)
class Offer:
    """A worker that wants to be tied.

    model: with the initial parameters; those of the first worker of a run are the center's. job: method, τ, N; its task
    has no data, since the script has them. config: the run's configuration as JSON. worker: its number, if the launcher
    gave one.
    """

    model: Model
    job: Job
    config: dict[str, Any]
    worker: int | None = None


class Connection(Protocol):
    """One worker's way to the center: one exchange under way at a time.

    worker: its number i; workers: N; differs: whether its initial parameters differ from the first worker's;
    back: whether a worker with this number has exchanged before; last: the last of its rounds that is resolved.
    """

    worker: int
    workers: int
    differs: bool
    back: bool

    @property
    def last(self) -> int: ...

    def push(self, round: int, message: Message, begun: float, ease: Ease | None = None) -> None:
        """Hand in a message and go on. ease: what the center is to make of the pull, see `Exchange.ease_`."""

    def settle(self) -> Reply | None:
        """Wait for the reply to it; None if there is none to come. It may look at memory that the next push reuses."""

    def fetch(self, *, start: bool) -> tuple[Tensor, Tensor]:
        """Copies of the center's x [P], where a worker starts or that of the readout, and b [B]; nothing may be under
        way."""

    def own(self, t: Tensor) -> Tensor:
        """The tensor, or a copy if it looks at such memory."""

    def tell(self, **vitals: float | str) -> None:
        """What the worker says about itself: state, steps, loss, round, missed, and seconds spent."""

    @property
    def unwanted(self) -> bool:
        """Whether the run is being stopped, so that the worker should leave."""

    def close(self, how: str) -> None:
        """Part: "done" when the script has ended, "left" when it was asked to leave, "failed" after an exception."""


class Connector(ABC):
    """A kind of center."""

    @abstractmethod
    def connect(self, offer: Offer) -> Connection:
        """Connect a worker, and make the center if it is the first one.

        Raises UsageError where offer and run do not fit, RunError if nobody answers within 60 s.
        """


CONNECTORS: list[Callable[[], Connector | None]] = []
