"""The MNIST network as products of matrices over the same with PyTorch's convolutions: evaluation, and compiled steps.

    python benchmarks/mnist_network.py [--rounds 30]

One thread, batch 64 (evaluation: 500). Both forms take turns in one process, and a form's time is the median of its
turns. Ends with one JSON object: the ratios, each below 1 where the products are faster. The images are noise.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from time import perf_counter

import torch
import torch.nn.functional as F
from adahessian import Steps
from torch import Tensor

from springline.models import MnistNet
from springline.optim.adahessian import AdaHessian
from springline.optim.sgd import SGD


class Convolutions(MnistNet):
    """Without the products."""

    def features(self, x: Tensor) -> Tensor:
        for conv in (self.conv1, self.conv2):
            x = F.relu(F.max_pool2d(conv(x), 2))
        return x.flatten(1)


def evaluation(network: type[MnistNet]) -> Callable[[], float]:
    """One pass over 500 images, in seconds."""
    net, x = network(), torch.randn(500, 1, 28, 28)

    @torch.no_grad()
    def turn() -> float:
        begin = perf_counter()
        net(x)
        return perf_counter() - begin

    return turn


KINDS: dict[str, Callable[[type[MnistNet]], Callable[[], float]]] = {
    "evaluation": evaluation,
    "compiled SGD step": lambda network: Steps(SGD(), True, network).block,
    "compiled AdaHessian step": lambda network: Steps(AdaHessian(), True, network).block,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=30)
    rounds = arguments.parse_args().rounds
    torch.set_num_threads(1)
    found = {}
    for name, kind in KINDS.items():
        forms = kind(MnistNet), kind(Convolutions)
        for turn in forms * 2:  # warm up and compile
            turn()
        times = [[turn() for turn in forms] for _ in range(rounds)]
        products, convolutions = map(statistics.median, zip(*times, strict=True))
        found[name] = round(products / convolutions, 3)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
