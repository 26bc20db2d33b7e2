"""Gradients per second of ResNet-20 in the simulator, as a share of those of a bare PyTorch loop.

    python benchmarks/resnet20.py [--blocks 12] [--batch-size 64]

EASGD, four workers, τ = 1, CIFAR's padded crops and flips, without evaluation, one thread. The bare loop computes the
very same gradients, with modules of its own, from batches that were cropped and standardised beforehand, outside its
time (after the first block both centers agree, else the benchmark fails). Simulator and loop take turns in one
process, a round of four gradients each, so that what else the machine does meets both alike; the share is that of the
medians of processor time. Goal: at least 0.95. The images are noise, which costs what photographs cost.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from springline import Task, method
from springline.data import Arrays
from springline.engines.base import Row
from springline.engines.job import Job
from springline.engines.simulator import Simulator
from springline.streams import stream
from springline.tasks.cifar import Cifar10ResNet20

WORKERS, ALPHA, ETA = 4, 0.1, 0.01


def noise() -> Task:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (2100, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, 2100)
    return Cifar10ResNet20().task(Arrays(x[:2000], y[:2000], x[2000:], y[2000:]))


class Bare:
    """The same training as a loop that knows nothing but PyTorch."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.models = [job.task.build(job.seed) for _ in range(job.workers)]
        self.parameters = [list(model.parameters()) for model in self.models]
        self.center = [p.detach().clone() for p in self.parameters[0]]
        self.done = 0

    def batches(self) -> list[Any]:
        """Those of the next round, as the workers see them."""
        task, seed, step = self.job.task, self.job.seed, self.done
        drawn = [task.train.batch(batches.at(step)) for batches in self.job.batches]
        return [task.prepare(batch, stream(seed, "transform", i, step)) for i, batch in enumerate(drawn)]

    def round(self, batches: list[Any]) -> None:
        for model, parameters, (x, y) in zip(self.models, self.parameters, batches, strict=True):
            loss = F.cross_entropy(model(x), y)
            for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                p.data.add_(g, alpha=-ETA)
            for p, c in zip(parameters, self.center, strict=True):
                d = p.data - c
                c.add_(d, alpha=ALPHA)
                p.data.add_(d, alpha=-ALPHA)
        self.done += 1


class Turns:
    """A sink that lets the bare loop make a round whenever the simulator has made one."""

    where: Path | None = None

    def __init__(self, bare: Bare) -> None:
        self.bare = bare
        self.simulated: list[float] = []
        self.looped: list[float] = []
        self.since = process_time()

    def row(self, row: Row, *, ago: float = 0.0) -> None:
        simulated = process_time() - self.since
        batches = self.bare.batches()
        begin = process_time()
        self.bare.round(batches)
        self.looped.append(process_time() - begin)
        self.simulated.append(simulated)

    def checkpoint(self, state: Callable[[], Any], *, now: bool = False) -> None:
        if len(self.looped) == 1:  # both centers are the same, up to the order of sums
            bare = torch.cat([c.reshape(-1) for c in self.bare.center])
            torch.testing.assert_close(state().center.shared["c"], bare, rtol=1e-4, atol=1e-6)
        self.since = process_time()

    def due(self) -> bool:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=64)
    given = parser.parse_args()
    torch.set_num_threads(1)
    total = given.blocks + 2
    easgd = method("easgd", alpha=ALPHA, lr=ETA)
    job = Job(noise(), easgd, workers=WORKERS, rounds=total, batch_size=given.batch_size, eval_every=total)
    turns = Turns(Bare(job))
    Simulator().run(job, turns)
    # the first round warms up, the last one ends with an evaluation
    simulated, looped = turns.simulated[1:-1], turns.looped[1:-1]
    shares = sorted(b / s for s, b in zip(simulated, looped, strict=True))
    result = {
        "throughput_to_bare_loop": round(statistics.median(looped) / statistics.median(simulated), 3),
        "quartiles_of_rounds": [round(q, 3) for q in statistics.quantiles(shares, n=4)],
        "gradients_per_second": round(WORKERS / statistics.median(simulated), 2),
        "batch_size": given.batch_size,
        "blocks": given.blocks,
        "goal": 0.95,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
