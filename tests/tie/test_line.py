"""A line in this process against the recursion it stands for, and what it refuses."""

from __future__ import annotations

import json
import math
import os
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import springline
from springline import RunError, UsageError
from springline.data.partition import partition
from springline.folder import RunFolder
from springline.tied import TieWarning

from .support import Point, point, until

ALPHA = 0.25


def recursion(starts, gradients, tau, pull_after):
    """Workers in turn: x ← x − g; every τ steps c ← c + α(x − c), and the worker's −α(x − c) lands pull_after later."""
    c, xs = starts[0], [starts[0] for _ in starts]
    pulls: list = [None] * len(starts)
    for k, g in enumerate(gradients, 1):
        for i in range(len(xs)):
            xs[i] = xs[i] - g * (i + 1)
            since = (k - 1) % tau + 1
            if pulls[i] is not None and since == pull_after:
                xs[i], pulls[i] = xs[i] + pulls[i], None
            if k % tau == 0:
                d = xs[i] - c
                c, pulls[i] = c + ALPHA * d, -ALPHA * d
                if pull_after == 0:
                    xs[i], pulls[i] = xs[i] + pulls[i], None
    return c, xs


@pytest.mark.parametrize(("tau", "pull_after"), [(3, 0), (3, 1), (3, "tau"), (1, 1)])
def test_two_workers_are_the_recursion(tmp_path, tau, pull_after):
    steps = 4 * tau
    gradients = [torch.tensor([0.5 * k, -1.0]) for k in range(steps)]
    models = [point(1.0, 2.0) for _ in range(2)]
    options = {"tau": tau, "alpha": ALPHA, "pull_after": pull_after, "run": tmp_path / "run", "workers": 2}
    lines = [springline.tie(model, optimizer, "easgd", **options) for model, optimizer in models]
    held = [model.x for model, _ in models]
    for g in gradients:
        for i, ((model, optimizer), line) in enumerate(zip(models, lines, strict=True)):
            model.go(optimizer, *(g * (i + 1)).tolist())
            line.step()
            # both workers are this process, so that nothing but this keeps their messages in order
            until("the exchange", lambda line=line: line._connection.last == line.exchanges)
    after = tau if pull_after == "tau" else pull_after
    c, xs = recursion([torch.tensor([1.0, 2.0])] * 2, gradients, tau, after)
    found = [model.x.detach().clone() for model, _ in models]
    for i in range(2):
        torch.testing.assert_close(found[i], xs[i], rtol=1e-6, atol=1e-6)
        assert models[i][0].x is held[i], "the parameter itself was replaced"
    torch.testing.assert_close(lines[0].center_state_dict()["x"], c, rtol=1e-6, atol=1e-6)
    assert [line.exchanges for line in lines] == [4, 4]
    for line in lines:
        line.close()
    torch.testing.assert_close(load_file(tmp_path / "run" / "center.safetensors")["x"], c, rtol=1e-6, atol=1e-6)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["exchanges_made"] == 8


def test_numbers_of_numpy(tmp_path):
    """They are taken as springline.train takes them."""
    model, optimizer = point(1.0)
    with springline.tie(model, optimizer, alpha=np.float64(0.5), run=tmp_path, workers=1) as line:
        model.go(optimizer, 1.0)
        line.step()
    assert RunFolder(tmp_path).read_config()["knobs"]["alpha"] == 0.5
    assert model.x.item() == 0.5, "half of the way back to 1"


def test_steps_left_over_are_handed_in(tmp_path):
    model, optimizer = point(0.0, 0.0)
    with springline.tie(model, optimizer, "easgd", tau=10, alpha=ALPHA, run=tmp_path / "run") as line:
        model.go(optimizer, -1.0, -2.0)
        line.step()
    assert line.exchanges == 1
    assert load_file(tmp_path / "run" / "center.safetensors")["x"].tolist() == [ALPHA, 2 * ALPHA]


def test_many_lines_of_one_run(tmp_path):
    """Numbers, shards, other initial parameters, other models: one run after all of them."""
    run = {"run": tmp_path / "run", "workers": 3, "alpha": ALPHA}
    model, optimizer = point(1.0, 2.0)
    first = springline.tie(model, optimizer, "easgd", overlap=0.2, **run)
    other, others = point(5.0, 5.0)
    with pytest.warns(TieWarning, match=r"the initial parameters of worker 1 differ .* call torch.manual_seed"):
        second = springline.tie(other, others, "easgd", overlap=0.2, **run)
    assert other.x.tolist() == [1.0, 2.0]
    assert [first.worker, second.worker, first.workers] == [0, 1, 3]
    data = list(range(100))
    for line in (first, second):
        assert line.shard(data).indices == partition(100, 3, 0.2, 0)[line.worker].tolist()
    with pytest.raises(UsageError, match="has no length or cannot be indexed"):
        first.shard(iter(data))
    large, larger = point(1.0, 2.0, 3.0)
    with pytest.raises(UsageError, match="has 3 parameters of float32, but the run trains 2"):
        springline.tie(large, larger, "easgd", overlap=0.2, **run)
    named = nn.Linear(1, 1)
    with pytest.raises(UsageError, match="as many parameters as the run's, but with other names or shapes"):
        springline.tie(named, torch.optim.SGD(named.parameters(), lr=1.0), "easgd", overlap=0.2, **run)
    with pytest.raises(UsageError, match=r"was tied with .*'tau': 7.* tie all workers alike"):
        springline.tie(model, optimizer, "easgd", overlap=0.2, tau=7, **run)
    for line in (first, second):
        with pytest.warns(TieWarning, match=r"never called line.step\(\)"):
            line.close()
    with pytest.raises(UsageError, match=r"after line.close\(\)"):
        first.step()


def test_messages_that_are_not_finite(tmp_path):
    """They are refused; after three in a row the worker is at the center again, with nothing learned."""
    model = Point(1.0, 2.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
    line = springline.tie(model, optimizer, "easgd", alpha=ALPHA, run=tmp_path / "run")
    model.go(optimizer, 0.0, float("nan"))
    line.step()
    line.step()
    with pytest.warns(TieWarning, match="refused 3 messages of worker 0 in a row"):
        line.step()
    assert model.x.tolist() == [1.0, 2.0]
    assert not optimizer.state
    model.go(optimizer, -4.0, 0.0)
    line.step()
    assert model.x.tolist() == [4.0, 2.0]
    assert line.center_state_dict()["x"].tolist() == [2.0, 2.0]
    line.close()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["exchanges_made"], summary["exchanges_lost"]) == (1, 3)


def test_loss_and_closure(tmp_path):
    """A loss is recorded if it is told; a method that steps itself wants a closure that only says it."""
    model, optimizer = point(1.0, 2.0)
    with springline.tie(model, optimizer, "geahes-o", run=tmp_path / "loss") as line:
        line.step()
        line.step(loss=torch.tensor(1.0))
        with pytest.raises(UsageError, match=r"a closure, for geahes-o's own optimiser, but SGD was tied"):
            line.step(lambda: model.x.square().sum())
    with springline.tie(model, optimizer, "easgd", tau=3, run=tmp_path / "told") as line:
        for value in (1.0, math.inf, 3.0):
            line.step(loss=value)
    assert RunFolder(tmp_path / "told").read_metrics()[-1]["workers"]["loss"] == [2.0]
    x = torch.tensor([1.0, 2.0])
    with springline.tie(model := Point(1.0, 2.0), None, "asgd", lr=0.25, run=tmp_path / "closure") as line:
        with pytest.raises(UsageError, match=r"without a closure, but no optimizer was tied"):
            line.step()
        for k in range(3):
            loss = line.step(lambda: model.x.square().sum())
            assert loss is not None
            assert loss.item() == x.square().sum().item()
            x = x - 0.25 * 2 * x
            assert model.x.tolist() == x.tolist(), f"after step {k + 1}"

        def twice():
            loss = model.x.square().sum()
            loss.backward()
            return loss

        with pytest.raises(UsageError, match=r"the closure given to line.step called backward"):
            line.step(twice)


@pytest.mark.parametrize(
    ("method", "options", "sentence"),
    [
        ("asgd", {}, r"an optimizer of your own would step a second time; call springline.tie\(model, None"),
        ("easgd", {"tau": 2, "pull_after": 3}, "pull_after=3 is more than tau=2"),
        ("easgd", {"tau": 0}, "tau=0 is less than 1"),
        ("easgd-tree", {}, "easgd-tree does not fit the topology 'star'"),
        ("nonsense", {}, "unknown method 'nonsense'"),
        ("downpour", {"tau": 2, "pull_after": 1}, "the reply of downpour replaces the worker's parameters"),
    ],
)
def test_refuses(tmp_path, method, options, sentence):
    model, optimizer = point(1.0, 2.0)
    with pytest.raises(UsageError, match=sentence):
        springline.tie(model, optimizer, method, run=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists(), "a run was begun"


@pytest.fixture
def usual():
    """SIGTERM as a script finds it; in this process Ray may have taken it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("usual")
def test_a_sigterm_is_what_it_was_when_the_line_is_closed(tmp_path):
    """Before that the worker leaves: by the next step, or where there is none, when it closes its line."""
    lines = [springline.tie(*point(1.0, 2.0), run=tmp_path / "run", workers=3) for _ in range(3)]
    lines[0].step()
    lines[0].close()
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(SystemExit), pytest.warns(TieWarning):
        lines[1].close()
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    with pytest.raises(SystemExit):
        lines[2].step()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_the_center_is_lost_before_a_worker_parts(tmp_path):
    line = springline.tie(*point(1.0, 2.0), run=tmp_path / "run")
    line.step()
    os.kill(json.loads((tmp_path / "run" / "live.json").read_text())["pid"], signal.SIGKILL)
    with pytest.raises(RunError, match=r"ended before worker 0 had parted from it, so the center's last state may not"):
        line.close()


def test_an_optimizer_of_something_else(tmp_path):
    model, _ = point(1.0, 2.0)
    _, optimizer = point(1.0, 2.0)
    with pytest.raises(UsageError, match="the SGD holds none of the model's parameters"):
        springline.tie(model, optimizer, run=tmp_path / "run")


def test_torchrun_on_several_machines(tmp_path, monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="torchrun started 8 workers on several machines"):
        springline.tie(*point(1.0, 2.0))


def test_a_folder_that_holds_a_run(tmp_path, capfd):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match=r"the center of the run in .* did not start; see the message above"):
        springline.tie(*point(1.0, 2.0), run=tmp_path)
    assert "already holds a run; choose another folder" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("model", "optimizer", "says"),
    [
        (None, None, "was given a NoneType as model; give an nn.Module"),
        ("net", None, "was given a str as model"),
        (nn.Linear(1, 1), "sgd", "was given 'sgd' as optimizer; give a torch.optim.Optimizer"),
        (nn.Linear(1, 1), torch.optim.SGD, "as optimizer; give a torch.optim.Optimizer"),
    ],
)
def test_what_is_no_model_or_optimizer(model, optimizer, says):
    with pytest.raises(UsageError, match=says):
        springline.tie(model, optimizer)


def test_a_model_that_was_moved(tmp_path):
    """Its device is waited for before each exchange; buffers elsewhere would be others than those that were tied."""
    model, optimizer = point(1.0, 2.0)
    line = springline.tie(model, optimizer, run=tmp_path / "run")
    line._model.device = torch.device("meta")  # as if it had been there, and had been moved from there
    model.go(optimizer, 0.0, 0.0)
    with pytest.raises(UsageError, match=r"the model was moved to cpu after springline\.tie; move it before"):
        line.step()
    line._model.device = torch.device("cpu")
    line.step()
    line.close()
