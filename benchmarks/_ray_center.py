"""A worker and a center of engine `ray`, its own classes, without a run around them: for benchmarks of an exchange."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, perf_counter
from typing import Any

import ray
import torch

from springline import METHODS, Task
from springline.couplings.base import Note
from springline.engines.job import Job
from springline.engines.ray.arrays import pack
from springline.engines.ray.lead import Lead
from springline.engines.ray.line import Line
from springline.engines.ray.news import beginning, ledger_of, plan_of
from springline.engines.ray.plan import Plan
from springline.engines.ray.pulse import Pulse
from springline.engines.ray.shard import Shard
from springline.engines.real.heap import keep_vectors

COUPLING = METHODS["easgd"].coupling


class Bench:
    """Worker i, with a line to each of several centers, by their number of shards."""

    def __init__(self, size: int, i: int = 0) -> None:
        torch.set_num_threads(1)
        keep_vectors(4 * size)
        self.x, self.i = torch.randn(size, generator=torch.Generator().manual_seed(i)), i
        self.lines: dict[int, Line] = {}
        self.rounds = 0

    def greet(self, shards: int, plan: Plan, lead: Any) -> None:
        self.lines[shards] = Line(plan, lead, self.i, "life", Pulse())
        self.lines[shards].hello("start")

    def exchange(self, shards: int) -> float:
        """Seconds from the finished message to the reply in the worker's memory."""
        self.rounds += 1
        _, message = COUPLING.push(COUPLING.worker(self.x), self.x, Note(0, 0, False, 1.0, 1), torch.empty(0))
        began = perf_counter()
        self.lines[shards].push(self.rounds, message, begun=monotonic())
        reply = self.lines[shards].settle()
        took = perf_counter() - began
        assert reply is not None
        assert reply.accepted
        assert len(reply.vectors["c"]) == len(self.x)
        return took


def center(size: int, shards: int, workers: int = 1, where: Sequence[dict[str, Any]] | None = None) -> tuple[Plan, Any]:
    """Its plan, and its lead. where: options of the actors of its parts, which say where they live."""
    where = where or [{"num_cpus": 0}] * shards
    job = Job(
        Task("none", torch.nn.Identity, lambda m, b: b[0].sum(), (torch.zeros(64, 1),)),
        METHODS["easgd"], workers=workers, batch_size=1, rounds=10**6, eval_every=10**6,
    )  # fmt: skip
    plan = plan_of(job, torch.zeros(size), torch.empty(0), shards, ())
    lead: Any = ray.remote(Lead).options(max_concurrency=100, **where[0]).remote()
    others: list[Any] = [
        ray.remote(Shard).options(allow_out_of_order_execution=True, **place).remote()
        for _, place in zip(plan.cuts[1:], where[1:], strict=False)
    ]
    state = beginning(job, torch.zeros(size), torch.empty(0))
    whole = state.center
    told = {
        "run": "bench",
        "epoch": 0,
        "ledger": ledger_of(state, [{} for _ in range(workers)]),
        "seconds": 0.0,
        "paused": False,
        "begun": True,
    }
    told |= {"plan": plan, "coupling": COUPLING, "shards": others}
    pieces = [(ray.put(pack(whole.shared, a, b)), ray.put(pack(whole.rows, a, b))) for a, b in plan.cuts]
    ray.get([s.restore.remote(k, plan, COUPLING, 0, *pieces[k], workers) for k, s in enumerate(others, 1)])
    ray.get(lead.restore.remote(told, *pieces[0], pack({"b": torch.empty(0)})))
    return plan, lead
