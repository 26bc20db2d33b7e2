"""What the simulator costs beside a bare PyTorch loop, and the memory of 256 simulated workers.

    python benchmarks/simulator.py [--threads 1] [--blocks 40]

Time: EASGD, four workers on the MNIST network, batch 64, τ = 1 and 4, without evaluation. The bare loop computes the
very same gradients and updates with modules of its own (after the first block both centers agree, else the benchmark
fails). Simulator and loop take turns in one process, a block of rounds each, so that what else the machine does meets
both alike; a ratio is that of the medians of the blocks. Goal: at most 1.05. The images are noise, which costs what
digits cost.

Memory: the largest resident size of a process that trains 256 workers on MNIST, its data included, for two rounds.
Goal: at most 1.5 GiB.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

import springline
from springline import Task, method
from springline.engines.base import Row
from springline.engines.job import Job
from springline.engines.simulator import Simulator
from springline.models import MnistNet

WORKERS, BATCH, ALPHA, ETA = 4, 64, 0.1, 0.01
STEPS = 32  # of all workers together, in one block


def noise() -> Task:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(4096, 1, 28, 28, generator=generator), torch.randint(10, (4096,), generator=generator)
    return Task("noise", MnistNet, lambda model, batch: F.cross_entropy(model(batch[0]), batch[1]), (x, y))


class Bare:
    """The same training as a loop that knows nothing but PyTorch; its batches are drawn beforehand."""

    def __init__(self, job: Job) -> None:
        self.x, self.y = job.task.train.tensors
        self.tau, steps = job.tau, job.tau * job.rounds
        self.orders = [[batches.at(t) for t in range(steps)] for batches in job.batches]
        self.models = [job.task.build(job.seed) for _ in range(job.workers)]
        self.parameters = [list(model.parameters()) for model in self.models]
        self.center = [p.detach().clone() for p in self.parameters[0]]
        self.done = 0

    def round(self) -> None:
        for model, parameters, order in zip(self.models, self.parameters, self.orders, strict=True):
            for t in range(self.done, self.done + self.tau):
                indices = order[t]
                loss = F.cross_entropy(model(self.x[indices]), self.y[indices])
                for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                    p.data.add_(g, alpha=-ETA)
            for p, c in zip(parameters, self.center, strict=True):
                d = p.data - c
                c.add_(d, alpha=ALPHA)
                p.data.add_(d, alpha=-ALPHA)
        self.done += self.tau


class Time(NamedTuple):
    wall: float
    cpu: float  # of all threads; with one thread the wall time of a machine that does nothing else

    def less(self, other: Time) -> Time:
        return Time(self.wall - other.wall, self.cpu - other.cpu)


def now() -> Time:
    return Time(perf_counter(), process_time())


class Turns:
    """A sink that lets the bare loop make a block of rounds whenever the simulator has made one."""

    def __init__(self, bare: Bare, rounds: int) -> None:
        self.bare, self.rounds = bare, rounds
        self.simulated: list[Time] = []
        self.looped: list[Time] = []
        self.since = now()

    def row(self, row: Row, *, ago: float = 0.0) -> None:
        if row["round"] % self.rounds:
            return
        begin = now()
        for _ in range(self.rounds):
            self.bare.round()
        end = now()
        self.simulated.append(begin.less(self.since))
        self.looped.append(end.less(begin))
        self.since = now()

    where = None

    def due(self) -> bool:
        return True

    def checkpoint(self, state: Callable[[], Any], *, now: bool = False) -> None:
        """After the first block: both centers are the same, up to the order of sums."""
        if len(self.simulated) == 1 and state().round == self.rounds:
            bare = torch.cat([c.reshape(-1) for c in self.bare.center])
            torch.testing.assert_close(state().center.shared["c"], bare, rtol=1e-5, atol=1e-6)


def overhead(tau: int, blocks: int) -> dict[str, Any]:
    rounds = max(1, STEPS // (WORKERS * tau))
    total = rounds * (blocks + 2)
    easgd = method("easgd", alpha=ALPHA, lr=ETA)
    job = Job(noise(), easgd, workers=WORKERS, tau=tau, rounds=total, batch_size=BATCH, eval_every=total)
    turns = Turns(Bare(job), rounds)
    Simulator().run(job, turns)
    # the first block warms up, the last one ends with an evaluation
    pairs = list(zip(turns.simulated, turns.looped, strict=True))[1:-1]
    found: dict[str, Any] = {}
    for k, clock in enumerate(Time._fields):
        sim, loop = (statistics.median(pair[i][k] for pair in pairs) for i in (0, 1))
        found[f"ratio, {clock}"] = round(sim / loop, 3)
        quartiles = statistics.quantiles([s[k] / b[k] for s, b in pairs], n=4)
        found[f"quartiles over the blocks, {clock}"] = [round(q, 3) for q in quartiles]
        per_step = 1e3 / (rounds * WORKERS * tau)
        found[f"ms per step, {clock}"] = {"simulator": round(sim * per_step, 3), "loop": round(loop * per_step, 3)}
    return found


def memory() -> None:
    """In a process of its own: print the largest resident size in MiB, before and after."""

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    task = springline.load_task("mnist")
    before = peak()
    springline.train(task, sys.argv[2], workers=256, rounds=2, batch_size=64, eval_every=2, faults=["drop:0.333"])
    print(json.dumps({"data loaded [MiB]": round(before), "256 workers [MiB]": round(peak())}))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--blocks", type=int, default=40)
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    found: dict[str, Any] = {f"tau {tau}": overhead(tau, chosen.blocks) for tau in (1, 4)}
    for name in ("easgd", "deahes-o"):
        child = [sys.executable, __file__, "--memory", name]
        done = subprocess.run(child, stdout=subprocess.PIPE, text=True, check=True)
        found[f"memory, {name}"] = json.loads(done.stdout)
    print(json.dumps(found))


if __name__ == "__main__":
    memory() if sys.argv[1:2] == ["--memory"] else main()
