"""What an engine is, and what it tells while it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from torch import Tensor

from springline.engines.job import Job
from springline.errors import UsageError

Row = dict[str, Any]


class Outcome(NamedTuple):
    """What is left of a run: the center as it would be evaluated."""

    x: Tensor  # [P]
    buffers: Tensor  # [B]


class Sink(Protocol):
    """Where an engine's news go."""

    @property
    def where(self) -> Path | None:
        """The run's folder, if it has one."""
        ...

    def row(self, row: Row, *, ago: float = 0.0) -> None:
        """The metrics of one communication round, which was complete so many seconds ago."""
        ...

    def checkpoint(self, state: Callable[[], Any], *, now: bool = False) -> None:
        """A moment at which the run could be resumed; `state()` is called only if the sink wants to keep it.

        now: it is the last one for a while, so that the sink had better want it.
        """
        ...

    def due(self) -> bool:
        """Whether the sink would keep a checkpoint now, for engines that have to prepare one."""
        ...


@dataclass(frozen=True)
class Engine(ABC):
    """A frozen description of how a job is run."""

    name: ClassVar[str]

    @abstractmethod
    def check(self, job: Job) -> None:
        """Raises UsageError for a job that this engine cannot run (see `apart.check_apart`)."""

    def options(self) -> dict[str, Any]:
        """The fields in which it differs from the engine of its name, for its `with_options` in a resumed run."""
        mine = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in mine.items()}

    def with_options(self, options: dict[str, Any]) -> Engine:
        """The same engine with these fields. Raises UsageError for one that it does not have."""
        if not options:
            return self
        for name in options.keys() - {f.name for f in fields(self)}:
            raise UsageError(f"{name} is nothing that engine {self.name} knows; leave it out.")
        return replace(self, **{name: tuple(v) if isinstance(v, list) else v for name, v in options.items()})

    def home(self, job: Job) -> str:
        """The device on which the state of a checkpoint has to be, to go on from it."""
        return "cpu"

    @abstractmethod
    def run(self, job: Job, sink: Sink, resumed: Any = None) -> Outcome:
        """Run the job, from the state of a checkpoint if there is one."""
