"""The row of metrics that a simulation writes after each communication round."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from springline.engines.base import Row
from springline.engines.simulator.world import Seat
from springline.folder import finite
from springline.tasks.layout import Layout


def counts(seats: list[Seat]) -> Row:
    """The sums over all workers since the run began."""
    names = ("made", "lost", "refused", "unanswered")
    total: Row = {f"exchanges_{name}": sum(getattr(s.tally, name) for s in seats) for name in names}
    return total | {"bytes": sum(s.tally.bytes for s in seats)}


def per_worker(seats: list[Seat], x: Tensor) -> dict[str, list[Any]]:
    """What each worker shows: its distance to the center's position x, the last decision about it, counts and times."""
    decisions = [s.tally.decision or {} for s in seats]
    shown: dict[str, list[Any]] = {"distance": [float(torch.linalg.vector_norm(s.me.x - x)) for s in seats]}
    for name in ("score", "h1", "h2"):
        shown[name] = [finite(d.get(name)) for d in decisions]
    for name in ("made", "lost", "lag", "gap", "computing", "communicating", "waiting"):
        shown[name] = [getattr(s.tally, name) for s in seats]
    tallies = [s.tally for s in seats]
    for name, sums in (("mean_lag", "lags"), ("mean_gap", "gaps")):
        shown[name] = [getattr(t, sums) / max(1, t.made + t.unanswered) for t in tallies]
    return shown | {"unanswered": [t.unanswered for t in tallies], "steps": [s.me.steps for s in seats]}


def gap(layout: Layout, worker: Tensor, center: Tensor) -> float:
    """G(Δ) = Σ_layers ‖Δ_layer‖₂/√m_layer, Δ = worker − center. Reference: DANA, section 3."""
    delta = (worker - center).cpu().numpy()  # a dozen small products: numpy takes a third of torch's time for them
    ends = itertools.accumulate(layout.sizes)
    pieces = (delta[end - size : end] for end, size in zip(ends, layout.sizes, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):  # of a run that diverges, which says so itself
        return float(sum(math.sqrt(np.dot(p, p) / len(p)) for p in pieces))
