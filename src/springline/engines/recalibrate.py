"""Batch-norm statistics of given parameters, computed anew from training batches.

    μ = mean_k mean(batch_k),   σ² = mean_k var(batch_k),   k = 1 … K batches, each layer on what those before it give

Running statistics belong to the parameters they were collected at; an average of several workers' parameters has
others than the average of theirs. Reference: Izmailov et al. 2018, Averaging weights leads to wider optima and better
generalization, arXiv:1803.05407, section 3.2.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from springline.engines.job import Job
from springline.streams import key, stream
from springline.tasks.base import to_device
from springline.tasks.drawing import seed_all
from springline.tasks.layout import Layout

BATCHES = 20  # K: of 64 CIFAR images, the mean of a channel's 1.3 million pixels at full size


def recalibrate_(layout: Layout, job: Job) -> None:
    """Write the statistics of the parameters that the module has now into its buffers.

    The batches and what is drawn in them depend on the job's seed alone. Buffers of other layers are left alone.
    """
    norms = [m for m in layout.module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not norms:
        return
    before = [(m.momentum, m.num_batches_tracked) for m in norms]
    others = _others(layout, norms)
    for m in norms:
        m.running_mean.zero_()  # type: ignore[union-attr]
        m.running_var.fill_(1)  # type: ignore[union-attr]
        m.momentum, m.num_batches_tracked = None, torch.zeros((), dtype=torch.int64)  # the mean of all
    was_training = layout.module.training
    layout.module.train()
    try:
        for k in range(BATCHES):
            _see(layout, job, k)
    finally:
        layout.module.train(was_training)
        for m, (momentum, tracked) in zip(norms, before, strict=True):
            m.momentum, m.num_batches_tracked = momentum, tracked
        for buffer, value in others:
            buffer.copy_(value)


def _see(layout: Layout, job: Job, k: int) -> None:
    """One forward pass in training mode over the k-th batch."""
    task = job.task
    chosen = stream(job.seed, "recalibrate", k).choice(len(task.train), job.batch_size, replace=False)
    number = key(job.seed, "recalibrate dropout", k)
    seed_all(number)  # also for a data set that draws
    if job.device != "cpu":
        torch.manual_seed(number)
    batch = to_device(task.train.batch(torch.from_numpy(chosen)), job.device)
    batch = task.prepare(batch, stream(job.seed, "recalibrate transform", k))
    with torch.no_grad():
        task.loss_fn(layout.module, batch)


def _others(layout: Layout, norms: list[_BatchNorm]) -> list[tuple[Tensor, Tensor]]:
    """The buffers that are not theirs, with their values."""
    theirs = {id(b) for m in norms for b in m.buffers(recurse=False)}
    return [(b, b.clone()) for b in layout.buffers if id(b) not in theirs]
