"""What every peer's worker does in the same way: read its cell, take its batches, mark times, leave snapshots, lag.

A cell is a folder: cell.json says what to do, and in it appear
    begin-PID.json     when this process made its first step, and whose it is
    snap-NS.npy        the weights at a moment of the monotonic clock, in nanoseconds, and
    steps-NS           the local steps per worker made by then
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from springline.models.mnist import MnistNet


def read_cell(folder: Path) -> dict[str, Any]:
    cell: dict[str, Any] = json.loads((folder / "cell.json").read_text())
    return cell


def write(path: Path, text: str) -> None:
    """All of it or nothing."""
    part = path.with_name(f".{path.name}-{os.getpid()}")
    part.write_text(text)
    part.rename(path)


def begun(folder: Path, rank: int | None) -> None:
    """Say that this process is about to make its first step."""
    mark = {"rank": rank, "pid": os.getpid(), "time": time.monotonic()}
    write(folder / f"begin-{os.getpid()}.json", json.dumps(mark))


class Snapshots:
    """At most one every `every` seconds."""

    def __init__(self, folder: Path, every: float) -> None:
        self.folder, self.every, self.last = folder, every, 0.0

    def due(self) -> bool:
        return time.monotonic() - self.last >= self.every

    def take(self, x: Tensor, steps: float) -> None:
        self.last = time.monotonic()
        now = time.monotonic_ns()
        write(self.folder / f"steps-{now}", str(steps))
        part = self.folder / ".snap.npy"
        np.save(part, x.numpy())
        part.rename(self.folder / f"snap-{now}.npy")


class Peer:
    """A worker of a peer: `for batch in peer.batches(): …; peer.lag(seconds); peer.stepped()`."""

    def __init__(self, rank: int) -> None:
        torch.set_num_threads(1)
        self.rank, self.folder = rank, Path(sys.argv[1])
        self.cell = cell = read_cell(self.folder)
        material = Path(cell["material"])
        self.x, self.y = (torch.from_numpy(np.load(material / f"{name}.npy", mmap_mode="c")) for name in "xy")
        self.order = torch.from_numpy(np.load(material / f"order-{cell['seed']}-{rank}.npy"))
        self.model: nn.Module = MnistNet()
        initial = np.load(material / f"initial-{cell['seed']}.npy")
        vector_to_parameters(torch.from_numpy(initial), self.model.parameters())
        self.slow = cell["slow"] if rank == cell["slowed"] else 1.0
        self.snapshots = Snapshots(self.folder, cell["snapshot_every"])
        self.steps = self.kept = 0

    def gather(self) -> None:
        """Wait until all workers are there, unless they were there before this one was killed."""
        (self.folder / f"ready-{self.rank}").touch()
        while any(not (self.folder / f"ready-{i}").exists() for i in range(self.cell["workers"])):
            time.sleep(0.005)
        begun(self.folder, self.rank)

    def batch(self) -> tuple[Tensor, Tensor]:
        indices = self.order[self.steps % len(self.order)]
        return self.x[indices], self.y[indices]

    def lag(self, seconds: float) -> None:
        """Sleep as a slowed worker does: (factor − 1) times what computing took."""
        if self.slow > 1:
            time.sleep((self.slow - 1) * seconds)

    def stepped(self, synchronous: bool) -> None:
        """A step is done. synchronous: the weights are now those of everybody; worker 0 may leave them."""
        self.steps += 1
        if self.rank == 0 and synchronous and self.snapshots.due():
            self.snapshots.take(parameters_to_vector(self.model.parameters()).detach(), self.steps)

    # -- a checkpoint every so many steps, by worker 0, for peers that torchrun restarts as a whole

    def restore(self, optimizer: torch.optim.Optimizer) -> None:
        if (path := self.folder / "checkpoint.pt").exists():
            saved = torch.load(path, weights_only=True)
            self.model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            self.steps = self.kept = saved["steps"]

    def checkpoint(self, optimizer: torch.optim.Optimizer) -> None:
        """To be called where the weights are those of everybody."""
        every = self.cell["checkpoint_every"]
        if every and self.rank == 0 and self.steps >= self.kept + every:
            self.kept = self.steps
            part = self.folder / ".checkpoint.pt"
            state = {"model": self.model.state_dict(), "optimizer": optimizer.state_dict(), "steps": self.steps}
            torch.save(state, part)
            part.rename(self.folder / "checkpoint.pt")
