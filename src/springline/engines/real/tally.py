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

    def decided(self, decision: dict[str, Any]) -> Tally:
        """With the center's last decision."""
        shown = {name: float(decision.get(name, math.nan)) for name in ("score", "h1", "h2", "distance")}
        return self._replace(**shown, when=time.monotonic())
