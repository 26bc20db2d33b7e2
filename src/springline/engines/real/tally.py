"""The numbers about each worker that the center keeps, and the states that a worker may say it is in."""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

STATES = ("absent", "starting", "computing", "exchanging", "waiting", "down", "leaving")


class Tally(NamedTuple):
    """What the center knows about one worker."""

    last: float = 0.0  # the last of its rounds 1, 2, … whose attempt is resolved
    made: float = 0.0  # attempts that succeeded
    lost: float = 0.0  # attempts that did not; made + lost = attempts
    refused: float = 0.0  # of the lost: damaged, and not applied
    unanswered: float = 0.0  # of the lost: applied, but the worker never heard
    repeated: float = 0.0  # messages that came again and were answered from the last reply
    bytes: float = 0.0  # sent both ways
    pulled: float = 0.0  # center updates when it was last answered
    lag: float = 0.0  # center updates between that and its exchange
    score: float = math.nan
    h1: float = math.nan
    h2: float = math.nan
    distance: float = math.nan
    when: float = 0.0  # of the last exchange, on the monotonic clock

    def resolved(
        self,
        round: int,
        decision: dict[str, Any] | None,
        updates: int,
        *,
        lost: bool,
        asked: bool,
        sent: int,
        back: int,
    ) -> Tally:
        """After the attempt of this round. decision: None if nothing was applied; updates: of the center, this one
        among them; sent, back: bytes of a message and of a reply."""
        made = decision is not None and asked
        changed: dict[str, float] = {
            "last": round,
            "made": self.made + made,
            "lost": self.lost + (not made),
            "refused": self.refused + (decision is None and not lost),
            "unanswered": self.unanswered + (decision is not None and not asked),
            "bytes": self.bytes + (0 if lost else sent) + (back if made else 0),
        }
        if decision is not None:
            changed |= {name: float(decision.get(name, math.nan)) for name in ("score", "h1", "h2", "distance")}
            changed["lag"] = updates - 1 - self.pulled
            changed["pulled"] = updates if asked else self.pulled
            changed["when"] = time.monotonic()
        return self._replace(**changed)
