"""What the guard of `train` costs, in training steps, and what its curvature is worth.

    python benchmarks/guard.py

Cost: the estimate of the curvature at x_0, from building the model to the last product, in local steps of SGD on
batches of the run's size. Estimates and blocks of steps take turns in one process, one thread, and CPU time is counted,
so that what else the machine does meets both alike; the ratio is that of the medians. Goal: below 20.
Worth: the estimate with batches of 64 over eight seeds beside the top eigenvalue of the Hessian of 1,024 samples.
MNIST with both of its networks, and ResNet-20 and a tiny network on noise, which costs what pictures cost. For the tiny
one, whose step is little more than the calls it makes, there is no goal: the estimate takes a few milliseconds.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from time import process_time
from typing import Any

import torch
import torch.nn.functional as F

from springline import METHODS, Task, load_task
from springline.engines.job import Job
from springline.engines.worker import Replica
from springline.guard import largest_curvature
from springline.models import build

GOAL = 20.0


def noise(name: str, model: Callable[[], Any], *shape: int) -> Task:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(1024, *shape, generator=generator), torch.randint(10, (1024,), generator=generator)
    return Task(name, model, lambda m, batch: F.cross_entropy(m(batch[0]), batch[1]), (x, y))


def cost(task: Task, batch_size: int, blocks: int) -> dict[str, float]:
    """Estimates and blocks of ten steps in turn."""
    job = Job(task, METHODS["easgd"], workers=1, batch_size=batch_size)
    replica = Replica(job)
    me = replica.start(0)
    steps, estimates = [], []
    for _ in range(blocks + 1):
        began = process_time()
        me = replica.train(me, 10)
        between = process_time()
        largest_curvature(job)
        steps.append((between - began) / 10)
        estimates.append(process_time() - between)
    step, estimate = statistics.median(steps[1:]), statistics.median(estimates[1:])
    return {
        "steps": round(estimate / step, 1),
        "step_ms": round(1e3 * step, 2),
        "estimate_ms": round(1e3 * estimate, 1),
    }


def worth(task: Task, seeds: range) -> dict[str, list[float]]:
    def h(seed: int, batch_size: int) -> float:
        value = largest_curvature(Job(task, METHODS["easgd"], workers=1, batch_size=batch_size, seed=seed))
        return round(value or 0.0, 2)

    return {str(b): [h(seed, b) for seed in seeds] for b in (64, 1024)}


def main() -> None:
    torch.set_num_threads(1)
    mnist = load_task("mnist")
    tiny = noise(
        "tiny", lambda: torch.nn.Sequential(torch.nn.Linear(50, 64), torch.nn.Tanh(), torch.nn.Linear(64, 10)), 50
    )
    resnet = noise("resnet20", lambda: build("resnet20"), 3, 32, 32)
    found = {
        "mnist, batch 64": cost(mnist, 64, 15),
        "mnist, batch 16": cost(mnist, 16, 15),
        "mnist-mlp, batch 64": cost(load_task("mnist-mlp"), 64, 15),
        "resnet20, batch 64": cost(resnet, 64, 2),
    }
    small = cost(tiny, 64, 40)
    for name, value in (found | {"tiny, batch 64": small}).items():
        print(f"{name}: {value['steps']} steps ({value['estimate_ms']} ms; a step takes {value['step_ms']} ms)")
    curvature = worth(mnist, range(8))
    for size, values in curvature.items():
        print(f"largest curvature of the MNIST network at x_0, batches of {size}: {values}")
    most = max(value["steps"] for value in found.values())
    print(
        json.dumps(
            {
                "goal": GOAL,
                "most_steps": most,
                "met": most < GOAL,
                "cost": found,
                "tiny": small,
                "mnist_curvature": curvature,
            }
        )
    )


if __name__ == "__main__":
    main()
