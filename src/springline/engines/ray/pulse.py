"""What a worker says about itself: to the center with every request, and to the driver now and then."""

from __future__ import annotations

import time
from collections import defaultdict

from springline.engines.real.tally import STATES


class Pulse(defaultdict[str, float]):
    """Numbers by name: seconds of computing, communicating and waiting, steps, round, loss, pace …"""

    def __init__(self, values: dict[str, float] | None = None) -> None:
        super().__init__(float, values or {})

    def enter(self, state: str) -> None:
        """Be in a state from now on."""
        self["since"], self["state"] = time.monotonic(), STATES.index(state)

    @property
    def state(self) -> str:
        return STATES[int(self["state"])]

    @property
    def age(self) -> float:
        """Seconds since this was heard, where it was."""
        return time.monotonic() - self["heard"] if "heard" in self else 0.0

    def told(self) -> dict[str, float]:
        return dict(self)

    def beat(self) -> dict[str, float]:
        """The same for another process, whose clock is not this one's."""
        told = dict(self)
        return told | {"silent": time.monotonic() - told["since"]} if "since" in told else told

    @classmethod
    def heard(cls, beat: dict[str, float]) -> Pulse:
        """What another process has just said."""
        now = time.monotonic()
        return cls(beat | {"heard": now} | ({"since": now - beat["silent"]} if "silent" in beat else {}))
