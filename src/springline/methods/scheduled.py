"""A method whose learning rate follows a schedule, on the clock of whoever applies it.

A worker's optimiser counts the worker's own local steps; a coupling whose center steps counts the center's updates,
one for each gradient, or one for each round of gradients where the center is synchronous.
"""

from __future__ import annotations

from typing import Any

from springline.errors import UsageError
from springline.methods.base import Method
from springline.optim.schedule import parse


def scheduled(method: Method, text: str, workers: int, samples: int, shard: int, batch_size: int) -> Method:
    """The method with its η turned into the schedule that `text` describes (see `optim.schedule.parse`).

    samples: n of the training data; shard: of the smallest partition; an epoch is n samples for the center's clock, a
    pass over its own samples for a worker's. Raises UsageError for an unknown schedule, or a method without η.
    """
    path = method.knobs().get("lr")
    eta: Any = method
    for name in path or ():
        eta = getattr(eta, name)
    if path is not None and eta is None:
        raise UsageError(
            f"schedule={text}: the learning rate of {method.name} is inside its torch optimiser's factory; give it as "
            "Torch(…, lr=…)."
        )
    if path is None:
        raise UsageError(f"schedule={text}: {method.name} has no learning rate lr that a schedule could change.")
    at_center = path[0] == "coupling"
    per_update = batch_size * (workers if method.coupling.protocol == "round" else 1)
    per_epoch = samples // per_update if at_center else shard // batch_size
    return method.with_(lr=parse(text, eta, workers, max(1, per_epoch)))
