"""springline's engine `local`. PEERS_CELL is the cell's folder; its `method` and `knobs` say which line.

The engine evaluates copies of its center in a thread of its own while everybody trains. Here that evaluation does
nothing but leave the copy as a snapshot, so that it costs what the other peers' snapshots cost.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Snapshots, begun, read_cell
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

import springline
from springline.engines.local import nursery
from springline.models.mnist import MnistNet
from springline.tasks import Samples
from springline.tasks.images import cross_entropy

FOLDER = Path(os.environ["PEERS_CELL"])  # workers import this file too, without its arguments
CELL = read_cell(FOLDER)
SNAPSHOTS = Snapshots(FOLDER, CELL["snapshot_every"])
begun_here = False
copied: list[Tensor] = []


@dataclass(frozen=True)
class Images(Samples):
    """The training images; nobody looks at those that the evaluation asks for, so it gets one."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        chosen = indices if len(indices) == CELL["batch_size"] else indices[:1]
        return self.x[chosen], self.y[chosen]


def loss_fn(model: nn.Module, batch: Any) -> Tensor:
    """Cross-entropy; the first one in a worker's process begins its training."""
    global begun_here
    if not begun_here and nursery.inside:
        begun_here = True
        torch.set_num_threads(1)
        begun(FOLDER, None)
    return cross_entropy(model, batch)


def keep(model: nn.Module, batch: Any) -> Mapping[str, Any]:
    """In the place of an evaluation: copy the center, if a snapshot is due."""
    if SNAPSHOTS.due():
        copied.append(parameters_to_vector(model.parameters()).detach().clone())
    return {"loss": 0.0}


def progress(row: Mapping[str, Any]) -> None:
    """Called with the row that belongs to the copy."""
    if copied:
        SNAPSHOTS.take(copied.pop(), sum(row["workers"]["steps"]) / CELL["workers"])


def build() -> nn.Module:
    return MnistNet()


def main() -> None:
    torch.set_num_threads(1)
    material = Path(CELL["material"])
    x, y = (torch.from_numpy(np.load(material / f"{name}.npy", mmap_mode="c")) for name in "xy")
    task = springline.Task("peers", model=build, loss_fn=loss_fn, train=Images(x, y), metrics=keep, eval_batch=5000)
    slow = [f"slow:factor={CELL['slow']},worker={CELL['slowed']}"] if CELL["slow"] > 1 else []
    springline.train(
        task,
        CELL["method"],
        engine="local",
        faults=slow,
        workers=CELL["workers"],
        tau=CELL["tau"],
        batch_size=CELL["batch_size"],
        rounds=10**7,
        eval_every=4,
        seed=CELL["seed"],
        guard=False,
        progress=progress,
        lr=CELL["lr"],
        **CELL["knobs"],
    )


if __name__ == "__main__":
    main()
