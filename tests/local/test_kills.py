"""Processes really killed at any moment: the run ends, and every exchange has happened exactly once."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from springline import Method, Task
from springline.couplings.base import Center, Coupling, Message
from springline.engines.real.tally import Tally
from springline.folder import RunFolder
from springline.optim.sgd import SGD

from .support import DEADLINE, Watched, gone, live, stop, until

P = 600_000  # five chunks
KILLS, CENTER_KILLS = 50, 10  # of runs whose exchanges take one pass, and as many of those that take two
WORKING = ("computing", "exchanging", "waiting")


@dataclass(frozen=True)
class Counting(Coupling):
    """c ← c + 1: every element counts the exchanges; the reply is what it has counted."""

    first: bool = False

    @property
    def by_sums(self):
        return "no" if self.first else "yes"

    def center(self, x0, buffers, workers):
        return Center({"c": torch.zeros_like(x0)}, {}, buffers.clone(), {"t": 0})

    def readout(self, center):
        return center.shared["c"]

    def push(self, worker, y, note, buffers):
        return worker, Message({"x": y}, note, {}, buffers)

    def pull(self, worker, x, reply):
        assert bool((reply.vectors["count"] == reply.scalars["t"]).all()), "a torn reply"
        return worker, x

    def decide(self, scalars, message, measured):
        return {"t": scalars["t"] + 1}, {"t": scalars["t"] + 1, "blend": 0.0}

    def apply_(self, shared, row, message, decision):
        return {"count": shared["c"].add_(1).clone()}


class Flat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(P))

    def forward(self, x):
        return self.w[:1] * x


def loss(model, batch):
    return (model(batch[0]) - 1).square().mean()


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("first", [True, False], ids=["one pass", "two passes"])
def test_a_hundred_workers_and_twenty_centers(tmp_path, first):
    task = Task("flat", model=Flat, loss_fn=loss, train=(torch.ones(64, 1),))
    method = Method("counting", Counting(first), SGD(1e-3))
    run = Watched(tmp_path, task=task, method=method, workers=4, rounds=10**6, batch_size=4, eval_every=10**6)
    rng = random.Random(0)
    made, centers = [0] * 4, 0
    for k in range(KILLS):
        # a victim has exchanged since it was last killed, so that no start is killed before it could work
        def ready(status):
            able = [w for w in status["workers"] if w["made"] > made[w["worker"]] and w["state"] in WORKING]
            return able and status["center"]["state"] == "up"

        status = run.when("somebody exchanges", ready)
        able = [w for w in status["workers"] if w["made"] > made[w["worker"]] and w["state"] in WORKING]
        victim = rng.choice(able)
        if k % (KILLS // CENTER_KILLS) == 0:
            kill(status["center"]["pid"])
            run.when("the center's successor", lambda s, n=centers: s["center"]["restarts"] > n)
            centers += 1
        kill(victim["pid"])
        made[victim["worker"]] = victim["made"] + 1  # one may have been under way
    run.when("everybody works again", lambda s: all(w["made"] > m for w, m in zip(s["workers"], made, strict=True)))
    stop(tmp_path)
    run.join(DEADLINE)
    assert isinstance(run.error, KeyboardInterrupt)
    state = RunFolder(tmp_path).load_checkpoint()["engine"]
    c, t = state.center.shared["c"], state.center.scalars["t"]
    assert bool((c == t).all()), "an exchange was torn, lost or applied twice"
    assert t == state.updates == state.resolved == sum(Tally(*tally).made for tally in state.tallies)


def test_nothing_is_left_in_memory(tmp_path):
    """A run that ends leaves neither processes nor shared memory."""
    run = Watched(tmp_path, workers=2, rounds=2000)
    status = run.when("everybody works", lambda s: all(w["made"] > 0 for w in s["workers"]))
    place = live(tmp_path)["place"]
    run.result()
    assert not os.path.exists(place)
    until("all processes gone", lambda: all(gone(w["pid"]) for w in [*status["workers"], status["center"]]))
