"""A quadratic in numpy beside the same one as a task, and what is taken from a finished simulation.

f(x) = ½ Σ a_k (x_k − s_k)², averaged over the batch; x [3] float64, so a message holds 24 bytes
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from conformance.support import Keep, run
from torch import Tensor, nn

from springline import METHODS, Scenario, Task
from springline.engines.job import Job

CURVATURES = np.array([0.4, 1.0, 1.9])
START = np.array([1.0, -2.0, 0.5])
SAMPLES = np.random.default_rng(11).normal(size=(600, 3))
ETA = 0.1


class Point(nn.Module):
    """x itself."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor(START))


def loss(model: nn.Module, batch: Any) -> Tensor:
    return (0.5 * torch.tensor(CURVATURES) * (model.x - batch[0]) ** 2).sum(dim=1).mean()


TASK = Task("distance", model=Point, loss_fn=loss, train=torch.tensor(SAMPLES))


def job(
    method: str, *faults: str, workers: int = 2, tau: int = 1, rounds: int = 4, knobs: Any = None, **world: str
) -> Job:
    chosen = METHODS[method].with_(**({"lr": ETA} | (knobs or {})))
    scenario = Scenario.of(faults, **world)
    return Job(TASK, chosen, scenario, workers=workers, tau=tau, rounds=rounds, batch_size=2, eval_every=rounds)


def every(what: Job) -> Keep:
    """A run of which every state is kept."""
    return run(what, lambda round: True)[0]


class Gradients:
    """The mini-batch gradients of the workers of a job, in numpy."""

    def __init__(self, what: Job) -> None:
        self.batches = replace(what).batches
        self.steps = [0] * what.workers

    def __call__(self, i: int, x: np.ndarray) -> np.ndarray:
        """On worker i's next batch."""
        batch = SAMPLES[self.batches[i].at(self.steps[i]).numpy()]
        self.steps[i] += 1
        return CURVATURES * (x - batch.mean(axis=0))
