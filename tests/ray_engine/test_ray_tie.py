"""Ray tasks on several machines that are tied to one center: they exchange, die, join, and say what is wrong."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest
import ray
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from torch import nn

import springline
from springline import RunError, UsageError
from springline.checkpoint import load_state
from springline.engines.ray.cluster import NAMESPACE
from springline.tied import RayConnector

from .support import until


class Board:
    """What the tasks say, with which parameters they began, and whether they may go on."""

    def __init__(self) -> None:
        self.said: dict[int, tuple[int, str, int]] = {}
        self.at: list[float] = []
        self.over = False

    def begin(self, x: float) -> None:
        self.at.append(x)

    def begun(self) -> list[float]:
        return self.at

    def say(self, i: int, *news: object) -> bool:
        self.said[i] = news
        return self.over

    def read(self) -> dict:
        return self.said

    def end(self) -> None:
        self.over = True


def work(name, board, x0: float, pause: float = 0.005, width: int = 3):
    """Steps that leave x where it is, until the board says that it is over."""
    model = nn.Linear(width, 1)
    nn.init.constant_(model.weight, x0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    tied = springline.tie(model, optimizer, workers=2, tau=2, connector=RayConnector(name))
    with tied as line:
        ray.get(board.begin.remote(float(model.weight.detach().mean())))
        over = False
        while not over:
            model(torch.ones(1, width)).sum().backward()
            optimizer.step()
            line.step()
            news = line.worker, os.getpid(), ray.get_runtime_context().get_node_id(), line.exchanges
            over = ray.get(board.say.remote(*news))
            time.sleep(pause)


def named(name: str) -> object:
    return ray.get_actor(f"tied-{name}", namespace=NAMESPACE)


def gone(name: str) -> bool:
    try:
        named(name)
    except ValueError:
        return True
    return False


@pytest.fixture
def nodes(cluster):
    """Two machines beside the first one."""
    added = [cluster.add_node(num_cpus=2, object_store_memory=80 << 20) for _ in range(2)]
    yield [node.node_id for node in added]
    for node in added:
        cluster.remove_node(node)


@pytest.fixture
def board(cluster):
    actor = ray.remote(Board).options(num_cpus=0).remote()
    yield actor
    ray.kill(actor)


def start(node, *args, **options):
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(work).options(scheduling_strategy=there, max_retries=0).remote(*args, **options)


def test_tasks_on_two_machines(nodes, board):
    """One is killed and the other goes on; one that joins starts from the center; another model is refused; without
    the center nobody hangs.
    """

    def said() -> dict:
        return ray.get(board.read.remote())

    first, second = (start(node, "two", board, 1.0) for node in nodes)
    found = until("both", lambda: len(said()) == 2 and said())
    assert {node for _, node, _ in found.values()} == set(nodes)
    killed = next(i for i in found if found[i][1] == nodes[1])
    os.kill(found[killed][0], signal.SIGKILL)
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(second)
    made = said()[1 - killed][2]
    until("the other goes on", lambda: said()[1 - killed][2] > made + 10)
    third, stranger = start(nodes[1], "two", board, 9.0), start(nodes[0], "two", board, 1.0, width=4)
    with pytest.raises(UsageError, match="this worker's model has 5 parameters"):
        ray.get(stranger, timeout=120)
    until("a third", lambda: set(said()) - {1 - killed, killed} or said()[killed][0] != found[killed][0])
    assert ray.get(board.begun.remote()) == [1.0] * 3
    ray.kill(named("two"))
    for call in (first, third):
        with pytest.raises(RunError, match=r"the center 'two' of these Ray tasks is gone .*; start the tasks again"):
            ray.get(call, timeout=120)


def test_a_center_that_dies_goes_on_from_its_snapshot(board):
    """With those who were tied to it, under their numbers, and with one that comes just then."""

    @ray.remote(max_retries=0)
    def moving() -> tuple[int, list[float]]:
        model = nn.Linear(3, 1, bias=False)
        nn.init.constant_(model.weight, 1.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        with springline.tie(model, optimizer, workers=2, tau=2, connector=RayConnector("moving")) as line:
            seen = [float(model.weight.detach().mean())]
            while not ray.get(board.say.remote(line.worker, len(seen), seen[-1])):
                model(torch.ones(1, 3)).sum().backward()
                optimizer.step()
                optimizer.zero_grad()
                line.step()
                seen.append(float(model.weight.detach().mean()))
                time.sleep(0.005)
            return line.worker, seen

    def said() -> dict:
        return ray.get(board.read.remote())

    def snapshot() -> tuple[int, int, float]:
        kept = load_state(file)
        return kept["epoch"], kept["state"].updates, float(kept["state"].center.shared["c"].mean())

    calls = [moving.remote() for _ in range(2)]
    until("both", lambda: len(said()) == 2)
    file = Path(tempfile.gettempdir()) / f"springline-tied-{named('moving')._actor_id.hex()}.safetensors"
    epoch, updates, c = until("a snapshot on the way down", lambda: snapshot()[2] < 0.9 and snapshot())
    then = said()
    assert epoch == 0
    ray.kill(named("moving"), no_restart=False)
    calls.append(moving.remote())
    until("all go on", lambda: len(said()) == 3 and all(said()[i][0] > then[i][0] + 20 for i in then))
    later = until("its next snapshot", lambda: snapshot()[1] > updates + 20 and snapshot())
    assert later[0] == 1
    assert later[2] < c
    ray.get(board.end.remote())
    for i, seen in ray.get(calls, timeout=120):
        after = seen[then[i][0] :] if i in then else seen
        assert max(after) <= max(c, *(x for _, x in then.values()))
    until("its end", lambda: gone("moving") and not file.exists())


def test_the_tasks_of_one_program_find_each_other(board):
    """Without a name."""

    @ray.remote
    def number() -> int:
        model = nn.Linear(2, 1)
        with springline.tie(model, torch.optim.SGD(model.parameters(), lr=0.1), workers=2) as line:
            while not ray.get(board.say.remote(line.worker)):
                time.sleep(0.01)
            line.step()
            return line.worker

    calls = [number.remote() for _ in range(2)]
    until("both", lambda: len(ray.get(board.read.remote())) == 2)
    ray.get(board.end.remote())
    assert sorted(ray.get(calls)) == [0, 1]
    until("the center's end", lambda: gone(ray.get_runtime_context().get_job_id()))
