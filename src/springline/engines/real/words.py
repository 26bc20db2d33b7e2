"""What is said of real workers, processes or actors alike."""

from __future__ import annotations

from springline.errors import RunError

ENDED = "%s has ended (%s) and is started again."  # who, by what
LONGER = ", or give it longer by --patience or engine=Local(patience=…)"
WAITS = "%s; nobody exchanges until there are (`springline join` adds one)."  # too few
TRIES = 5  # starts in a row without a single attempt


def too_few(alive: int, min_workers: int) -> str:
    return f"{alive} of at least {min_workers} workers are alive"


def in_vain(who: str, why: str) -> RunError:
    """It was started again and again, and each time it ended before anything came of it."""
    return RunError(
        f"{who} ended {TRIES} times in a row before its next exchange ({why or 'no reason'}); see the messages above."
    )


def deserted(left: int, min_workers: int, told: int, rounds: int) -> RunError:
    """Those who have not left for good are nobody, or fewer than have to be there."""
    who = f"only {left} of at least {min_workers} workers are left" if left else "all workers have left"
    return RunError(f"{who} after {told} of {rounds} rounds; go on with `springline resume`.")
