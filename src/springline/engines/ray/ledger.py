"""What the center knows beside its vectors: its scalars, and of every worker what came of its attempts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from springline.couplings.base import Note, Scalars
from springline.engines.real.tally import Tally


@dataclass(frozen=True)
class Attempt:
    """A worker's attempt to exchange in one of its rounds.

    asked: whether the worker will hear the reply.  lost: it never arrived, and is only counted.  absent: nor did the
    worker say so, because it is down.
    """

    worker: int
    round: int
    note: Note
    scalars: Scalars
    asked: bool = False
    lost: bool = False
    absent: bool = False


@dataclass
class Ledger:
    """resolved: attempts whose outcome is known; updates: messages that were applied; tickets: chunks of data claimed.

    forgotten: attempts whose outcome went down with a center. They are found out when their worker makes its next one,
    and are counted as lost.
    """

    scalars: Scalars
    tallies: list[Tally]
    vitals: list[dict[str, float]] = field(default_factory=list)
    resolved: int = 0
    updates: int = 0
    tickets: int = 0
    forgotten: int = 0

    @property
    def members(self) -> int:
        return len(self.tallies)

    def last(self, i: int) -> int:
        """The last round of worker i whose attempt is resolved."""
        return int(self.tallies[i].last)

    def enter(self, attempt: Attempt, decision: Scalars | None, sent: int, back: int) -> None:
        """An attempt is resolved. sent, back: the bytes of its message and of the reply."""
        t = self.tallies[attempt.worker]
        behind = attempt.round - 1 - int(t.last)
        self.forgotten += behind
        self.updates += decision is not None
        self.resolved += 1 + behind
        t = t._replace(lost=t.lost + behind)
        self.tallies[attempt.worker] = t.resolved(
            attempt.round, decision, self.updates, lost=attempt.lost, asked=attempt.asked, sent=sent, back=back
        )

    def repeated(self, i: int) -> None:
        """A message came again."""
        self.tallies[i] = self.tallies[i]._replace(repeated=self.tallies[i].repeated + 1)

    def unheard(self, i: int) -> None:
        """The reply to a message that was applied is gone."""
        t = self.tallies[i]
        if t.made:
            self.tallies[i] = t._replace(made=t.made - 1, lost=t.lost + 1, unanswered=t.unanswered + 1)

    def told(self) -> dict[str, Any]:
        """For other processes, whose clocks are not this one's."""
        now = time.monotonic()
        tallies = [list(t._replace(when=now - t.when if t.when else -1.0)) for t in self.tallies]
        vitals = [{k: x for k, x in v.items() if k != "heard"} for v in self.vitals]
        for v, mine in zip(vitals, self.vitals, strict=True):
            if "heard" in mine:
                v["silent"] = now - mine["heard"]
        counts = {name: getattr(self, name) for name in ("resolved", "updates", "tickets", "forgotten")}
        return counts | {"tallies": tallies, "vitals": vitals}
