"""Chains: a run of the library's own couplings and optimisers in the simulator, every coordinate of x an independent
chain; and the recursion that theory has for each family, as a star to be run beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from springline.engines.base import Row
from springline.engines.job import Job
from springline.engines.simulator import Simulator
from springline.engines.simulator.world import World
from springline.methods import Method
from springline.scenario import Scenario
from springline.tasks import Task
from springline.theory import Setting
from springline.theory import exchange as ex
from springline.theory import pushing as pu
from springline.theory.linear import Array
from springline.theory.star import Star


class Run(NamedTuple):
    """c [R, D] and x [R, N, D] after each round; rows: the metrics."""

    c: Array
    x: Array
    rows: list[Row]


class Keep:
    """A sink that keeps the center and the workers of every round."""

    where: Path | None = None

    def __init__(self, method: Method) -> None:
        self.method = method
        self.rows: list[Row] = []
        self.c: list[Array] = []
        self.x: list[Array] = []
        self.world: World | None = None

    def row(self, row: Row, *, ago: float = 0.0) -> None:
        self.rows.append(row)

    def due(self) -> bool:
        return True

    def checkpoint(self, state: Callable[[], Any], *, now: bool = False) -> None:
        world = self.world = state()
        self.c.append(self.method.coupling.readout(world.center).numpy().copy())
        self.x.append(np.stack([seat.me.x.numpy().copy() for seat in world.seats]))


def chains(method: Method, task: Task, rounds: int, workers: int, scenario: Scenario | None = None, **job: Any) -> Run:
    """Follow a run, noise of batches of one sample by default."""
    job = {"batch_size": 1, "eval_every": rounds} | job
    keep = Keep(method)
    Simulator().run(Job(task, method, scenario or Scenario(), workers=workers, rounds=rounds, **job), keep)
    return Run(np.stack(keep.c), np.stack(keep.x), keep.rows)


def star(family: str, eta_h: float, s: Setting) -> Star | None:
    """The turn of a family, where it is one of workers around a center."""
    builders = {
        "easgd": lambda: ex.elastic(eta_h, s.alpha, tau=s.tau, pull_after=s.pull_after, momentum=False),
        "eamsgd": lambda: ex.elastic(
            eta_h, s.alpha, delta=s.delta, tau=s.tau, pull_after=s.pull_after, look_ahead=s.look_ahead
        ),
        "downpour": lambda: pu.downpour(eta_h, s.tau),
        "downpour-momentum": lambda: pu.downpour(eta_h, s.tau, s.delta, momentum=True, look_ahead=s.look_ahead),
        "mdownpour": lambda: pu.mdownpour(eta_h, s.delta),
        "asgd": lambda: pu.asgd(eta_h),
        "staleness-aware": lambda: pu.staleness_aware(eta_h, s.workers),
        "nag-asgd": lambda: pu.nag_asgd(eta_h, s.delta),
        "multi-asgd": lambda: pu.multi_asgd(eta_h, s.delta),
        "dana": lambda: pu.dana(eta_h, s.delta),
        "dana-zero": lambda: pu.dana_zero(eta_h, s.delta),
    }
    return builders[family]() if family in builders else None


def same_mean(sample: Array, mean: float, sigmas: float = 5.0) -> bool:
    """Whether a mean of independent chains [D] is within so many standard errors, estimated from the sample."""
    error = float(np.std(sample) / np.sqrt(sample.size))
    return abs(float(np.mean(sample)) - mean) <= sigmas * error + 1e-12
