"""Everything a simulation is: what a checkpoint holds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from torch import Tensor

from springline.couplings.base import Center, Message, Reply
from springline.engines.worker import WorkerState
from springline.scenario.fault import UNHARMED, Fate, Rejoin
from springline.state import state

Event = tuple[float, int, int, int, int, Any]  # time, priority, sequence, kind, worker, what


@state
@dataclass(slots=True)
class Tally:
    """What has happened to one worker so far."""

    made: int = 0  # attempts that succeeded
    lost: int = 0  # attempts that did not, for whatever reason; made + lost = attempts
    refused: int = 0  # of the lost: arrived damaged and were not applied
    unanswered: int = 0  # of the lost: applied, but the worker never heard
    strikes: int = 0  # refused in a row
    bytes: int = 0  # sent both ways
    computing: float = 0.0  # virtual seconds making local steps
    communicating: float = 0.0  # of its waits for the center: transfer and service of its own messages
    waiting: float = 0.0  # the rest of its waits: others are served, or a round is not full
    decision: Any = None  # the center's last decision about it
    lag: int = 0  # center updates between the worker's last pull and its last exchange
    gap: float = 0.0  # root-mean-square distance between worker and center at that exchange, summed over layers
    lags: int = 0  # sums over all exchanges that were applied: made + unanswered
    gaps: float = 0.0

    def met(self, lag: int, gap: float) -> None:
        """An exchange was applied."""
        self.lag, self.gap = lag, gap
        self.lags += lag
        self.gaps += gap


@state
class Sent(NamedTuple):
    """A message on its way to the center."""

    message: Message
    x: Tensor  # [P] where the worker stood
    asked: int | None  # the worker's round, if it will hear the answer
    took: float  # seconds for the steps of its round, and for the way there and back


@state
class Answer(NamedTuple):
    """A reply on its way to a worker."""

    reply: Reply
    asked: int  # the worker's round in which it asked
    clock: int  # center updates, this one included
    cost: float  # seconds of transfer and service


@state
@dataclass(slots=True)
class Seat:
    """One worker's place in the simulation; changed in place, from event to event."""

    me: WorkerState
    tally: Tally = field(default_factory=Tally)
    round: int = 0  # rounds begun
    begun: float = 0.0  # when this round began
    fate: Fate = UNHARMED  # what this round holds for it
    rejoin: Rejoin | None = None  # how it will come back as soon as it is up
    todo: int = 0  # local steps left in this round
    length: float = 0.0  # seconds that the steps of this round take
    rest: float = 0.0  # of these, those after the landing; all if none is under way
    awaiting: int | None = None  # the round whose exchange is under way
    answer: Answer | None = None  # arrived, not landed yet
    blocked: float | None = None  # since when it has been waiting for the answer
    clock: int = 0  # center updates at its last pull

    def copy(self) -> Seat:
        """As it is now, whatever happens to it later."""
        return replace(self, tally=replace(self.tally))


@state
class World(NamedTuple):
    """A whole simulation between two events."""

    seats: list[Seat]
    center: Center
    heap: list[Event]
    sequence: int  # events scheduled
    resolved: int  # attempts whose outcome is known
    updates: int  # messages applied by the center
    free: float  # when the center has served all it was sent
    round: int  # rows written
    extra: Any = None  # what the protocol adds
    tickets: int = 0  # chunks of the data claimed
    shared: Tensor | None = None  # [B] the buffers of all workers, where they have one set
