"""Runs on a cluster that the tests share, and ways to watch them from outside without waiting for luck."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from springline import Task
from springline.engines.ray import Ray
from springline.engines.real.ask import ask
from tests.local.support import Watched as WatchedThread
from tests.local.support import cross_entropy, net, normed, task, until

DEADLINE = 180.0  # for machines with much else to do
__all__ = ["DEADLINE", "WIDE", "Watched", "ask", "cross_entropy", "net", "normed", "slowly", "task", "until", "wide"]


def wide() -> nn.Module:
    """More than two blocks of parameters, so that the center can be cut into three."""
    return nn.Sequential(nn.Linear(8, 700), nn.Tanh(), nn.Linear(700, 400), nn.Tanh(), nn.Linear(400, 3))


WIDE = sum(p.numel() for p in wide().parameters())


def slow_cross_entropy(model: nn.Module, batch: Any) -> Tensor:
    """A step takes at least 5 ms."""
    time.sleep(0.005)
    return cross_entropy(model, batch)


def slowly(model: Any = net) -> Task:
    quick = task(model)
    return Task("slow points", model=model, loss_fn=slow_cross_entropy, train=quick.train, test=quick.test)


class Watched(WatchedThread):
    """A run of engine ray in a thread of its own, so that a test can do things to it meanwhile."""

    def __init__(self, folder: Path, engine: Ray | None = None, **options: Any) -> None:
        super().__init__(folder, **{"engine": engine or Ray(), "workers": 2, "task": slowly()} | options)
