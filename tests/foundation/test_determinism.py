"""The same seed gives the same bytes: again, in another process, and after any interruption."""

# ruff: noqa: NPY002 (what draws from numpy's global generator)
from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import springline
from springline import Task, method
from springline.engines.evaluator import Evaluator
from springline.engines.job import Job

from .interruption import FAULTS, TRAINING, child, digest, files_of, interrupted
from .support import elastic, job

METHODS = ["easgd", "eamsgd", "eahes-om", "deahes-o", "geahes-o"]


def trained(task: Task, name: str, seed: int = 0, **kw: Any) -> str:
    run = springline.train(task, name, rounds=12, batch_size=8, tau=2, seed=seed, **({"faults": FAULTS} | kw))
    return digest(run.rows, run.center)


@pytest.mark.parametrize("name", METHODS)
def test_same_seed_same_bytes(blobs, name):
    assert trained(blobs, name) == trained(blobs, name)


def test_every_seed_another_run(blobs):
    assert len({trained(blobs, "easgd", seed) for seed in range(4)}) == 4


def test_seeds_differ_in_weights_batches_and_failures(blobs):
    """Each by itself, so that none hides another."""
    jobs = [job(elastic(), blobs, seed=seed) for seed in (0, 1)]
    assert not torch.equal(jobs[0].partition[0], jobs[1].partition[0])
    first = [blobs.build(seed).state_dict()["0.weight"] for seed in (0, 1)]
    assert not torch.equal(*first)


def test_the_global_generator_is_neither_used_nor_moved(blobs):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = trained(blobs, "eahes")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert trained(blobs, "eahes") == one


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
from torch import nn
from tests.conftest import blobs
from tests.foundation.test_determinism import trained
print(trained(blobs.__wrapped__(), sys.argv[2]))
"""


def test_same_bytes_in_another_process(blobs):
    said = child(CHILD, "deahes-o")
    assert said.stdout.strip() == trained(blobs, "deahes-o"), said.stderr


def test_dropout_depends_on_worker_and_step_alone():
    """A model that draws: two runs agree, whatever has been drawn before."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.Linear(6, 1))

    x = torch.linspace(-1, 1, 160).reshape(40, 4)
    task = Task("dropout", build, lambda m, b: (m(b[0]) ** 2).mean(), x)
    one = trained(task, "easgd", faults=[])
    torch.rand(3)
    assert trained(task, "easgd", faults=[]) == one


def drawn() -> float:
    """From the generators that are nobody's."""
    return random.random() + float(np.random.rand()) + float(torch.rand(()))


def test_model_and_loss_may_draw_from_every_generator(tmp_path):
    """Whatever they were at before, and in a run that goes on as in one that was not interrupted."""

    def build() -> nn.Module:
        net = nn.Linear(4, 1)
        nn.init.constant_(net.bias, drawn())
        return net

    x = torch.linspace(-1, 1, 160).reshape(40, 4)
    task = Task("drawing", build, lambda m, b: ((m(b[0]) - drawn()) ** 2).mean(), x)
    springline.train(task, "geahes-o", out=tmp_path / "whole", **TRAINING)
    drawn()
    interrupted(task, tmp_path / "cut", 3)
    drawn()
    springline.resume(tmp_path / "cut", task=task)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
    judge = Evaluator(Job(task, method("easgd"), batch_size=8))
    first = judge(*judge.layout.read())
    drawn()
    assert judge(*judge.layout.read()) == first


class Head(nn.Module):
    """A layer on top of one that the program has."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(6, 1)
        self.size = self.head.weight.norm()  # made of a parameter, as `weight_norm` leaves one

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def test_a_run_leaves_what_the_model_is_made_of_as_it_was():
    """A part that is pretrained, or the same module every time: the next run begins with the same weights."""
    body = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6))
    one = Head(body)
    before = {name: t.clone() for name, t in one.state_dict().items()}
    x = torch.linspace(-1, 1, 160).reshape(40, 4)
    for build in (lambda: Head(body), lambda: one):
        task = Task("head", build, lambda m, b: (m(b[0]) ** 2).mean(), x)
        said = trained(task, "easgd", faults=[])
        assert all(torch.equal(t, before[name]) for name, t in one.state_dict().items())
        assert trained(task, "easgd", faults=[]) == said
