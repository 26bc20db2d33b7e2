"""`springline.compare` on a task of one's own: statistics, the same failures, folders that take more."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import pytest

import springline
from springline import Comparison, RunError, Task, UsageError, method
from springline.comparison import is_comparison, load_comparison
from springline.engines.simulator import Simulator
from springline.folder import RunFolder
from springline.optim.schedule import StepDecay
from springline.scenario import Fault, Scenario
from springline.scenario.fault import Course, Draw, Fate


class Unlucky(Fault):
    """A fault of one's own: worker 0 reaches nobody in every other round."""

    name = "unlucky"
    worker = (0,)

    def course(self, draw: Draw) -> Course:
        return lambda moment: Fate(pushed=moment.round % 2 == 0)


class Elsewhere(Simulator):
    name = "elsewhere"


WORLD: dict[str, Any] = {"workers": 3, "rounds": 6, "batch_size": 8, "eval_every": 3, "faults": ["drop:0.4"]}

pytestmark = pytest.mark.xdist_group("comparison")  # it is made once


@pytest.fixture(scope="module")
def two(blobs: Task) -> Comparison:
    return springline.compare(blobs, ["easgd", "easgd:alpha=0.3:lr=0.1"], seeds=2, seed=5, **WORLD)


def test_each_run_is_the_run_that_train_makes(two: Comparison, blobs: Task) -> None:
    assert two.folder is None
    assert [e.label for e in two.entries] == ["easgd", "easgd:alpha=0.3:lr=0.1"]
    alone = springline.train(blobs, "easgd", alpha=0.3, lr=0.1, seed=6, **WORLD)
    trace = two.entries[1].traces[1]
    assert trace.seed == 6
    for ours, theirs in zip(trace.rows, alone.rows, strict=True):
        assert {k: v for k, v in ours.items() if k != "wall_s"} == {k: v for k, v in theirs.items() if k != "wall_s"}


def test_the_table_is_mean_and_deviation_over_seeds(two: Comparison) -> None:
    for line, entry in zip(two.table, two.entries, strict=True):
        last = [t.rows[-1] for t in entry.traces]
        for name in ("test_accuracy", "test_loss", "train_loss"):
            values = [row[name] for row in last]
            assert (line[name], line[f"{name}_std"]) == (mean(values), stdev(values))
        assert line["lost"] == mean(row["exchanges_lost"] / 18 for row in last)
        assert (line["runs"], line["failed"]) == (2, 0)


def test_all_methods_meet_the_same_failures(two: Comparison) -> None:
    a, b = ([[row["workers"]["lost"] for row in trace.rows] for trace in entry.traces] for entry in two.entries)
    assert a == b
    assert a[0] != a[1], "another seed, other failures"


def test_a_curve_has_the_rounds_that_all_runs_know(two: Comparison) -> None:
    entry = two.entries[0]
    rounds, values = entry.curve("test_accuracy")
    assert rounds == [3, 6]
    assert [v[-1] for v in values] == entry.last("test_accuracy")
    shorter = replace(entry.traces[1], rows=entry.traces[1].rows[:4])
    assert replace(entry, traces=(entry.traces[0], shorter)).curve("test_accuracy")[0] == [3]
    assert replace(entry, traces=()).curve("test_accuracy") == ([], [])


def test_where_no_run_has_finished_all_are_drawn_as_far_as_they_got(two: Comparison) -> None:
    entry = two.entries[0]
    stopped = [replace(t, rows=t.rows[:4], error="it has not ended.") for t in entry.traces]
    begun = replace(stopped[1], rows=stopped[1].rows[:1])  # it knows no test accuracy yet
    rounds, values = replace(entry, traces=(stopped[0], begun)).curve("test_accuracy")
    assert (rounds, values) == ([3], [[stopped[0].rows[2]["test_accuracy"]]])
    assert replace(entry, traces=(entry.traces[0], stopped[1])).curve("test_accuracy")[0] == [3, 6]


def test_a_folder_takes_more_methods_and_seeds(blobs: Task, tmp_path: Path) -> None:
    first = springline.compare(blobs, ["easgd"], seeds=1, out=tmp_path, **WORLD)
    run = tmp_path / "easgd" / "seed-0"
    before = {file: file.stat().st_mtime_ns for file in run.iterdir()}
    both = springline.compare(blobs, ["eamsgd", "easgd"], seeds=2, out=tmp_path, **WORLD)
    assert {file: file.stat().st_mtime_ns for file in run.iterdir()} == before, "a finished run was made again"
    assert both.entries[1].traces[0] == first.entries[0].traces[0]
    assert is_comparison(tmp_path)
    loaded = load_comparison(tmp_path)
    assert loaded == both
    anew = springline.compare(blobs, ["easgd"], seeds=1, out=tmp_path, overwrite=True, **WORLD)
    assert {file: file.stat().st_mtime_ns for file in run.iterdir()} != before
    assert anew.entries[0].last("test_loss") == first.entries[0].last("test_loss")
    assert not (tmp_path / "eamsgd" / "seed-0").exists()


def test_what_another_process_is_at_is_not_overwritten(blobs: Task, tmp_path: Path) -> None:
    springline.compare(blobs, ["easgd", "eamsgd"], seeds=1, out=tmp_path, **WORLD)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.*")}
    with (
        RunFolder(tmp_path / "easgd" / "seed-0").held(),
        pytest.raises(UsageError, match=r"another process is at work on the run in .*easgd/seed-0; wait for its end"),
    ):
        springline.compare(blobs, ["eamsgd", "easgd"], seeds=1, out=tmp_path, overwrite=True, **WORLD)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.*")} == before


@pytest.mark.parametrize(("gone", "says"), [("easgd", None), ("", "cannot be written to any more (No such file")])
def test_a_folder_that_is_removed_meanwhile(gone: str, says: str | None, blobs: Task, tmp_path: Path) -> None:
    def watch(i: int, news: dict[str, Any]) -> None:
        if i == 1 and "ended" in news:
            shutil.rmtree(tmp_path / "all" / gone)

    def run() -> Comparison:
        return springline.compare(blobs, ["easgd", "eamsgd"], seeds=1, out=tmp_path / "all", watch=watch, **WORLD)

    if says is not None:
        with pytest.raises(RunError, match=re.escape(says)):
            run()
    else:
        ((label, seed, why),) = run().failures
        assert (label, seed) == ("easgd", 0)
        assert "easgd/seed-0 holds no round, but the run has ended; remove what is left of it and run the same" in why


@pytest.mark.parametrize("settings", ["{", "[]", "{}", '{"task": "blobs", "workers": 2, "tau": 1, "faults": null}'])
def test_settings_that_are_no_comparisons(settings: str, tmp_path: Path) -> None:
    (tmp_path / "compare.json").write_text(settings)
    with pytest.raises(
        RunError, match=r"compare\.json is no(t readable JSON| comparison's); it was edited or cut short"
    ):
        load_comparison(tmp_path)


def test_a_copy_beside_the_runs_is_left_out(blobs: Task, tmp_path: Path) -> None:
    made = springline.compare(blobs, ["easgd"], seeds=1, out=tmp_path, **WORLD)
    shutil.copytree(tmp_path / "easgd" / "seed-0", tmp_path / "easgd" / "seed-0 (copy)")
    assert load_comparison(tmp_path) == made


def test_labels_and_their_order_come_back(blobs: Task, tmp_path: Path) -> None:
    """A folder's name has neither / nor : in it, and a comma may be a knob's own."""
    labels = ["eahes:betas=0.9,0.99", "easgd:overlap=1/N", "easgd"]
    made = springline.compare(blobs, labels, seeds=1, out=tmp_path, **WORLD)
    assert [e.label for e in made.entries] == labels
    assert load_comparison(tmp_path) == made
    (tmp_path / "table.json").unlink()  # as if it had been stopped
    assert load_comparison(tmp_path) == made
    springline.compare(blobs, ["eamsgd", "easgd"], seeds=1, out=tmp_path, **WORLD)
    assert [e.label for e in load_comparison(tmp_path).entries] == ["eamsgd", "easgd", *labels[:2]]


def test_other_settings_are_not_mixed_in(blobs: Task, tmp_path: Path) -> None:
    springline.compare(blobs, ["easgd"], seeds=1, out=tmp_path, **WORLD)
    with pytest.raises(UsageError, match=r"other settings \(tau 1 → 2\), which cannot be mixed"):
        springline.compare(blobs, ["easgd"], seeds=1, out=tmp_path, tau=2, **WORLD)
    single = tmp_path / "single"
    springline.train(blobs, "easgd", out=single, **WORLD)
    with pytest.raises(UsageError, match="holds a single run"):
        springline.compare(blobs, ["easgd"], seeds=1, out=single, **WORLD)
    with pytest.raises(UsageError, match="holds no comparison"):
        load_comparison(single)


def test_a_run_that_diverges_does_not_stop_the_others(blobs: Task, tmp_path: Path) -> None:
    result = springline.compare(blobs, ["easgd:lr=9e37", "easgd"], seeds=1, out=tmp_path, **WORLD)
    (failure,) = result.failures
    assert failure[:2] == ("easgd:lr=9e37", 0)
    assert "training loss of worker" in failure[2]
    assert [(line["failed"], line["test_loss"] is None) for line in result.table] == [(1, True), (0, False)]
    assert result.save_picture(tmp_path / "picture.png").exists()


def test_a_method_is_called_what_its_text_would_be(blobs: Task) -> None:
    rates = [method("easgd", alpha=0.1), method("easgd", alpha=np.float32(0.75)), method("eahes", betas=(0.8, 0.9))]
    own = replace(rates[0], name="mine")
    made = springline.compare(blobs, [*rates, own], seeds=1, alpha=0.3, **WORLD)
    labels = ["easgd", "easgd:alpha=0.75", "eahes:betas=0.8,0.9", "mine"]
    assert [e.label for e in made.entries] == labels
    texts = springline.compare(blobs, ["easgd:alpha=0.3", "easgd:alpha=0.75"], seeds=1, **WORLD)
    for ours, theirs in zip(made.entries[:2], texts.entries, strict=True):  # what all turn yields to a method's own
        assert ours.last("test_loss") == theirs.last("test_loss")
    assert made.entries[0].last("test_loss") != made.entries[1].last("test_loss")


OWN: list[dict[str, Any]] = [
    {"lr": StepDecay(0.1, (5,))},
    {"faults": [Unlucky()]},
    {"faults": (), "scenario": Scenario((Unlucky(),))},
]


@pytest.mark.parametrize("settings", OWN)
@pytest.mark.parametrize("name", ["easgd", "mine"])
@pytest.mark.parametrize("schedule", ["", "warmup:4"])
def test_what_no_text_says_is_compared_too(
    blobs: Task, settings: dict[str, Any], name: str, schedule: str, tmp_path: Path
) -> None:
    chosen = method("easgd") if name == "easgd" else replace(method("easgd"), name=name)
    world = WORLD | settings | {"schedule": schedule}
    result = springline.compare(blobs, [chosen], seeds=1, out=tmp_path, **world)
    assert not result.failures
    assert result.entries[0].last("test_loss") == [springline.train(blobs, chosen, **world).rows[-1]["test_loss"]]
    (tmp_path / name / "seed-0" / "summary.json").unlink()  # as if it had been stopped
    again = springline.compare(blobs, [chosen], seeds=1, out=tmp_path, **world)
    assert again.entries[0].last("test_loss") == result.entries[0].last("test_loss")


def test_own_objects_on_a_named_task_need_no_other_process() -> None:
    result = springline.compare("quadratic", ["easgd"], seeds=1, lr=StepDecay(0.1, (5,)), **WORLD)
    assert not result.failures


def test_whatever_goes_wrong_in_a_run_does_not_stop_the_others(blobs: Task) -> None:
    def loss(module: Any, batch: Any) -> Any:
        if len(batch[0]) == WORLD["batch_size"] and fails.pop():
            raise RuntimeError("a loss of one's own\ngoes wrong")
        return blobs.loss_fn(module, batch)

    fails = [*[False] * 200, True, False]  # the first batch is the rehearsal's
    result = springline.compare(replace(blobs, loss_fn=loss), ["easgd", "eamsgd"], seeds=1, **WORLD)
    assert result.failures == [("easgd", 0, "RuntimeError: a loss of one's own goes wrong")]
    assert result.entries[1].finished


@pytest.mark.parametrize(
    ("methods", "settings", "says"),
    [
        ([], {}, "there are no methods to compare"),
        (["easgd"], {"seeds": 0}, "seeds=0 is less than 1"),
        (["easgd"], {"jobs": 0}, "jobs=0 is less than 1"),
        (["easgd:alpha"], {}, "write NAME:knob=value"),
        (["easgd", "eahes"], {"momentum": 0.5}, "unknown knob 'momentum' of method 'easgd'"),
        (["easgd"], {"batch_size": 500}, "batch_size=500 is larger"),
        (["easgd"], {"engine": "simulater"}, "unknown engine"),
        (["easgd"], {"engine": Elsewhere()}, "unknown engine 'elsewhere'"),
        (["easgd", "easgd"], {}, "two of the methods are called easgd;"),
        (["easgd:alpha=0.3", method("easgd", alpha=0.3)], {}, "two of the methods are called easgd:alpha=0.3;"),
        ([3], {}, "method=3 is of type int"),
    ],
)
def test_wrong_usage(blobs: Task, methods: list[str], settings: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        springline.compare(blobs, methods, **(WORLD | settings), out=tmp_path / "all")
    assert not (tmp_path / "all").exists()
