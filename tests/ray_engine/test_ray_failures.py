"""What is lost when actors and machines die, and what is not: no exchange is applied twice, none on some parts only.

Each local step's gradient is −1 everywhere and the rate is 1, so every exchange that the center applies adds 1 to each
of its elements, which all start at 0.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import ray
import torch
from torch import nn

from springline import Task, resume
from springline.couplings.base import BLOCK
from springline.engines.ray import Ray
from springline.engines.real import pauses
from springline.engines.real.ask import join
from springline.folder import RunFolder
from tests.local.support import ends_for_want_of_workers

from .support import DEADLINE, Watched, ask, slowly, until

LONG = 10**6  # rounds that nobody waits for


class Counter(nn.Module):
    """Three blocks of parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.zeros(3 * BLOCK))


def downhill(model, batch):
    return -model.x.sum()


COUNTER = Task("counter", model=Counter, loss_fn=downhill, train=torch.zeros(24, 1))


def counting(folder, rounds=150, shards=1, least=1, **options) -> Watched:
    options |= {"checkpoint_every": 0.5}
    options = {"task": COUNTER, "method": "asgd", "lr": 1.0, "eval_every": rounds, "batch_size": 2} | options
    return Watched(folder, Ray(center_shards=shards, min_workers=least), rounds=rounds, guard=False, **options)


def everybody(status) -> bool:
    return all(w["made"] > 0 for w in status["workers"])


def check_count(result) -> dict:
    """Every element of the center has counted every exchange of the ledger once."""
    last = result.rows[-1]
    x = result.center["x"]
    assert float(x.min()) == float(x.max()) == last["exchanges_made"] + last["exchanges_unanswered"]
    assert last["exchanges_made"] + last["exchanges_lost"] >= 150 * 2
    return last


def test_workers_and_the_center_are_killed(hands, tmp_path):
    """Ray starts them again: a worker from the center, the center from its snapshot."""
    run = counting(tmp_path, rounds=400, least=2)  # the other one waits, and so does the end of the run
    status = run.when("everybody works", everybody)
    dead = status["workers"][0]["pid"]
    os.kill(dead, signal.SIGKILL)
    run.when("it is back", lambda s: s["workers"][0]["restarts"] == 1 and s["workers"][0]["pid"] not in (0, dead))
    status = run.when("a snapshot is there", lambda s: RunFolder(tmp_path).load_checkpoint() and s)
    assert status["center"]["restarts"] == 0
    os.kill(status["center"]["pid"], signal.SIGKILL)
    run.when("it is back", lambda s: s["center"]["restarts"] == 1 and s["center"]["state"] == "up")
    last = check_count(run.result())
    assert last["center_restarts"] == 1


def test_parts_of_the_center_are_killed(hands, tmp_path):
    """All parts go back to the snapshot together: no exchange is there in some of them only."""
    run = counting(tmp_path, rounds=400, shards=3)
    run.when("everybody works", everybody)
    [part] = [name for name in names() if name.endswith("-2")]
    ray.kill(ray.get_actor(part, namespace="springline"), no_restart=False)
    status = run.when("it is whole", lambda s: s["center"]["restarts"] == 1 and s["center"]["state"] == "up" and s)
    os.kill(status["center"]["pid"], signal.SIGKILL)
    run.when("it is whole again", lambda s: s["center"]["restarts"] == 2 and s["center"]["state"] == "up")
    check_count(run.result())


def names() -> list[str]:
    return [actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)]


def test_the_scenario_is_carried_out(hands, tmp_path):
    """Workers are killed and come back, and so is the center."""
    faults = ["script:crash,worker=0,round=5,rounds=3", "script:outage,worker=1,round=9,rounds=2"]
    run = counting(tmp_path, faults=[*faults, "center-crash:mtbf=80,down=1"], rounds=200)
    last = check_count(run.result())
    assert last["workers"]["restarts"][0] >= 1
    assert last["workers"]["lost"][0] >= 3
    assert last["workers"]["lost"][1] >= 2
    assert last["center_restarts"] >= 1


def test_joins_and_leaves(hands, tmp_path):
    run = Watched(tmp_path, method="dana-zero", workers=1, rounds=LONG, eval_every=LONG, task=slowly())
    run.when("everybody works", everybody)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(join, [tmp_path] * 2)) == [1, 2]
    status = run.when("they work", lambda s: len(s["workers"]) == 3 and everybody(s))
    os.kill(status["workers"][1]["pid"], signal.SIGTERM)
    run.when("the second has left", lambda s: s["workers"][1]["state"] == "gone")
    ask(tmp_path, "stop")
    until("its end", lambda: not run.is_alive())
    state = RunFolder(tmp_path).load_checkpoint()["engine"]
    assert len(state.tallies) == 3
    assert all(len(rows) == 3 for rows in state.center.rows.values())


def test_too_few_are_left(hands, tmp_path, caplog, monkeypatch):
    """It is said that the run waits, and it ends when nobody has joined."""
    monkeypatch.setattr(pauses, "LONG", 0.5)
    engine = Ray(min_workers=2, patience=30)
    run = Watched(tmp_path, workers=2, rounds=LONG, eval_every=LONG, task=slowly(), engine=engine)
    os.kill(run.when("everybody works", everybody)["workers"][0]["pid"], signal.SIGTERM)
    ends_for_want_of_workers(run, lambda: caplog.text)


def test_a_run_that_was_stopped_goes_on(hands, tmp_path):
    """From its last snapshot, which is written when it is stopped; nothing is counted twice."""
    run = counting(tmp_path, rounds=500)
    run.when("everybody works", everybody)
    ask(tmp_path, "stop")
    run.join(DEADLINE)
    assert isinstance(run.error, KeyboardInterrupt)
    assert 0 < RunFolder(tmp_path).load_checkpoint()["engine"].resolved < 1000
    result = resume(tmp_path, task=COUNTER)
    assert len(result.rows) == 500
    check_count(result)
