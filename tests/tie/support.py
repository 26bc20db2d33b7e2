"""Scripts in real processes, and lines in this one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from springline.engines.real.ask import ask
from springline.errors import RunError, UsageError

DEADLINE = 120.0  # for machines with much else to do

# steps until a file named "end" is there; further lines of a test come before its loop
LOOP = """
import os, signal, sys, time
import torch
import springline

torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
line = springline.tie(model, optimizer, tau=2)
{}
while not os.path.exists("end"):
    loss = model(torch.randn(4, 3)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    line.step(loss=loss)
    time.sleep(0.001)
"""


def environment() -> dict[str, str]:
    dropped = ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS")
    keep = {k: v for k, v in os.environ.items() if k not in dropped and not k.startswith("SPRINGLINE_RUN")}
    return keep | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


started: list[subprocess.Popen[str]] = []  # which a failed test may have left behind


def start(cwd: Path, *command: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    started.append(process)
    return process


def end_all() -> None:
    while started:
        process = started.pop()
        if process.poll() is None:
            process.kill()
        process.communicate()


class Launched:
    """`springline launch` of a script's text, in a folder of its own; the run is in `run` there."""

    def __init__(self, cwd: Path, script: str, *options: str) -> None:
        self.cwd, self.run = cwd, cwd / "run"
        (cwd / "script.py").write_text(script)
        self.process = start(cwd, "springline", "launch", "--out", "run", *options, "script.py")

    def when(self, what: str, holds: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The first status of which something holds."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            assert self.process.poll() is None, f"it ended before {what}: {self.process.communicate()}"
            try:
                status = ask(self.run, "status")
            except (UsageError, RunError):
                status = None
            if status and status["workers"] and holds(status):
                return status
            time.sleep(0.01)
        raise AssertionError(f"waited {DEADLINE:.0f} s for {what}; last {status}")

    def exchanging(self, workers: int) -> dict[str, Any]:
        return self.when("everybody exchanges", lambda s: sum(w["made"] > 0 for w in s["workers"]) == workers)

    def end(self) -> None:
        (self.cwd / "end").touch()

    def done(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err


def until(what: str, holds: Callable[[], Any]) -> None:
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, f"waited {DEADLINE:.0f} s for {what}"
        time.sleep(0.01)


class Point(nn.Module):
    """x [2], which an optimizer moves by −lr · g for a gradient of our choice."""

    def __init__(self, *x: float) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor(x))

    def go(self, optimizer: torch.optim.Optimizer, *g: float) -> None:
        self.x.grad = torch.tensor(g)
        optimizer.step()


def point(*x: float) -> tuple[Point, torch.optim.Optimizer]:
    model = Point(*x)
    return model, torch.optim.SGD(model.parameters(), lr=1.0)
