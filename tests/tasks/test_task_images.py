"""CIFAR tasks on arrays made here: what a worker sees, what evaluation says, names, parameters, wrong keys."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import springline
from springline import UsageError
from springline.engines.job import Job
from springline.engines.worker import Replica
from springline.methods import method
from springline.options import read
from springline.tasks.base import evaluate
from springline.tasks.images import Pictures, cross_entropy, judged
from springline.tasks.registry import is_named

from .support import arrays, batch_of, broken_off, same

CIFAR = {
    "cifar10": (351_946, 28),
    "cifar10-lowrank": (327_312, 28),
    "cifar10-lowrank-32": (442_000, 32),
    "cifar10-resnet20": (269_722, 32),
    "cifar10-wrn16-4": (2_748_890, 32),
    "cifar100-resnet20": (269_722 + 90 * 65, 32),
    "cifar100-wrn16-4": (2_748_890 + 90 * 257, 32),
}


def made(text, **kw):
    return read(text, springline.TASKS, "task", "task").task(arrays(**kw))


@pytest.mark.parametrize("name", CIFAR)
def test_a_gradient_of_every_network(name):
    parameters, size = CIFAR[name]
    task = made(name, classes=100 if "100" in name else 10, n=100)
    assert task.name == name
    model = task.build(0)
    assert sum(p.numel() for p in model.parameters()) == parameters
    batch = task.prepare(task.train.batch(torch.arange(4)), np.random.default_rng(0))
    assert batch[0].shape == (4, 3, size, size)
    loss = task.loss_fn(model, batch)
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_worker_trains_on_crops_keyed_by_worker_and_step(monkeypatch):
    """The replica's own batches, against the parts they are made of."""
    task = made("cifar10-resnet20")
    replica = Replica(Job(task, method("easgd"), workers=2, batch_size=8, seed=4))
    seen = []
    see = replica.oracle.see
    monkeypatch.setattr(replica.oracle, "see", lambda batch, key: seen.append(batch) or see(batch, key))
    replica.train(replica.start(1, steps=3), 2)
    for step, batch in zip((3, 4), seen, strict=True):
        _, expected = batch_of(task, 1, step, seed=4, workers=2)
        assert torch.equal(batch[0], expected[0])
        assert torch.equal(batch[1], expected[1])
    assert not torch.equal(seen[0][0], seen[1][0])


def test_evaluation_is_the_mean_over_the_middle_crops():
    task = made("cifar10", m=27)
    model = task.build(1).eval()
    mean = torch.tensor((0.4914, 0.4822, 0.4465)).view(3, 1, 1)
    x = torch.from_numpy(arrays(m=27).test_x)[:, 2:30, 2:30].permute(0, 3, 1, 2) / 255 - mean
    y = torch.from_numpy(arrays(m=27).test_y)
    with torch.no_grad():
        logits = model(x)
    object.__setattr__(task, "eval_batch", 10)  # the last batch is a smaller one
    found = evaluate(task, model, task.test)
    assert found["loss"] == pytest.approx(float(F.cross_entropy(logits, y)), rel=1e-5)
    assert found["accuracy"] == float((logits.argmax(1) == y).double().mean())


def test_one_forward_pass_gives_what_two_would():
    task = made("cifar10-resnet20")
    model, batch = task.build(0).eval(), task.prepare(task.test.batch(torch.arange(12)))
    with torch.no_grad():
        sums = judged(model, batch)
        assert float(sums["loss"]) / 12 == pytest.approx(float(cross_entropy(model, batch)), rel=1e-6)
    assert torch.equal(sums["accuracy"], springline.classification(model, batch)["accuracy"])


def test_l2_is_in_the_gradient_and_not_in_the_metrics():
    plain, heavy = made("cifar10"), made("cifar10:l2=0.1")
    model, batch = plain.build(0), plain.prepare(plain.train.batch(torch.arange(8)))
    model.eval()
    grads = [torch.autograd.grad(t.loss_fn(model, batch), list(model.parameters())) for t in (plain, heavy)]
    for p, g, h in zip(model.parameters(), *grads, strict=True):
        torch.testing.assert_close(h, g + 0.1 * p.detach())
    assert evaluate(plain, model, plain.test) == evaluate(heavy, model, heavy.test)


def test_keys_samples_and_augment():
    task = made("cifar10-resnet20:samples=20,augment=false")
    assert task.name == "cifar10-resnet20:samples=20,augment=false"
    assert len(task.train) == 20
    _, batch = batch_of(task, 0, 5)
    indices, _ = batch_of(task, 0, 5)
    assert torch.equal(batch[0], task.prepare(task.train.batch(indices))[0])
    with pytest.raises(UsageError, match="samples=49 is more than the 48 training images; use at most that many"):
        made("cifar10:samples=49")


def test_arrays_may_be_mapped_from_disk(tmp_path):
    np.save(tmp_path / "x.npy", arrays().train_x)
    mapped = Pictures.of(np.load(tmp_path / "x.npy", mmap_mode="r"), arrays().train_y)
    found, labels = mapped.batch(torch.tensor([5, 0, 40]))
    assert np.array_equal(found.numpy(), arrays().train_x[[5, 0, 40]])
    assert labels.tolist() == [5, 0, 0]


def test_another_process_maps_the_same_file(tmp_path):
    np.save(tmp_path / "x.npy", arrays().train_x)
    mapped = Pictures.of(np.load(tmp_path / "x.npy", mmap_mode="c"), arrays().train_y, 30)
    sent = pickle.dumps(mapped)
    assert len(sent) < 3000 < mapped.images.nbytes
    for one in (pickle.loads(sent), pickle.loads(pickle.dumps(Pictures.of(*arrays()[:2], 30)))):
        assert len(one) == 30
        assert all(
            torch.equal(a, b)
            for a, b in zip(one.batch(torch.tensor([29, 3])), mapped.batch(torch.tensor([29, 3])), strict=True)
        )


def test_an_augmented_run_resumes_with_the_same_bytes(tmp_path):
    task = made("cifar10-resnet20", n=32)
    options = {"workers": 2, "rounds": 3, "batch_size": 4, "eval_every": 3}
    whole = springline.train(task, "easgd", **options)
    assert same(whole, broken_off(1, tmp_path / "run", task, "easgd", **options))


def test_names():
    assert is_named("mnist")
    assert is_named("quadratic:h=2")
    assert not is_named("my own")
    assert all(recipe.summary for recipe in springline.TASKS.values())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cifar", "unknown task 'cifar'; did you mean cifar10"),
        ("mnist:h=1", "task mnist:h=1: mnist has no key 'h'; it has none"),
        ("mnist:big", "mnist takes no 'big' without a key; it has none"),
        ("cifar10:crop=3", "cifar10 has no key 'crop'; it has samples, augment, l2"),
        ("cifar10:l2=-1", "task cifar10: l2=-1 is not a finite number at least 0; choose one"),
        ("cifar10:samples=-1", "samples=-1 is not a finite number at least 0"),
        ("cifar10:samples=few", "samples=few cannot be read; write a whole number"),
    ],
)
def test_wrong_text(text, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        springline.load_task(text)
    assert "\n" not in str(caught.value)
