"""What a user can get wrong: one sentence with the remedy, and no hang."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn

import springline
from springline import METHODS, Task, UsageError
from springline.engines.job import Job
from springline.engines.local import Local
from springline.engines.local.memory import reserve
from springline.engines.local.nursery import Nursery, pickled
from springline.engines.real import wire

from .support import DEADLINE, Watched, cross_entropy, live, net, stop, task


def train(**options):
    return springline.train(options.pop("task", task()), options.pop("method", "easgd"), **{"rounds": 2} | options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"engine": Local(min_workers=5)}, "min_workers=5 is more than workers=4; nobody would ever exchange"),
        ({"engine": Local(max_workers=2)}, "max_workers=2 is less than workers=4"),
        ({"engine": Local(order=(0, 4))}, "names a worker that is not there; they are 0 to 3"),
        ({"engine": "local", "buffers": "shared"}, "buffers=shared keeps one set"),
        (
            {"engine": "local", "pace": "gamma:batch=16"},
            "pace is the simulator's, .*; leave it out, .* slow:4,worker=0",
        ),
        ({"engine": "local", "network": "latency=0.1"}, "network is the simulator's, and under engine local"),
        (
            {"engine": "local", "method": "easgd-tree", "topology": "tree:2"},
            "runs over a tree, which engine local has not",
        ),
    ],
)
def test_refuses(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        train(batch_size=16, **options)


def test_nobody_trains():
    with pytest.raises(UsageError, match="min_workers=0 is less than 1; somebody has to train"):
        Local(min_workers=0)


def test_a_task_that_cannot_travel():
    local = Task("own", model=net, loss_fn=lambda model, batch: cross_entropy(model, batch), train=task().train)
    with pytest.raises(UsageError, match=r"its loss_fn cannot be sent to worker processes .* at the top level"):
        train(task=local, engine="local", batch_size=16)


def test_no_memory_left(tmp_path):
    with pytest.raises(UsageError, match=r"no shared memory is left for .* MiB"):
        reserve(Path("/dev/shm") / f"springline-test-{os.getpid()}", 1 << 50)
    (Path("/dev/shm") / f"springline-test-{os.getpid()}").unlink()


UNGUARDED = """
import torch
from torch import nn
import springline

def net():
    return nn.Linear(2, 1)

def loss(model, batch):
    return model(batch[0]).square().mean()

task = springline.Task("own", model=net, loss_fn=loss, train=torch.randn(64, 2))
springline.train(task, "easgd", engine="local", workers=2, rounds=2, batch_size=4)
"""


def test_a_script_without_a_guard(tmp_path):
    """The workers import the script again; it must not start a run there."""
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode != 0
    assert 'put the call under `if __name__ == "__main__":`' in done.stderr


GREEDY = """
import torch
from torch import nn
from springline.engines.local import nursery

if nursery.inside:  # what a process that is forked after the GPU was used finds, on every machine
    torch.cuda._is_in_bad_fork = lambda: True

def net():
    return nn.Linear(2, 1)

def loss(model, batch):
    return model(batch[0]).square().mean()
"""


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("cuda", {"failed": "the task's module uses the GPU while it is imported, or its data lie"}),
        ("cpu", {"ready": "True"}),
    ],
)
def test_a_module_that_uses_the_gpu(tmp_path, monkeypatch, device, says):
    """No process that is forked after that could use one; it is said at once, and of the module, not of the workers.
    Those that compute on the CPU do not mind.
    """
    (tmp_path / "greedy.py").write_text(GREEDY)
    monkeypatch.syspath_prepend(tmp_path)
    greedy = import_module("greedy")
    own = Task("own", model=greedy.net, loss_fn=greedy.loss, train=torch.randn(64, 2))
    job = Job(own, METHODS["easgd"], workers=2, batch_size=4)
    object.__setattr__(job, "device", device)  # there need be none here
    nursery = Nursery(*pickled(job))
    answer = wire.receive(nursery.sock)
    nursery.close()
    assert answer.keys() == says.keys()
    assert all(str(answer[name]).startswith(start) for name, start in says.items())


def test_a_guarded_script(tmp_path):
    script = tmp_path / "script.py"
    head, call = UNGUARDED.split("springline.train(", 1)
    script.write_text(f'{head}if __name__ == "__main__":\n    springline.train({call}    print("trained")\n')
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=DEADLINE)
    assert (done.returncode, done.stdout.strip()) == (0, "trained"), done.stderr


def test_strangers(tmp_path):
    """A worker nobody knows, or with another model, is told so, counted, and touches nothing."""
    run = Watched(tmp_path, workers=2, rounds=10**6)
    run.when("everybody works", lambda s: all(w["made"] > 0 for w in s["workers"]))
    path = live(tmp_path)["place"] + "/center.sock"
    for hello, sentence in (
        ({"hello": 7, "size": 147, "dtype": "float32"}, "there is no worker 7 in this run; join it first"),
        ({"hello": 1, "size": 9, "dtype": "float32"}, "worker 1 has 9 parameters of float32, but the run trains 147"),
    ):
        with wire.connect(path) as sock:
            wire.send(sock, hello)
            assert sentence in wire.receive(sock)["refused"]
    with wire.connect(path) as sock:
        wire.send(sock, {"push": 1})  # without a word of greeting
        assert wire.receive(sock) is None
    status = run.when("they are counted", lambda s: s["strangers"] == 2)
    assert status["center"]["restarts"] == 0
    stop(tmp_path)


def linear():
    return nn.Linear(8, 1)


def square(model, batch):
    return model(batch[0]).square().mean()


@pytest.mark.filterwarnings("ignore::springline.guard.watch.StabilityWarning")
def test_a_loss_that_is_not_finite():
    wild = Task("wild", model=linear, loss_fn=square, train=task().train)
    with pytest.raises(springline.RunError, match=r"the training loss of worker . became"):
        train(task=wild, engine="local", batch_size=16, lr=1e20, tau=4, rounds=50, workers=2)
