"""Whose batch-norm statistics the center has: each policy against a few lines of torch."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import springline
from springline import Task, UsageError
from springline.engines.apart import check_apart
from springline.engines.evaluator import Evaluator
from springline.engines.job import Job
from springline.engines.recalibrate import BATCHES
from springline.methods import method
from springline.streams import key, stream
from springline.tasks.base import evaluate
from springline.tasks.drawing import unseen

from .support import broken_off, same

B = 6


class Net(nn.Module):
    """Two batch norms, dropout between them, and a buffer that is none of theirs."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.BatchNorm1d(3), nn.BatchNorm1d(4, momentum=0.3)
        self.inner, self.outer = nn.Linear(3, 4), nn.Linear(4, 2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.calls += 1
        return self.outer(self.two(F.dropout(self.inner(self.one(x)), 0.5, self.training)))


def loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


@pytest.fixture(scope="module")
def task():
    generator = torch.Generator().manual_seed(1)
    x = 2 + 3 * torch.randn(60, 3, generator=generator)
    y = torch.arange(60) % 2

    def jitter(batch, rng):
        return (
            batch if rng is None else (batch[0] + torch.from_numpy(rng.normal(size=batch[0].shape)).float(), batch[1])
        )

    return Task("norms", Net, loss, (x, y), (x[:20], y[:20]), springline.classification, transform=jitter)


def train(task, **kw):
    return springline.train(task, "easgd", **({"workers": 3, "rounds": 4, "batch_size": B, "seed": 2} | kw))


def by_hand(task, workers=3, rounds=4, alpha=0.1, lr=0.01, *, shared):
    """Workers one after the other, each with its module; (center's parameters, center's buffers, last buffers)."""
    job = Job(task, method("easgd"), workers=workers, rounds=rounds, batch_size=B, seed=2)
    nets = [task.build(2) for _ in range(workers)]
    center = task.build(2)
    for step in range(rounds):
        for i, net in enumerate(nets):
            if shared and (step, i) != (0, 0):
                net.load_state_dict(dict(net.state_dict()) | dict(nets[i - 1].named_buffers()))
            rng = stream(2, "transform", i, step)
            batch = task.prepare(task.train.batch(job.batches[i].at(step)), rng)
            torch.manual_seed(key(2, "step", i, step))
            loss = task.loss_fn(net, batch)
            for p, g in zip(net.parameters(), torch.autograd.grad(loss, list(net.parameters())), strict=True):
                p.data -= lr * g
            for p, c in zip(net.parameters(), center.parameters(), strict=True):
                d = p.data - c.data
                p.data -= alpha * d
                c.data += alpha * d
            for b, c in zip(net.buffers(), center.buffers(), strict=True):
                if c.is_floating_point():
                    c += alpha * (b - c)
    return center, nets[-1]


def assert_close(found, expected):
    for name, t in expected.items():
        if "tracked" not in name:
            torch.testing.assert_close(found[name], t.detach(), rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


def test_average_takes_over_buffers_with_the_weight_of_the_parameters(task):
    center, _ = by_hand(task, shared=False)
    assert_close(train(task).center, center.state_dict())


def test_shared_is_one_set_that_every_step_moves_on(task):
    center, last = by_hand(task, shared=True)
    found = train(task, buffers="shared").center
    assert_close(found, dict(center.named_parameters()) | dict(last.named_buffers()))
    assert float(found["calls"]) == 12


def test_shared_is_what_is_evaluated(task):
    run = train(task, buffers="shared")
    net = run.load_into(task.build(0))
    assert run.rows[-1]["test_loss"] == pytest.approx(evaluate(task, net, task.test)["loss"], rel=1e-6)


def test_recalibrated_statistics_are_the_means_over_the_batches(task):
    run = train(task, buffers="recalibrate")
    net = run.load_into(task.build(0)).train()
    seen = {"one": [], "two": []}
    for name in seen:
        getattr(net, name).register_forward_pre_hook(lambda m, args, name=name: seen[name].append(args[0]))
    for k in range(BATCHES):
        chosen = torch.from_numpy(stream(2, "recalibrate", k).choice(60, B, replace=False))
        batch = task.prepare(task.train.batch(chosen), stream(2, "recalibrate transform", k))
        torch.manual_seed(key(2, "recalibrate dropout", k))
        with torch.no_grad():
            net(batch[0])
    for name, inputs in seen.items():
        mean = torch.stack([x.mean(0) for x in inputs]).mean(0)
        variance = torch.stack([x.var(0) for x in inputs]).mean(0)
        torch.testing.assert_close(run.center[f"{name}.running_mean"], mean)
        torch.testing.assert_close(run.center[f"{name}.running_var"], variance)


def test_recalibration_leaves_the_rest_alone(task):
    plain, run = train(task), train(task, buffers="recalibrate")
    for name, t in plain.center.items():
        assert torch.equal(t, run.center[name]) == ("running" not in name), name
    net = run.load_into(task.build(0))
    assert run.rows[-1]["test_loss"] == pytest.approx(evaluate(task, net, task.test)["loss"], rel=1e-6)
    assert run.rows[-1]["test_loss"] != plain.rows[-1]["test_loss"]


def test_recalibration_depends_on_the_parameters_and_the_seed_alone(task):
    judge = Evaluator(Job(task, method("easgd"), batch_size=B, buffers="recalibrate"))
    x, b = (t.clone() for t in judge.layout.read())
    one = judge.settle(x, b)
    judge(x + 1, b)
    torch.rand(3)
    assert torch.equal(judge.settle(x, b), one)
    momenta = [m.momentum for m in judge.layout.module.modules() if isinstance(m, nn.BatchNorm1d)]
    assert momenta == [0.1, 0.3]


def test_recalibration_with_data_that_draw(task):
    class Noisy(torch.utils.data.Dataset):
        def __len__(self):
            return 60

        def __getitem__(self, i):
            return torch.randn(3) + random.random(), i % 2

    noisy = Task("noisy", Net, task.loss_fn, Noisy())
    judge = Evaluator(Job(noisy, method("easgd"), batch_size=B, buffers="recalibrate"))
    x, b = (t.clone() for t in judge.layout.read())
    with unseen("cpu"):
        one = judge.settle(x, b)
        torch.rand(3), random.random()
        assert torch.equal(judge.settle(x, b), one)


def test_a_network_without_batch_norm(task):
    plain = Task("plain", lambda: nn.Linear(3, 2), task.loss_fn, task.train, task.test)
    assert same(train(plain), train(plain, buffers="recalibrate"))
    assert same(train(plain), train(plain, buffers="shared"))


@pytest.mark.parametrize("name", ["easgd", "sync-easgd", "dana"])
@pytest.mark.parametrize("buffers", ["shared", "recalibrate"])
def test_resume(task, tmp_path, name, buffers):
    options = {"workers": 3, "rounds": 5, "batch_size": B, "lr": 0.01, "buffers": buffers, "faults": ["crash:3,down=1"]}
    whole = springline.train(task, name, **options)
    assert same(whole, broken_off(2, tmp_path / "run", task, name, **options))


def test_only_the_simulator_shares(task):
    job = Job(task, method("easgd"), batch_size=B, buffers="shared")
    with pytest.raises(UsageError, match=r"buffers=shared .* actors do not have; use buffers=average or recalibrate"):
        check_apart(job, "elsewhere", "actors", min_workers=1, order=())
    check_apart(Job(task, method("easgd"), batch_size=B), "elsewhere", "actors", min_workers=1, order=())


def test_an_unknown_policy(task):
    with pytest.raises(UsageError, match="unknown buffers 'mean'; known: average, recalibrate, shared"):
        train(task, buffers="mean")


class Half(nn.Module):
    """Parameters in half precision beside statistics that it would round, and some that it would not."""

    def __init__(self):
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(3, affine=False), nn.Linear(3, 2, dtype=torch.bfloat16)
        self.register_buffer("calls", torch.zeros((), dtype=torch.bfloat16))

    def forward(self, x):
        if self.training:
            self.calls += 1
        return self.linear(self.norm(x).to(self.calls.dtype)).float()


def test_what_half_precision_would_round_is_single(task):
    """The one worker's statistics, which the center takes over whole: those of the batches, bit for bit."""
    half = Task("half", Half, loss, task.train)
    run = springline.train(half, "asgd", workers=1, rounds=5, batch_size=B, seed=2)
    job, net = Job(half, method("asgd"), workers=1, batch_size=B, seed=2), Half()
    for step in range(5):
        net(half.train.batch(job.batches[0].at(step))[0])
    for name, b in net.named_buffers():
        assert run.center[name].dtype == b.dtype
        assert torch.equal(run.center[name], b) or name.endswith("tracked"), name


def test_what_single_precision_rounds_is_in_it(task):
    """A model with statistics in double precision, which PyTorch itself would not train."""
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    net[0].running_mean.data, net[0].running_var.data = (net[0].running_mean.double(), net[0].running_var.double())
    run = train(Task("double", lambda: net, task.loss_fn, task.train))
    assert run.center["0.running_mean"].dtype == torch.float64
