"""What an exchange over Ray costs beside Ray's own way of moving the same bytes.

    python benchmarks/ray_exchange.py [--size 25000000] [--repeats 12]

An exchange of EASGD: a worker hands P parameters of float32 to the center and gets as many back. Plain: the same worker
lays P numbers into shared memory (`ray.put`), calls an actor with them, and reads the P numbers that it returns. Both
take turns in one run, in one worker process; a ratio is that of the medians. Goal: at most 1.3 with one shard, and less
with 4 shards than with 1. `center_ms` is what the center's arithmetic takes alone: two passes over message and center,
in which the reply is made. `center_4_processes_over_1`: the same in four processes at once, a quarter of it in each,
beside one process; where that is not below 1, four shards on one machine cannot be faster than one.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
from time import perf_counter
from typing import Any

import numpy as np
import ray
import torch
from _ray_center import COUPLING, Bench, center

from springline.engines.ray.part import Part
from springline.engines.real.heap import keep_vectors


class Echo:
    def __init__(self, size: int) -> None:
        self.reply = np.ones(size, np.float32)

    def call(self, message: np.ndarray) -> np.ndarray:
        return self.reply


class Beside(Bench):
    """The worker, which can do the same by Ray's own means."""

    def plain(self, echo: Any) -> float:
        began = perf_counter()
        found = ray.get(echo.call.remote(ray.put(self.x.numpy())))
        took = perf_counter() - began
        assert len(found) == len(self.x)
        return took


class Arithmetic:
    """What a center of so many parts does with this many parameters in an exchange, without Ray."""

    def __init__(self, size: int, parts: int) -> None:
        keep_vectors(4 * size)
        torch.set_num_threads(1)
        self.part = Part(COUPLING, {"c": torch.zeros(size)}, {}, parts)
        self.message = {"x": torch.randn(size)}

    def serve(self) -> None:
        self.part.measure([0], [self.message])
        self.part.apply_([0], [self.message], [None], [{"h1": 0.1, "h2": 0.1}])


def timed(actors: list[Any]) -> float:
    began = perf_counter()
    ray.get([actor.serve.remote() for actor in actors])
    return perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=25_000_000)
    parser.add_argument("--repeats", type=int, default=12)
    args = parser.parse_args()
    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    bench: Any = ray.remote(Beside).remote(args.size)
    echo: Any = ray.remote(Echo).options(num_cpus=0).remote(args.size)
    for shards in (1, 4):
        ray.get(bench.greet.remote(shards, *center(args.size, shards)))
    actor: Any = ray.remote(Arithmetic).options(num_cpus=0)
    parts = {s: [actor.remote(args.size // s, s) for _ in range(s)] for s in (1, 4)}
    times: dict[str, list[float]] = {name: [] for name in ("plain", "1", "4", "arithmetic 1", "arithmetic 4")}
    for k in range(args.repeats + 2):
        measured: dict[str, float] = {"plain": ray.get(bench.plain.remote(echo))}
        measured |= {str(s): ray.get(bench.exchange.remote(s)) for s in (1, 4)}
        measured |= {f"arithmetic {s}": timed(actors) for s, actors in parts.items()}
        if k >= 2:  # the first ones map memory that is used again afterwards
            for name, took in measured.items():
                times[name].append(took)
    ray.shutdown()
    median = {name: statistics.median(values) for name, values in times.items()}
    best = {name: min(values) for name, values in times.items()}
    print(
        json.dumps(
            {
                "size": args.size,
                "cpus": len(os.sched_getaffinity(0)),
                "plain_ms": round(1e3 * median["plain"], 1),
                "exchange_ms": round(1e3 * median["1"], 1),
                "exchange_4_shards_ms": round(1e3 * median["4"], 1),
                "center_ms": round(1e3 * median["arithmetic 1"], 1),
                "center_4_processes_over_1": round(median["arithmetic 4"] / median["arithmetic 1"], 2),
                "exchange_over_plain": round(median["1"] / median["plain"], 2),
                "exchange_over_plain_best": round(best["1"] / best["plain"], 2),
                "goal_exchange_over_plain": 1.3,
                "shards_4_over_1": round(median["4"] / median["1"], 2),
                "shards_4_over_1_best": round(best["4"] / best["1"], 2),
            }
        )
    )


if __name__ == "__main__":
    main()
