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
from springline.tasks.base import InMemory, MapStyle, Samples, samples
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


class Ours(Samples):
    """A collection of the user's own."""

    def __len__(self):
        return 100

    def batch(self, which):
        return tuple(t[which] for t in points(100))


class Others(Dicts):
    def batch(self, indices):
        raise AssertionError("not ours either")


def test_only_a_collection_that_says_so_is_asked_for_batches():
    ours = Ours()
    assert samples(ours) is ours
    assert isinstance(samples(Others()), MapStyle)
    run = springline.train(Task("ours", Net, loss, ours), "easgd", workers=2, rounds=2, batch_size=10, guard=False)
    assert run.rows[-1]["exchanges_made"] == 4


class Overflowing(Net):
    """A statistic that leaves the range of its numbers."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.seen += torch.inf
        return super().forward(x)


def test_a_run_whose_messages_were_all_refused_is_no_success():
    with pytest.raises(springline.RunError, match="refused all 8 messages"):
        springline.train(
            Task("kinds", Overflowing, loss, points()), "easgd", workers=2, rounds=4, batch_size=20, guard=False
        )


def test_unless_they_were_to_be_damaged():
    run = springline.train(
        Task("kinds", Net, loss, points()), "easgd", workers=2, rounds=4, batch_size=20, faults=["corrupt:nan,rate=1"],
        guard=False,
    )  # fmt: skip
    assert run.rows[-1]["exchanges_refused"] == 8


class Constants(Net):
    """Buffers that no worker has of its own; in training one of them may change."""

    def __init__(self, changes: str = ""):
        super().__init__()
        self.changes = changes
        self.norm = nn.BatchNorm1d(6)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("begun", torch.tensor([False]))
        self.register_buffer("least", torch.full((6,), torch.inf))
        self.register_buffer("unknown", torch.tensor([torch.nan, 1.0]))
        self.register_buffer("mean", torch.zeros(6))
        self.register_buffer("positions", torch.arange(2), persistent=False)

    def forward(self, x):
        if self.training and self.changes == "count":
            self.count = self.count + 1
        if self.training and self.changes == "begun":
            self.begun.fill_(True)
        if self.training and self.changes == "least":
            self.least.copy_(torch.minimum(self.least, x.amin(0)))
        if self.training and self.changes == "mean":
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        if len(x) > len(self.positions):  # a cache, which is no state
            self.positions = torch.arange(len(x))
        return super().forward(self.norm(x))


@pytest.mark.parametrize("changes", ["count", "begun", "least", "mean"])
def test_a_buffer_that_belongs_to_no_worker_must_not_change(changes, tmp_path):
    task = Task("constants", lambda: Constants(changes), loss, points())
    with pytest.raises(UsageError, match=rf"training changes the buffer '{changes}'"):
        springline.train(task, "easgd", workers=2, rounds=2, batch_size=20, out=tmp_path / "run", guard=False)
    assert not (tmp_path / "run").exists()


def test_buffers_that_do_not_change_are_exported_as_they_are():
    run = springline.train(
        Task("constants", Constants, loss, points()), "easgd", workers=2, rounds=2, batch_size=20, guard=False
    )
    for name in ("count", "begun", "least", "unknown", "mean"):
        torch.testing.assert_close(run.center[name], getattr(Constants(), name), rtol=0, atol=0, equal_nan=True)


class Words(nn.Module):
    """An embedding whose gradient is sparse."""

    def __init__(self):
        super().__init__()
        self.words, self.out = nn.Embedding(8, 4, sparse=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.out(torch.tanh(self.words(x)))


@pytest.mark.parametrize("method", METHODS)
def test_sparse_gradients(method):
    x = torch.arange(400) % 8
    task = Task("words", Words, loss, (x, (x > 3).long()), (x, (x > 3).long()), springline.classification)
    workers = 1 if method == "sgd" else 2
    run = springline.train(task, method, workers=workers, rounds=60, batch_size=40, lr=0.5, guard=False)
    assert run.test_accuracy > 0.75


class Precise(Net):
    """Statistics in more digits than the parameters have."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6, dtype=torch.float64))

    def forward(self, x):
        if self.training:
            self.mean.lerp_(x.mean(0).to(self.mean), 0.1)
        return super().forward(x - self.mean.to(x))


def test_a_buffer_is_exported_in_the_dtype_it_has(tmp_path):
    task = Task("precise", Precise, loss, points())
    run = springline.train(task, "easgd", workers=2, rounds=4, batch_size=20, out=tmp_path / "run", guard=False)
    assert run.center["mean"].dtype == springline.Run.load(tmp_path / "run").center["mean"].dtype == torch.float64
    assert run.center["mean"].any()


class Halved(torch.utils.data.TensorDataset):
    """A TensorDataset that has a word to say about its samples."""

    def __getitem__(self, i):
        x, y = super().__getitem__(i)
        return x / 2, y


def test_a_tensor_dataset_of_ones_own_is_asked_for_its_samples():
    x, y = points(4)
    found = samples(Halved(x, y)).batch(torch.tensor([2, 0]))
    assert torch.equal(found[0], x[[2, 0]] / 2)
    assert torch.equal(found[1], y[[2, 0]])
    assert isinstance(samples(torch.utils.data.TensorDataset(x, y)), InMemory)


def test_a_list_of_tensors_is_a_tuple_of_them():
    assert len(samples(list(points()))) == 400


@pytest.mark.parametrize(("knob", "value"), [("lr", None), ("lr", "fast"), ("momentum", None)])
def test_knobs_that_are_no_numbers(knob, value):
    with pytest.raises(UsageError, match=knob):
        springline.method("eamsgd", **{knob: value})


def test_eval_batch():
    with pytest.raises(UsageError, match="eval_batch=0"):
        Task("none", Net, loss, points(), eval_batch=0)
