"""The largest curvature h of a model where a run begins: the top eigenvalue of the Hessian at x_0.

    v ← Hv / ‖Hv‖,     h = vᵀHv         (power iteration)

The first products are with the Hessian of a third of a mini-batch, which find the direction; the last with that of a
whole one, which tell the curvature. A product costs up to twice what a gradient does on as many samples, and on a
small network as much as a step whatever the batch, so there are 14 at most: all of them together cost less than 20
training steps. What is measured is the curvature that a step on a batch of the run meets: for the noise in it somewhat
above that of all data, and up to a tenth below its own top where the iteration is not at its end. (benchmarks/guard.py
measures the cost and the noise.)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from springline.engines.job import Job
from springline.streams import key, stream
from springline.tasks.base import to_device
from springline.tasks.double_backward import examine, hessian_product
from springline.tasks.drawing import seed_all, unseen
from springline.tasks.layout import Layout

SEEKING, MEASURING = 12, 2  # products on a third of a batch, and on a whole one
SETTLED = 0.01  # relative change of h at which the direction counts as found


def largest_curvature(job: Job) -> float | None:
    """h of the job's model at x_0; None where it has none: not twice differentiable, flat, or curved downwards.

    A model, a batch and random numbers of its own, so that a run is the same with and without it. Whatever goes wrong
    here goes wrong in the run too, and is better said there.
    """
    with unseen(job.device), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            h = _power(job)
        except Exception:
            return None
    return h if h > 0 and np.isfinite(h) else None


def _power(job: Job) -> float:
    layout = Layout(job.task.build(job.seed).to(job.device).train())
    draw = stream(job.seed, "guard")
    n = len(job.task.train)
    chosen = torch.from_numpy(draw.choice(n, min(n, job.batch_size), replace=False))
    v = torch.from_numpy(draw.normal(size=layout.size)).to(layout.parameters[0])
    h, v = _iterate(_products(job, layout, chosen[: -(-len(chosen) // 3)]), v / v.norm(), SEEKING)
    if len(chosen) > 1 and h:
        h, v = _iterate(_products(job, layout, chosen), v, MEASURING)
    return h


def _iterate(product: Callable[[Tensor], Tensor], v: Tensor, most: int) -> tuple[float, Tensor]:
    """(h, v) after at most so many products; h = 0 where there is no curvature, or none that is finite."""
    h = 0.0
    for _ in range(most):
        hv = product(v)
        before, h = h, float(v @ hv)
        size = float(hv.norm())
        if not 0 < size < float("inf"):
            return 0.0, v
        v = hv / size
        if abs(h - before) <= SETTLED * abs(h):
            break
    return h, v


def _products(job: Job, layout: Layout, chosen: Tensor) -> Callable[[Tensor], Tensor]:
    """v ↦ Hv on a batch of these samples."""
    task = job.task
    seed_all(key(job.seed, "guard batch"))
    batch = to_device(task.train.batch(chosen), job.device)
    batch = task.prepare(batch, stream(job.seed, "guard transform"))
    loss = task.loss_fn(layout.module, batch)
    one = torch.ones_like(loss, requires_grad=True)
    grads = torch.autograd.grad(loss, layout.parameters, one, create_graph=True, materialize_grads=True)
    examine(grads)
    return lambda v: layout.join(hessian_product(grads, layout.parameters, layout.split(v), retain=True))
