"""Ray's verbs, typed as this engine uses them."""

from __future__ import annotations

from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError

DEAD = RayActorError, OutOfMemoryError  # of a call to an actor whose process has ended


def get(refs: Any, timeout: float | None = None) -> Any:
    """What a call, or each of several, returned."""
    return ray.get(refs, timeout=timeout)


def ready(refs: list[Any], timeout: float) -> list[Any]:
    """Those that have ended: waits for one, at most so many seconds."""
    if not refs:
        return []
    ray.wait(refs, num_returns=1, timeout=timeout, fetch_local=False)
    done, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
    return list(done)
