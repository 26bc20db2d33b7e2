"""What every method of METHODS is put through: a tiny task, a setting that fits the method, and sinks that keep.

f(x) = ½ Σ a_k (x_k − s_k)² averaged over the batch, x [6] float64, with a running mean of what was seen as buffer
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from springline import METHODS, Method, Scenario, Task
from springline.engines.base import Outcome, Row
from springline.engines.job import Job
from springline.engines.simulator import Simulator
from springline.engines.simulator.world import World
from springline.state import flatten, unflatten

CURVATURES = torch.tensor([2.0, 3.0, 4.0, 2.5, 3.5, 5.0], dtype=torch.float64)
SAMPLES = torch.randn(48, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
OPTIMUM = SAMPLES.mean(dim=0)
NAMES = list(METHODS)


class Point(nn.Module):
    """Two layers that hold x, and a buffer."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.full((2, 2), 3.0, dtype=torch.float64))
        self.b = nn.Parameter(torch.full((2,), -3.0, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros(2, dtype=torch.float64))

    def forward(self, s: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.seen.mul_(0.9).add_(s[:, :2].mean(dim=0), alpha=0.1)
        x = torch.cat([self.w.reshape(-1), self.b])
        return (0.5 * CURVATURES * (x - s) ** 2).sum(dim=1).mean()


TASK = Task("point", model=Point, loss_fn=lambda model, batch: model(batch[0]), train=SAMPLES)


def excess(x: Tensor) -> float:
    """f(x) − f(optimum)."""
    return float((0.5 * CURVATURES * (x - OPTIMUM) ** 2).sum())


def job(name: str, faults: Sequence[str] = (), rounds: int = 12, method: Method | None = None, **world: Any) -> Job:
    """The method on as many workers, with as many local steps and over such a topology as it is defined for."""
    method = method or METHODS[name].example
    coupling = method.coupling
    topology = {"star": "star", "tree": "tree:2"}[coupling.topology]
    return Job(
        TASK,
        method,
        Scenario.of(faults, topology=topology, **world),
        workers=min(4, coupling.most_workers or 4),
        tau=1 if coupling.single_step else 2,
        rounds=rounds,
        batch_size=4,
        eval_every=rounds,
    )


def copied(tree: Any) -> Any:
    """The same state in memory of its own."""
    tensors, rest = flatten(tree)
    return unflatten({name: t.clone() for name, t in tensors.items()}, rest)


def same(a: Any, b: Any) -> bool:
    """Equal bytes: tensors by their place, whether or not they share memory, and all that is no tensor."""
    (tensors, rest), (others, other) = _by_place(a), _by_place(b)
    return (
        rest == other
        and tensors.keys() == others.keys()
        and all(t.dtype == others[k].dtype and t.equal(others[k]) for k, t in tensors.items() if not t.isnan().any())
    )


def _by_place(tree: Any) -> tuple[dict[str, Tensor], Any]:
    tensors, rest = flatten(tree)
    return flatten(unflatten(tensors, rest))


@dataclass
class Keep:
    """A sink that keeps the rows, and copies of the states of the rounds asked for."""

    wanted: Callable[[int], bool] = lambda round: False
    rows: list[Row] = field(default_factory=list)
    worlds: list[World] = field(default_factory=list)
    where: None = None

    def row(self, row: Row, *, ago: float = 0.0) -> None:
        self.rows.append(row)

    def due(self) -> bool:
        return self.wanted(len(self.rows))

    def checkpoint(self, state: Callable[[], Any], *, now: bool = False) -> None:
        if self.due():
            self.worlds.append(copied(state()))


def run(
    what: Job, wanted: Callable[[int], bool] = lambda round: False, resumed: World | None = None
) -> tuple[Keep, Outcome]:
    kept = Keep(wanted)
    with torch.random.fork_rng(devices=[]):
        outcome = Simulator().run(what, kept, resumed)
    return kept, Outcome(outcome.x.clone(), outcome.buffers.clone())
