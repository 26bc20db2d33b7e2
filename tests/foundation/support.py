"""A task whose gradients are known, the recursions of the sources in numpy, and sinks that keep what an engine tells.

f(x) = mean over the batch of ½ Σ_k a_k (x_k − s_k)²,   ∇f(x) = a (x − mean s)      all in float64
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from springline import Method, Scenario, Task
from springline.checkpoint import load_state, save_state
from springline.couplings import Elastic, Evidence, Weighting, Weights
from springline.couplings.fixed import Fixed
from springline.data.batches import Batches
from springline.data.partition import partition
from springline.engines.base import Row
from springline.engines.job import Job
from springline.engines.simulator import Simulator
from springline.engines.simulator.world import World
from springline.optim.base import Optimiser
from springline.optim.nesterov import Nesterov
from springline.optim.sgd import SGD
from springline.state import flatten, unflatten

CURVATURES = np.array([0.4, 1.0, 1.9])
START = np.array([1.0, -2.0, 0.5])
SAMPLES = np.random.default_rng(7).normal(size=(24, 3))


class Point(nn.Module):
    """x itself."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor(START))


def squared_distance(model: nn.Module, batch: Any) -> Tensor:
    return (0.5 * torch.tensor(CURVATURES) * (model.x - batch[0]) ** 2).sum(dim=1).mean()


def quadratic() -> Task:
    """An explicit test task."""
    return Task("distance", model=Point, loss_fn=squared_distance, train=torch.tensor(SAMPLES))


def elastic(weights: Weights | None = None, optimiser: Optimiser | None = None, **kw: Any) -> Method:
    return Method("own", Elastic(weights or Fixed(0.3)), optimiser or SGD(lr=0.1), **kw)


@dataclass(frozen=True)
class Witness(Weights):
    """Keeps what it is shown."""

    reaches: ClassVar[bool] = True

    shown: tuple[list[Evidence]] = ([],)
    back: int = 3

    @property
    def history(self) -> int:
        return self.back

    def weigh(self, evidence: Evidence) -> Weighting:
        self.shown[0].append(evidence)
        return Weighting(0.5, 0.5, math.nan)


@dataclass
class Keep:
    """A sink that keeps every row, and a copy of every state."""

    rows: list[Row] = field(default_factory=list)
    worlds: list[World] = field(default_factory=list)

    def row(self, row: Row, *, ago: float = 0.0) -> None:
        self.rows.append(row)

    def checkpoint(self, state: Callable[[], Any]) -> None:
        tensors, rest = flatten(state())
        self.worlds.append(unflatten({name: t.clone() for name, t in tensors.items()}, rest))

    def centers(self) -> list[np.ndarray]:
        return [world.center.shared["c"].numpy() for world in self.worlds]

    def column(self, name: str, worker: int) -> list[Any]:
        return [row["workers"][name][worker] for row in self.rows]


@dataclass
class Save(Keep):
    """A sink that writes every state to a file of its own."""

    folder: Path = Path()
    files: list[Path] = field(default_factory=list)

    def checkpoint(self, state: Callable[[], Any]) -> None:
        self.files.append(self.folder / f"{len(self.files)}.safetensors")
        save_state(self.files[-1], state())


def job(method: Method, task: Task | None = None, faults: Any = (), scenario: Scenario | None = None, **kw: Any) -> Job:
    return Job(task or quadratic(), method, scenario or Scenario(faults), **({"workers": 2, "batch_size": 2} | kw))


def simulate(method: Method, task: Task | None = None, **kw: Any) -> Keep:
    """The rows and states of a simulated run."""
    kept = Keep()
    Simulator().run(job(method, task, **kw), kept)
    return kept


def resumed(file: Path, what: Job) -> tuple[Keep, Any]:
    """A run that goes on from a state in a file."""
    kept = Keep()
    return kept, Simulator().run(what, kept, load_state(file))


# -- by hand


class ByHand:
    """N workers on the quadratic: x_i and v_i [3], c [3]. `step(i)` is one local step on the worker's next batch."""

    def __init__(self, workers: int, eta: float, delta: float = 0.0, seed: int = 0, batch_size: int = 2) -> None:
        parts = partition(len(SAMPLES), workers, 0.0, seed)
        self.batches = [Batches(part, batch_size, seed, i) for i, part in enumerate(parts)]
        self.x = [START.copy() for _ in range(workers)]
        self.v = [np.zeros(3) for _ in range(workers)]
        self.steps = [0] * workers
        self.c = START.copy()
        self.eta, self.delta = eta, delta

    def gradient(self, i: int, x: np.ndarray) -> np.ndarray:
        """On worker i's next batch, which is used up."""
        batch = SAMPLES[self.batches[i].at(self.steps[i]).numpy()]
        self.steps[i] += 1
        return CURVATURES * (x - batch.mean(axis=0))

    def step(self, i: int) -> None:
        """v ← δv − ηg(x + δv); x ← x + v"""
        self.v[i] = self.delta * self.v[i] - self.eta * self.gradient(i, self.x[i] + self.delta * self.v[i])
        self.x[i] = self.x[i] + self.v[i]

    def exchange(self, i: int, h1: float, h2: float) -> None:
        """x_i ← x_i − h1·d; c ← c + h2·d"""
        d = self.x[i] - self.c
        self.x[i] = self.x[i] - h1 * d
        self.c = self.c + h2 * d


def momentum(eta: float, delta: float) -> Nesterov:
    return Nesterov(lr=eta, momentum=delta)
