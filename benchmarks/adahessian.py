"""What a step of AdaHessian costs beside one of SGD: the MNIST network, batch 64, one worker.

    python benchmarks/adahessian.py [--threads 1 2] [--rounds 30]

Steps are timed in short blocks, each kind in turn, in one process; a kind's time is the median of its blocks, so that
what else the machine does meets all kinds alike. Ends with one JSON object: for each number of threads the ratios to
an SGD step (eager to eager, compiled to eager, compiled to compiled) and the milliseconds behind them. Goals: eager at
most 2.9, compiled to eager at most 2.0. The images are noise, which costs what digits cost.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from springline.models import MnistNet
from springline.optim.adahessian import AdaHessian
from springline.optim.base import Optimiser
from springline.optim.sgd import SGD
from springline.tasks.layout import Layout
from springline.tasks.oracle import ModelOracle

BLOCK = 8  # steps timed together


def cross_entropy(model: nn.Module, batch: tuple[Any, ...]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


class Steps:
    """One worker that goes on from block to block."""

    def __init__(self, optimiser: Optimiser, compiled: bool, network: type[MnistNet] = MnistNet) -> None:
        torch.manual_seed(0)
        layout = Layout(network())
        self.batch = (torch.randn(64, 1, 28, 28), torch.randint(10, (64,)))
        self.oracle = ModelOracle(layout, cross_entropy, compiled)
        self.optimiser, self.x = optimiser, layout.read()[0]
        self.state = optimiser.init(self.x)

    def block(self) -> float:
        """Milliseconds per step."""
        begin = perf_counter()
        for _ in range(BLOCK):
            oracle = self.oracle.see(self.batch, self.state.t)
            self.x, self.state, _ = self.optimiser.step(self.x, self.state, oracle)
        return (perf_counter() - begin) / BLOCK * 1e3


def measure(threads: int, rounds: int) -> dict[str, float]:
    torch.set_num_threads(threads)
    kinds = {
        "sgd": Steps(SGD(), compiled=False),
        "adahessian": Steps(AdaHessian(), compiled=False),
        "sgd compiled": Steps(SGD(), compiled=True),
        "adahessian compiled": Steps(AdaHessian(), compiled=True),
    }
    for steps in kinds.values():  # warm up and compile
        steps.block()
        steps.block()
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, steps in kinds.items():
            times[name].append(steps.block())
    ms = {name: statistics.median(blocks) for name, blocks in times.items()}
    ratios = {
        "eager": ms["adahessian"] / ms["sgd"],
        "compiled to eager": ms["adahessian compiled"] / ms["sgd"],
        "compiled": ms["adahessian compiled"] / ms["sgd compiled"],
    }
    found = {**ratios, **{f"{name} [ms]": value for name, value in ms.items()}}
    return {name: round(value, 3) for name, value in found.items()}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--threads", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}))
    arguments.add_argument("--rounds", type=int, default=30)
    chosen = arguments.parse_args()
    print(json.dumps({f"{n} threads": measure(n, chosen.rounds) for n in chosen.threads}))


if __name__ == "__main__":
    main()
