"""What a user can get wrong: one sentence with the remedy, and nothing is written."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import springline
from springline import Method, RunError, Task, UsageError, method
from springline.couplings import Dynamic, Elastic, Fixed
from springline.optim.sgd import SGD
from springline.scenario import Drop, Scenario

from .support import elastic

X, Y = torch.linspace(-1, 1, 80).reshape(20, 4), torch.arange(20) % 2


class Locked(nn.Linear):
    """What cannot be copied."""

    def __init__(self) -> None:
        super().__init__(4, 2)
        self.lock = threading.Lock()


def task(model: Any = lambda: nn.Linear(4, 2), loss: Any = None, data: Any = (X, Y), **kw: Any) -> Task:
    return Task("small", model, loss or (lambda m, b: F.cross_entropy(m(b[0]), b[1])), data, **kw)


def refused(match: str, error: type[Exception], out: Path, *arguments: Any, **kw: Any) -> None:
    with pytest.raises(error, match=match) as caught:
        springline.train(*arguments, **({"out": out, "rounds": 3, "batch_size": 2} | kw))
    said = str(caught.value)
    assert "\n" not in said
    assert said[-1] in ".?"


CASES: list[tuple[str, dict[str, Any]]] = [
    (r"unknown method 'easdg'; did you mean easgd", {"method": "easdg"}),
    (r"unknown fault 'dorp'; did you mean drop", {"faults": ["dorp:0.3"]}),
    (r"unknown engine 'simulation'; did you mean simulator", {"engine": "simulation"}),
    (r"unknown knob 'alhpa' of method 'geahes-o'; did you mean alpha", {"alhpa": 0.2}),
    (r"unknown device 'cudaa'; choose cpu, cuda", {"device": "cudaa"}),
    (r"device=cuda:\d+: .* use one that there is, or device=cpu", {"device": f"cuda:{torch.cuda.device_count()}"}),
    (r"device=meta: PyTorch on this machine cannot use it; choose device=cpu", {"device": "meta"}),
    (r"does not fit the topology 'star'; use --topology tree:4, or", {"method": "easgd-tree", "workers": 16}),
    (r"does not fit the topology 'star'; use --topology tree:6, or", {"method": "easgd-tree", "workers": 6}),
    (r"does not fit the topology 'tree'; use --topology star, or", {"method": "easgd", "topology": "tree:2"}),
    (r"workers=0 is less than 1", {"workers": 0}),
    (r"workers=-3 is less than 1", {"workers": -3}),
    (r"tau=0 is less than 1", {"tau": 0}),
    (r"rounds=0 is less than 1", {"rounds": 0}),
    (r"eval_every=0 is less than 1", {"eval_every": 0}),
    (r"batch_size=0 is less than 1", {"batch_size": 0}),
    (r"alpha=0\.0 is outside \(0, 1\]", {"alpha": 0.0}),
    (r"alpha=1\.5 is outside \(0, 1\]", {"alpha": 1.5}),
    (r"alpha=much cannot be read", {"alpha": "much"}),
    (r"k=0\.0 is not negative", {"method": "deahes-o", "k": 0.0}),
    (r"k=1 is not negative", {"method": "deahes-o", "k": 1}),
    (r"overlap=1\.0 is outside \[0, 1\)", {"overlap": 1.0}),
    (r"overlap=-0\.1 is outside \[0, 1\)", {"overlap": -0.1}),
    (r"overlap=half is outside", {"overlap": "half"}),
    (r"overlap=half is outside", {"method": "eahes-o", "overlap": "half"}),
    (r"lr=0 is not", {"lr": 0}),
    (r"lr=fast cannot be read as float", {"lr": "fast"}),
    (r"pull_after=-1 is not a number of steps", {"pull_after": -1}),
    (r"pull_after=soon is not a number of steps", {"pull_after": "soon"}),
    (r"pull_after=2 is more than tau=1", {"pull_after": 2}),
    (r"21 workers are more than the 20 training samples", {"method": "easgd", "workers": 21}),
    (r"batch_size=6 is larger than the 5 samples of worker 0", {"method": "easgd", "batch_size": 6}),
    (r"rate=1\.5 is outside \[0, 1\]", {"faults": ["drop:1.5"]}),
    (r"there is no worker 4; with 4 workers they are 0 to 3", {"faults": ["drop:0.5,worker=4"]}),
    (
        r"round=41 never comes, as this run ends after 40 attempts",
        {"rounds": 10, "faults": ["script:drop,round=41"]},
    ),
    (r"warms up twice; leave one", {"schedule": "warmup:5+warmup:7"}),
    (r"both scenario= and faults= were given", {"faults": ["drop:0.5"], "scenario": Scenario()}),
    (r"has no trainable parameters", {"task": task(nn.Identity)}),
    (r"has no trainable parameters", {"task": task(lambda: nn.Linear(4, 2).requires_grad_(False))}),
    (r"model\(\) returned Tensor, not an nn\.Module", {"task": task(lambda: torch.ones(3))}),
    (r"mixes parameters of", {"task": task(lambda: nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 2).double()))}),
    (r"has lazy parameters that have no shape yet", {"task": task(lambda: nn.LazyLinear(2))}),
    (
        r"BatchNorm1d has momentum=None, .*; give it a momentum",
        {"task": task(lambda: nn.Sequential(nn.BatchNorm1d(4, momentum=None), nn.Linear(4, 2)))},
    ),
    (r"what model\(\) returned cannot be copied, .*lock.*; let the module hold no locks", {"task": task(Locked)}),
    (r"task 'mnist' is your own, but one of .* give yours another name", {"task": replace(task(), name="mnist")}),
    (
        r"task 'quadratic:dim=2' is your own",
        {"task": replace(springline.load_task("quadratic:dim=2"), train=torch.zeros(20, 2))},
    ),
    (
        r"loss_fn returned a tensor of shape \(2,\), not a scalar; reduce it, for example with \.mean\(\)",
        {"task": task(loss=lambda m, b: F.cross_entropy(m(b[0]), b[1], reduction="none"))},
    ),
    (r"loss_fn returned float, not a scalar", {"task": task(loss=lambda m, b: 0.5)}),
]


@pytest.mark.parametrize(("match", "wrong"), CASES, ids=[f"{i}-{next(iter(w))}" for i, (_, w) in enumerate(CASES)])
def test_refused_before_anything_is_written(match, wrong, tmp_path):
    refused(match, UsageError, tmp_path / "run", **({"task": task()} | wrong))
    assert not list(tmp_path.glob("run/*")), "nothing is written"


def test_unknown_task(tmp_path):
    refused(r"unknown task 'mnits'; did you mean mnist", UsageError, tmp_path / "run", "mnits")
    assert not (tmp_path / "run").exists()


def test_wrong_input_does_not_cost_an_earlier_run(tmp_path):
    springline.train(task(), out=tmp_path, rounds=2, batch_size=2)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    refused("has no trainable", UsageError, tmp_path, task(nn.Identity), overwrite=True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_numbers_as_text_are_numbers(tmp_path):
    for name, knobs in (("easgd", {"overlap": "0.2"}), ("eahes-o", {"overlap": "0.2"}), ("easgd", {"pull_after": "1"})):
        turned = method(name, **knobs)
        assert all(getattr(turned, knob) == float(text) for knob, text in knobs.items())
    assert method("easgd", overlap="1/N").overlap_of(4) == 0.25
    assert method("easgd", pull_after="tau").pull_after == "tau"
    assert method("deahes-o", c="0.5,0.25").coupling.weights.c == (0.5, 0.25)
    assert method("easgd", lr="0.5").optimiser.lr == 0.5


KINDS: list[tuple[str, dict[str, Any]]] = [
    (r"method=None is of type NoneType; give a springline.Method", {"method": None}),
    (r"workers='2' is no whole number", {"workers": "2"}),
    (r"workers=True is no whole number", {"workers": True}),
    (r"rounds=10\.0 is no whole number", {"rounds": 10.0}),
    (r"seed=None is no whole number", {"seed": None}),
    (r"faults=\{'drop': 0\.3\} is of type dict; give a list of faults", {"faults": {"drop": 0.3}}),
    (r"faults=3 is of type int; give a list of faults", {"faults": [3]}),
    (r"pace=3 is of type int; give a pace", {"pace": 3}),
    (r"topology=\['tree'\] is of type list", {"topology": ["tree"]}),
    (r"schedule=3 is of type int; give text", {"schedule": 3}),
    (r"engine=3 is of type int; give an engine", {"engine": 3}),
    (r"unknown argument 'wrkers'; did you mean workers\?", {"wrkers": 3}),
    (r"unknown argument 'round'; did you mean rounds", {"round": 3}),
    (r"unknown method 'EASGDD'; did you mean easgd", {"method": "EASGDD"}),
    (r"by=nan is not finite", {"faults": ["corrupt:scale,by=nan"]}),
    (r"by=inf is not finite", {"faults": ["corrupt:scale,by=inf"]}),
]


@pytest.mark.parametrize(("match", "arguments"), KINDS, ids=[str(i) for i in range(len(KINDS))])
def test_arguments_of_another_kind(match, arguments, tmp_path):
    refused(match, UsageError, tmp_path / "run", task(), **arguments)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("match", "parts"),
    [
        ("model is a Linear; give a function that builds a new module each time", {"model": nn.Linear(4, 2)}),
        ("model is a generator", {"model": (nn.Linear(4, 2) for _ in range(2))}),
        ("loss_fn is 'cross_entropy'; give a function", {"loss": "cross_entropy"}),
        ("metrics is 'accuracy'; give a function", {"metrics": "accuracy"}),
        ("the data are a tuple of numpy arrays; give tensors", {"data": (X.numpy(), Y.numpy())}),
        ("a str is not a data set", {"data": "data"}),
        ("a dict is not a data set", {"data": {"x": X, "y": Y}}),
    ],
)
def test_a_task_of_the_wrong_parts(match, parts):
    with pytest.raises(UsageError, match=match):
        task(**parts)


def test_what_is_no_task():
    with pytest.raises(UsageError, match=r"task=3 is of type int; give a springline.Task"):
        springline.train(3, "easgd")


def test_a_folder_that_holds_something_else(tmp_path):
    """Nothing is lost that a run would write over; a run that could not begin leaves nothing in the way."""
    (tmp_path / "summary.json").write_text("mine")
    refused(r"holds summary.json, but no config.json; replace it with", UsageError, tmp_path, task())
    assert (tmp_path / "summary.json").read_text() == "mine"
    (tmp_path / "summary.json").unlink()
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "metrics.jsonl").write_text("")
    assert len(springline.train(task(), out=tmp_path, rounds=2, batch_size=2).rows) == 2


def test_a_folder_that_holds_what_is_not_a_runs(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "thesis").mkdir()
    refused(r"is not empty, and what it holds is not a run's \(notes.txt and 1 more\)", UsageError, tmp_path, task())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt", "thesis"]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("another program's")
    refused(r"what it holds is not a run's \(config.json\)", UsageError, tmp_path / "model", task())
    assert (tmp_path / "model" / "config.json").read_text() == "another program's"
    (tmp_path / "empty").mkdir()
    assert len(springline.train(task(), out=tmp_path / "empty", rounds=1, batch_size=2).rows) == 1


def test_one_fault_by_itself():
    one = springline.train(task(), rounds=4, batch_size=2, faults="drop:0.5")
    assert one.config.faults == ["drop:rate=0.5"]
    assert (
        springline.train(task(), rounds=4, batch_size=2, faults=Drop(0.5)).rows[-1]["exchanges_lost"]
        == (one.rows[-1]["exchanges_lost"])
    )


def test_a_fault_is_left_as_it_was_given():
    fault = Drop(rate=0.3, worker=1)
    (taken,) = Scenario((fault,)).faults
    assert (fault.worker, taken.worker) == (1, (1,))


def test_a_folder_that_holds_a_run(tmp_path):
    first = springline.train(task(), out=tmp_path, rounds=2, batch_size=2)
    before = (tmp_path / "metrics.jsonl").read_bytes()
    refused(
        r"already holds a run; continue it with `springline resume .*`, replace it with --overwrite, or choose another",
        UsageError, tmp_path, task(),
    )  # fmt: skip
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    second = springline.train(task(), out=tmp_path, rounds=3, batch_size=2, overwrite=True)
    assert [len(run.rows) for run in (first, second)] == [2, 3]
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3


def test_overwriting_leaves_files_of_others_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        springline.train(task(), out=tmp_path, rounds=1, batch_size=2, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "run").write_text("")
    refused(r"cannot be used as a run folder", UsageError, tmp_path / "run", task())


def test_a_method_of_ones_own_needs_a_name_of_its_own(tmp_path):
    """Its run would be resumed as the registered one."""
    for other in (
        Method("easgd", Elastic(Dynamic()), SGD(0.01)),
        Method("easgd", Elastic(Fixed(0.1)), SGD(0.02), overlap=0.5),
    ):
        if other.coupling.weights == Fixed(0.1):
            springline.train(task(), other, rounds=1, batch_size=2)  # the registered one with its knobs turned
        else:
            refused(
                "method 'easgd' is not the registered one, whatever its knobs; give it a name of its own",
                UsageError,
                tmp_path,
                task(),
                other,
            )


# -- runs that cannot go on


class Explode(nn.Module):
    """Its loss becomes nan or infinite in its n-th forward pass in training mode."""

    def __init__(self, value: float, at: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(1))
        self.value, self.at = value, at

    def forward(self, batch: Any) -> torch.Tensor:
        bad = self.training and batch[0].min() <= self.at <= batch[0].max()
        return (self.w**2).sum() * (self.value if bad else 1.0)


def exploding(value: float, sample: int) -> Task:
    """A task whose loss is `value` on the batch that holds this sample."""
    data = torch.arange(20.0).reshape(20, 1)
    return task(lambda: Explode(value, float(sample)), lambda m, b: m(b), data)


def first_use(sample: int, workers: int, tau: int) -> tuple[int, int]:
    """(worker, step from 0) of the batch of one sample that holds it."""
    from .support import job

    what = job(elastic(), exploding(1.0, 0), workers=workers, batch_size=1, tau=tau)
    return next((i, t) for t in range(10) for i in range(workers) if what.batches[i].at(t).item() == sample)


@pytest.mark.parametrize(("value", "word"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_a_loss_that_is_not_finite_stops_the_run(value, word, tmp_path):
    """It says which worker, round and step; the rows and the last checkpoint before it stay."""
    sample = next(s for s in range(20) if first_use(s, 2, 2)[1] == 7)
    worker, step = first_use(sample, 2, 2)
    kw = {"workers": 2, "tau": 2, "batch_size": 1, "rounds": 9, "checkpoint_every": 0.0}
    refused(
        rf"the training loss of worker {worker} became {word} at its local step {step + 1} \(round {step // 2 + 1}\); "
        r"lower the learning rate",
        RunError, tmp_path, exploding(value, sample), elastic(optimiser=SGD(0.01)), **kw,
    )  # fmt: skip
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3
    assert springline.checkpoint.load_state(tmp_path / "checkpoint.safetensors")["engine"].round == 3
    assert not (tmp_path / "summary.json").exists()


def test_the_round_of_a_bad_loss_counts_the_rounds_it_was_down(tmp_path):
    sample = next(s for s in range(20) if first_use(s, 2, 1) == (0, 3))
    refused(
        r"worker 0 became nan at its local step 4 \(round 6\)", RunError, tmp_path, exploding(float("nan"), sample),
        elastic(), workers=2, batch_size=1, rounds=9, faults=["script:outage,worker=0,round=2,rounds=2"],
    )  # fmt: skip


# -- tasks


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: task(data=(X, Y[:3])), r"different lengths \[20, 3\]"),
        (lambda: task(data=(X[:0], Y[:0])), r"task 'small' has no training samples"),
        (lambda: task(data=7), r"int is not a data set; give tensors"),
        (lambda: task(data=iter([1])), r"is not a data set"),
    ],
)
def test_data_that_are_none(make, sentence):
    with pytest.raises(UsageError, match=sentence):
        make()
