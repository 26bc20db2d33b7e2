"""One thread, so that sums have one order everywhere; and the tasks that several files train on."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import springline
from springline import Task
from springline.fleet import crew

torch.set_num_threads(1)
# a job in the background of a script is started deaf to Ctrl-C, and so would be every process that a test interrupts
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_run_is_left() -> Iterator[None]:
    """A run in a thread that a failed test has left would compute on beside all that follow."""
    yield
    for thread in threading.enumerate():
        if end := getattr(thread, "end", None):
            end()


@pytest.fixture(scope="session")
def blobs() -> Task:
    """An explicit test task: three classes of 8-dimensional points, 240 to train and 120 to test, a small network."""
    generator = torch.Generator().manual_seed(20)
    means = 1.5 * torch.randn(3, 8, generator=generator)

    def points(n: int) -> tuple[Tensor, Tensor]:
        y = torch.arange(n) % 3
        return means[y] + torch.randn(n, 8, generator=generator), y

    return Task(
        "blobs",
        model=lambda: nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 3)),
        loss_fn=lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        train=points(240),
        test=points(120),
        metrics=springline.classification,
    )


@pytest.fixture(scope="session")
def mnist() -> Task:
    """The real one; its data are fetched and cached first where needed."""
    return springline.load_task("mnist")


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[str]]:
    """The processes that a fleet starts, in order."""
    started: list[subprocess.Popen[str]] = []

    class Listed(subprocess.Popen[str]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(crew.subprocess, "Popen", Listed)
    return started
