"""The row of metrics that a simulation writes after each communication round."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from springline.engines.base import Row
from springline.engines.simulator.world import Seat
from springline.files import finite
from springline.tasks.layout import Layout

SHOWN = ("made", "lost", "lag", "gap", "computing", "communicating", "waiting")
_shown = attrgetter(*SHOWN)
_counted = attrgetter("tally.made", "tally.lost", "tally.refused", "tally.unanswered", "tally.bytes")


def counts(seats: list[Seat]) -> Row:
    """The sums over all workers since the run began."""
    made, lost, refused, unanswered, size = map(sum, zip(*map(_counted, seats), strict=True))
    return {
        "exchanges_made": made,
        "exchanges_lost": lost,
        "exchanges_refused": refused,
        "exchanges_unanswered": unanswered,
        "bytes": size,
    }


def per_worker(seats: list[Seat], x: Tensor) -> dict[str, list[Any]]:
    """What each worker shows: its distance to the center's position x, the last decision about it, counts and times."""
    decisions = [s.tally.decision or {} for s in seats]
    shown: dict[str, list[Any]] = {"distance": [float(torch.linalg.vector_norm(s.me.x - x)) for s in seats]}
    for name in ("score", "h1", "h2"):
        shown[name] = [finite(d.get(name)) for d in decisions]
    tallies = [s.tally for s in seats]
    shown |= zip(SHOWN, map(list, zip(*map(_shown, tallies), strict=True)), strict=True)
    applied = [max(1, t.made + t.unanswered) for t in tallies]
    shown["mean_lag"] = [t.lags / n for t, n in zip(tallies, applied, strict=True)]
    shown["mean_gap"] = [t.gaps / n for t, n in zip(tallies, applied, strict=True)]
    return shown | {"unanswered": [t.unanswered for t in tallies], "steps": [s.me.steps for s in seats]}


def gap(layout: Layout, worker: Tensor, center: Tensor) -> float:
    """G(Δ) = Σ_layers ‖Δ_layer‖₂/√m_layer, Δ = worker − center. Reference: DANA, section 3."""
    delta = (worker - center).cpu()
    delta = delta if delta.dtype.itemsize >= 4 else delta.float()
    numbers = delta.numpy()  # a dozen small products: numpy takes a third of torch's time for them
    total, end = 0.0, 0
    with np.errstate(over="ignore", invalid="ignore"):  # of a run that diverges, which says so itself
        for size in layout.sizes:
            begin, end = end, end + size
            piece = numbers[begin:end]
            total += math.sqrt(piece.dot(piece) / size)
    return total
