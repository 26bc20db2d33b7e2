"""While fewer workers are alive than there have to be, nobody exchanges."""

from __future__ import annotations

import time

LONG = 5.0  # seconds of a pause after which it is named


class Pauses:
    """since: when the present one began, on the monotonic clock; None while there is none."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._before = 0.0  # seconds of those that are over
        self._named = False
        self._short_since: float | None = None

    def turn(self, paused: bool, *, short: bool = False) -> None:
        """Whether there is one, from now on. short: so many have left for good that it lasts until somebody joins."""
        now = time.monotonic()
        if paused != (self.since is not None):
            self._before += self.present
            self.since, self._named = now if paused else None, False
        self._short_since = None if not short else self._short_since or now

    @property
    def present(self) -> float:
        """For how many seconds there has been one."""
        return time.monotonic() - self.since if self.since is not None else 0.0

    @property
    def short(self) -> float:
        """For how many seconds it has taken somebody who joins to end it."""
        return time.monotonic() - self._short_since if self._short_since is not None else 0.0

    @property
    def total(self) -> float:
        """Seconds of all of them."""
        return self._before + self.present

    def to_be_named(self) -> bool:
        """Whether the present one is long, and this is the first to hear of it."""
        named, self._named = self._named, self._named or self.present > LONG
        return self._named and not named
