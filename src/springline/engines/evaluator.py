"""The center, judged: test metrics, and the training loss on a fixed sample of the training data."""

from __future__ import annotations

import torch
from torch import Tensor

from springline.engines.job import Job
from springline.engines.recalibrate import recalibrate_
from springline.streams import key, stream
from springline.tasks.base import Batch, Samples, evaluate, to_device
from springline.tasks.layout import Layout

TRAIN_SAMPLE = 5000  # enough for a training loss to about 1 %, a twelfth of MNIST's training set


class Evaluator:
    """Evaluates x [P], b [B] on a module of its own, in large batches under inference mode."""

    def __init__(self, job: Job) -> None:
        self.job, self.task, self.device = job, job.task, job.device
        self.layout = Layout(job.task.build(job.seed).to(job.device))
        n = len(job.task.train)
        chosen = stream(job.seed, "train loss sample").permutation(n)[:TRAIN_SAMPLE]
        self.train = _Part(job.task.train, torch.from_numpy(chosen), job.device)
        self.test = _Part(job.task.test, None, job.device) if job.task.test is not None else None

    def __call__(self, x: Tensor, buffers: Tensor) -> dict[str, float]:
        """train_loss, and test_loss, test_accuracy … where the task has test data and metrics."""
        self.settle(x, buffers)
        self.task.begin(key(self.job.seed, "evaluation"))  # for data sets and losses that draw all the same
        found = {"train_loss": evaluate(self.task, self.layout.module, self.train)["loss"]}
        if self.test is not None:
            metrics = evaluate(self.task, self.layout.module, self.test)
            found |= {f"test_{name}": value for name, value in metrics.items()}
        return found

    def settle(self, x: Tensor, buffers: Tensor) -> Tensor:
        """The buffers [B] with which x is evaluated and exported: those given, or recalibrated for x."""
        b = buffers.to(self.device, copy=True)  # the engines of several processes keep a center on the CPU
        self.layout.bind(x.to(self.device))
        self.layout.bind_buffers(b)
        if self.job.buffers == "recalibrate":
            recalibrate_(self.layout, self.job)
            self.layout.collect_buffers(b)
        return b


class _Part(Samples):
    """Some of a collection's samples (all if `chosen` is None), on a device."""

    def __init__(self, data: Samples, chosen: Tensor | None, device: str) -> None:
        self.data, self.chosen, self.device = data, chosen, device

    def __len__(self) -> int:
        return len(self.data) if self.chosen is None else len(self.chosen)

    def batch(self, indices: Tensor) -> Batch:
        batch = self.data.batch(indices if self.chosen is None else self.chosen[indices])
        return batch if self.device == "cpu" else to_device(batch, self.device)
