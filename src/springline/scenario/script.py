"""This worker, this round, this fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from springline.errors import UsageError
from springline.scenario.corrupt import check_damage
from springline.scenario.crash import check_rejoin
from springline.scenario.fault import UNHARMED, Course, Damage, Draw, Fate, Fault, Moment, Rejoin
from springline.scenario.slow import check_factor

What = Literal["drop", "outage", "crash", "slow", "corrupt", "lost-reply"]


@dataclass(frozen=True)
class Script(Fault):
    """The fault `what` in rounds `round` … `round + rounds − 1` of the named workers, for certain.

    compute belongs to an outage, rejoin to a crash, factor to slow, kind and by to corrupt.
    """

    name: ClassVar[str] = "script"
    main: ClassVar[str] = "what"
    line: ClassVar[str] = "this worker, this round, this fault: script:crash,worker=1,round=5,rounds=3"

    what: What
    round: int
    rounds: int = 1
    worker: tuple[int, ...] = ()
    compute: bool = False
    rejoin: Rejoin = "center"
    factor: float = 4.0
    kind: Literal["nan", "scale", "sign"] = "nan"
    by: float = 100.0

    def __post_init__(self) -> None:
        if self.what not in get_args(What):
            raise UsageError(f"fault script: what={self.what!r} is unknown; choose {', '.join(get_args(What))}.")
        if self.round < 1 or self.rounds < 1:
            raise UsageError(
                f"fault script: round={self.round}, rounds={self.rounds}; rounds count from 1 and last at least one."
            )
        check_rejoin(self.name, self.rejoin)
        check_factor(self.name, self.factor)
        check_damage(self.name, self.kind, self.by)

    def check(self, workers: int, rounds: int) -> None:
        """A run ends after `rounds` × `workers` attempts, and in theory one worker can make all of them."""
        super().check(workers, rounds)
        if self.round > rounds * workers:
            raise UsageError(
                f"fault script: round={self.round} never comes, as this run ends after {rounds * workers} attempts to "
                "exchange of all its workers together; name an earlier round, or make more."
            )

    def course(self, draw: Draw) -> Course:
        during = {
            "drop": Fate(pushed=False),
            "outage": Fate(computes=self.compute, pushed=False),
            "crash": Fate(computes=False, pushed=False, killed=True),
            "slow": Fate(slowness=self.factor),
            "corrupt": Fate(damage=Damage(self.kind, self.by)),
            "lost-reply": Fate(answered=False),
        }[self.what]
        after = Fate(rejoin=self.rejoin) if self.what == "crash" else UNHARMED
        end = self.round + self.rounds

        def fate(moment: Moment) -> Fate:
            if self.round <= moment.round < end:
                return during
            return after if moment.round == end else UNHARMED

        return fate
