"""A task that worker processes can import, and ways to watch a run from outside without waiting for luck."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import springline
from springline import Task
from springline.engines.real.ask import ask
from springline.errors import RunError, UsageError

DEADLINE = 180.0  # for machines with much else to do


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 3))


def normed() -> nn.Module:
    """With statistics that travel beside the parameters."""
    return nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 3))


def cross_entropy(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def task(model: Callable[[], nn.Module] = net) -> Task:
    """Three classes of 8-dimensional points, 240 to train and 120 to test."""
    generator = torch.Generator().manual_seed(20)
    means = 1.5 * torch.randn(3, 8, generator=generator)

    def points(n):
        y = torch.arange(n) % 3
        return means[y] + torch.randn(n, 8, generator=generator), y

    metrics = springline.classification
    return Task("points", model=model, loss_fn=cross_entropy, train=points(240), test=points(120), metrics=metrics)


def until(what: str, found, deadline: float = DEADLINE):
    """Ask again and again until there is an answer, and return it."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.005)
    raise AssertionError(f"waited {deadline:.0f} s for {what}")


def state_of(pid: int) -> str:
    """The letter of a process in /proc: R running, S sleeping, T stopped; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


class Watched(threading.Thread):
    """A run in a thread of its own, so that a test can do things to it meanwhile."""

    def __init__(self, folder: Path, **options) -> None:
        super().__init__(daemon=True)
        self.folder, self.options = folder, options
        self.run_: springline.Run | None = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        options = {"task": task(), "method": "easgd", "engine": "local", "batch_size": 16} | self.options
        try:
            self.run_ = springline.train(options.pop("task"), options.pop("method"), out=self.folder, **options)
        except BaseException as error:
            self.error = error

    def status(self) -> dict | None:
        """None before it can be asked, and after its end."""
        try:
            return ask(self.folder, "status")
        except (UsageError, RunError):
            return None

    def when(self, what: str, holds) -> dict:
        """The first status of which something holds."""

        def found():
            if self.error is not None:
                raise self.error
            assert self.is_alive(), f"the run ended before {what}"
            status = self.status()
            return status if status and holds(status) else None

        return until(what, found)

    def end(self) -> None:
        """Stop it, whatever it is at."""
        with contextlib.suppress(UsageError, RunError):
            stop(self.folder)
        self.join(DEADLINE)

    def result(self) -> springline.Run:
        self.join(DEADLINE)
        if self.error is not None:
            raise self.error
        assert self.run_ is not None, "the run does not end"
        return self.run_


def ends_for_want_of_workers(run: Watched, said: Callable[[], str]) -> None:
    """It is said, once, that the run waits; and it ends with a checkpoint when nobody has joined. said: the log."""
    sentence = "1 of at least 2 workers are alive; nobody exchanges until there are"
    until("it is said", lambda: sentence in said())
    with pytest.raises(springline.RunError, match=r"only 1 of at least 2 workers are left after .*; go on with"):
        run.result()
    assert said().count(sentence) == 1
    assert (run.folder / "checkpoint.safetensors").exists()


def stop(folder: Path) -> None:
    ask(folder, "stop")


def live(folder: Path) -> dict:
    """What a running run says about itself in its folder."""
    return json.loads((folder / "live.json").read_text())


def gone(pid: int) -> bool:
    return state_of(pid) in ("", "Z", "X") or not os.path.exists(f"/proc/{pid}")
