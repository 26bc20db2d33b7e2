"""Models and data that are unusual but right: they train under every kind of coupling, or are refused in a sentence."""

# ruff: noqa: NPY002 (old data sets draw from numpy's global generator)
from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

import springline
from springline import Task, UsageError
from springline.tasks.base import MapStyle, samples
from springline.tasks.layout import Layout

METHODS = ["easgd", "geahes-o", "asgd", "sync-easgd", "sgd"]


class Net(nn.Module):
    """A linear classifier with what a test adds to it."""

    def __init__(self, *, scale: bool = False, mask: bool = False, kind: torch.dtype = torch.float32, wide: int = 0):
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.scale = nn.Parameter(torch.tensor(1.0)) if scale else 1.0
        if mask:
            self.register_buffer("mask", torch.triu(torch.full((2, 2), -torch.inf), 1))
        if wide:
            self.more = nn.Parameter(torch.randn(wide))
        self.kind = kind
        self.to(kind)

    def forward(self, x):
        logits = self.scale * self.linear(x.to(self.kind))
        if hasattr(self, "mask"):
            logits = logits + self.mask[0, 0]
        return logits.float() + (0.0 * self.more[:1].float() if hasattr(self, "more") else 0.0)


def points(n: int = 400):
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(3))
    return x, (x[:, 0] > 0).long()


def loss(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def train(method: str, **kind):
    task = Task("kinds", lambda: Net(**kind), loss, points(), points(), springline.classification)
    tau = {} if method in ("asgd", "sgd") else {"tau": 2}
    workers = 1 if method == "sgd" else 2
    return springline.train(task, method, workers=workers, rounds=20, batch_size=20, lr=0.1, guard=False, **tau)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "kind",
    [{"mask": True}, {"scale": True}, {"kind": torch.bfloat16}, {"kind": torch.float16, "wide": 70_000}],
    ids=["a mask of -inf", "a parameter without dimensions", "bfloat16", "float16, a large norm"],
)
def test_trains(method, kind):
    run = train(method, **kind)
    assert run.rows[-1]["exchanges_refused"] == 0
    assert run.test_accuracy > 0.75


def test_a_mask_is_a_constant():
    layout = Layout(Net(mask=True))
    assert layout.buffer_size == 0
    assert torch.isinf(train("easgd", mask=True).center["mask"]).sum() == 1


def test_complex_parameters_are_refused():
    module = nn.Linear(3, 3, dtype=torch.complex64)
    with pytest.raises(UsageError, match="view_as_real"):
        Layout(module)


class Extra(Net):
    def get_extra_state(self):
        return {"version": 3}

    def set_extra_state(self, state):
        pass


def test_what_a_module_says_of_itself_is_left_out_of_the_center(tmp_path):
    task = Task("extra", Extra, loss, points())
    run = springline.train(task, "easgd", workers=2, rounds=2, batch_size=20, guard=False, out=tmp_path / "run")
    assert set(run.center) == {"linear.weight", "linear.bias"}
    run.load_into(Extra())


class Drawing(torch.utils.data.Dataset):
    """Augments by every generator there is."""

    def __len__(self):
        return 100

    def __getitem__(self, i):
        x = torch.full((6,), i / 100) + torch.randn(6) + float(np.random.randn()) + random.random()
        return x, i % 2


def test_data_that_draw_are_a_function_of_the_seed():
    """Whatever the generators were at before; and they are left there."""
    task = Task("drawing", Net, loss, Drawing())
    ends = []
    for start in (1, 2):
        torch.manual_seed(start), np.random.seed(start), random.seed(start)
        before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
        ends.append(springline.train(task, "easgd", workers=2, rounds=3, batch_size=10, guard=False))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.array_equal(np.random.get_state()[1], before[1])
        assert random.getstate() == before[2]
    assert all(torch.equal(ends[0].center[k], ends[1].center[k]) for k in ends[0].center)


class Dicts(torch.utils.data.Dataset):
    """As Hugging Face's: samples are dicts, and `batch` means something else."""

    def __len__(self):
        return 100

    def __getitem__(self, i):
        return {"x": points(100)[0][i], "y": points(100)[1][i]}

    def batch(self, batch_size, drop_last_batch=False):
        raise AssertionError("not ours")


def test_samples_that_are_dicts():
    def loss(model, batch):
        return nn.functional.cross_entropy(model(batch["x"]), batch["y"])

    data = Dicts()
    assert isinstance(samples(data), MapStyle)
    run = springline.train(
        Task("dicts", Net, loss, data, data), "easgd", workers=2, rounds=2, batch_size=10, guard=False
    )
    assert run.rows[-1]["test_loss"] > 0


def test_a_run_whose_messages_were_all_refused_is_no_success():
    task = Task("kinds", Net, loss, points())
    with pytest.raises(springline.RunError, match="refused all 8 messages"):
        springline.train(
            task, "easgd", workers=2, rounds=4, batch_size=20, faults=["corrupt:nan,rate=1"], guard=False
        )


def test_a_list_of_tensors_is_a_tuple_of_them():
    assert len(samples(list(points()))) == 400


@pytest.mark.parametrize(("knob", "value"), [("lr", None), ("lr", "fast"), ("momentum", None)])
def test_knobs_that_are_no_numbers(knob, value):
    with pytest.raises(UsageError, match=knob):
        springline.method("eamsgd", **{knob: value})


def test_eval_batch():
    with pytest.raises(UsageError, match="eval_batch=0"):
        Task("none", Net, loss, points(), eval_batch=0)
