"""Least squares in float64 with a gradient written by hand, and the simulator's center after every round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import springline
from springline.engines.job import Job
from springline.engines.simulator import Simulator
from springline.methods import Method
from springline.scenario import Scenario

P, SAMPLES, BATCH = 4, 96, 4
_RNG = np.random.default_rng(7)
A = _RNG.normal(size=(SAMPLES, P))
Y = A @ _RNG.normal(size=P) + 0.3 * _RNG.normal(size=SAMPLES)


def _loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return 0.5 * (model(batch[0]).squeeze(1) - batch[1]).square().mean()


TASK = springline.Task(
    "least squares",
    model=lambda: nn.Linear(P, 1, bias=False).double(),
    loss_fn=_loss,
    train=(torch.from_numpy(A), torch.from_numpy(Y)),
)
X0 = TASK.build(0).weight.detach().numpy().reshape(P).copy()


def job(method: Method | str, workers: int, rounds: int, tau: int = 1, faults: tuple[str, ...] = ()) -> Job:
    chosen = springline.method(method) if isinstance(method, str) else method
    scenario = Scenario(faults)
    return Job(TASK, chosen, scenario, workers=workers, tau=tau, rounds=rounds, batch_size=BATCH, eval_every=rounds)


class _Watch:
    """A sink that looks at the center after every round."""

    def __init__(self, look: Callable[[Any], np.ndarray]) -> None:
        self.look, self.seen = look, []

    def row(self, row: dict[str, Any], *, ago: float = 0.0) -> None:
        pass

    def checkpoint(self, state: Callable[[], Any]) -> None:
        self.seen.append(self.look(state().center))


def trajectory(job: Job, look: Callable[[Any], Tensor] | None = None) -> np.ndarray:
    """[rounds, P], the center's readout after each round (or what `look` sees of it), in the simulator."""
    see = look or job.method.coupling.readout
    watch = _Watch(lambda center: see(center).clone().numpy())
    Simulator().run(job, watch)
    return np.array(watch.seen)


def gradients(job: Job) -> Callable[..., np.ndarray]:
    """g(i, step, x): worker i's gradient at x on the batch of its local step; of several workers, on all of them."""

    def g(i: int | list[int], step: int, x: np.ndarray) -> np.ndarray:
        rows = np.concatenate([job.batches[j].at(step).numpy() for j in ([i] if isinstance(i, int) else i)])
        return A[rows].T @ (A[rows] @ x - Y[rows]) / len(rows)

    return g
