"""Resuming what is not as it was left, or not whole: each says what is wrong and what to do."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import springline
from springline import Run, RunError, Scenario, UsageError, method
from springline.optim.schedule import StepDecay
from springline.optim.sgd import SGD
from springline.setup import turned

from .interruption import FAULTS, Stop, files_of, interrupted
from .support import elastic, quadratic


@pytest.fixture
def cut(blobs, tmp_path) -> Path:
    interrupted(blobs, tmp_path / "cut", 6)
    return tmp_path / "cut"


def test_resume_with_an_edited_configuration(blobs, cut):
    config = json.loads((cut / "config.json").read_text())
    (cut / "config.json").write_text(json.dumps(config | {"tau": 4}))
    with pytest.raises(RunError, match=r"config\.json is not what the checkpoint was made with \(tau 2 → 4\)"):
        springline.resume(cut, task=blobs)


@pytest.mark.parametrize(
    ("content", "error", "sentence"),
    [
        ("{", RunError, "not readable JSON"),
        ("[]", RunError, "config.json holds a list instead of names with values"),
        ('{"task": "blobs"}', UsageError, "config.json: method: field required"),
        ('{"task": "blobs", "method": "easgd", "tau": "two"}', UsageError, "config.json: tau: "),
        ('{"task": "blobs", "method": "easgd", "taus": 2}', UsageError, "config.json: taus: "),
    ],
)
def test_resume_with_a_broken_configuration(blobs, cut, content, error, sentence):
    (cut / "config.json").write_text(content)
    with pytest.raises(error, match=sentence):
        springline.resume(cut, task=blobs)


def test_resume_with_a_truncated_checkpoint(blobs, cut):
    file = cut / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"checkpoint\.safetensors is not a whole checkpoint"):
        springline.resume(cut, task=blobs)


@pytest.mark.parametrize("keep", [0, 100, None])
def test_resume_with_metrics_cut_short_or_missing(blobs, cut, keep):
    metrics = cut / "metrics.jsonl"
    if keep is None:
        metrics.unlink()
    else:
        os.truncate(metrics, keep)
    with pytest.raises(RunError, match=r"metrics\.jsonl is shorter than its checkpoint says"):
        springline.resume(cut, task=blobs)


def test_metrics_with_an_edited_line(cut):
    metrics = cut / "metrics.jsonl"
    lines = metrics.read_text().splitlines()
    metrics.write_text("\n".join([lines[0], lines[1][:-3], *lines[2:]]))
    with pytest.raises(RunError, match=r"metrics\.jsonl, line 2 is not readable JSON"):
        springline.folder.RunFolder(cut).read_metrics()


@pytest.mark.parametrize(
    "line", ["[]", "3", '{"round": 1}', '{"round": 1, "workers": []}', '{"round": "a", "workers": {}}']
)
def test_metrics_with_a_line_that_is_no_round(cut, line):
    (cut / "metrics.jsonl").write_text(line + "\n")
    with pytest.raises(RunError, match=r"metrics\.jsonl, line 1 is no round of a run"):
        springline.folder.RunFolder(cut).read_metrics()


def test_a_run_that_has_ended_and_lost_its_metrics(blobs, tmp_path):
    springline.train(blobs, "easgd", out=tmp_path, rounds=2, batch_size=8)
    (tmp_path / "metrics.jsonl").write_text("")
    for again in (springline.resume, springline.Run.load):
        with pytest.raises(RunError, match=r"metrics\.jsonl holds no round, but the run has ended; restore the file"):
            again(tmp_path)


def test_a_run_that_has_ended_and_lost_its_last_rounds(blobs, tmp_path):
    """Otherwise an earlier round would be taken for its result."""
    springline.train(blobs, "easgd", out=tmp_path, rounds=3, batch_size=8)
    metrics = tmp_path / "metrics.jsonl"
    os.truncate(metrics, metrics.stat().st_size - 7)
    for again in (springline.resume, springline.Run.load):
        with pytest.raises(RunError, match=r"metrics\.jsonl ends after round 2, but the run after round 3; it was cut"):
            again(tmp_path)


def test_a_run_of_another_version_goes_on_with_a_warning(blobs, cut):
    file = cut / "environment.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"springline": "0.0.9"}))
    with pytest.warns(UserWarning, match=r"was begun with springline 0\.0\.9 \(now .*\); it goes on"):
        springline.resume(cut, task=blobs)


def test_a_misspelt_method_in_the_configuration(blobs, cut):
    config = json.loads((cut / "config.json").read_text())
    (cut / "config.json").write_text(json.dumps(config | {"method": "esagd"}))
    with pytest.raises(UsageError, match="or write easgd there if that was meant"):
        springline.resume(cut, task=blobs)


def test_metrics_whose_last_line_is_being_written(cut):
    metrics = cut / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"round": 7, "tim')
    assert len(springline.folder.RunFolder(cut).read_metrics()) == 6


def test_two_processes_cannot_work_on_one_run(blobs, cut):
    with springline.folder.RunFolder(cut).held(), pytest.raises(UsageError, match="another process is at work"):
        springline.resume(cut, task=blobs)


def test_resume_of_an_own_task_or_method_says_what_to_pass(blobs, tmp_path):
    with pytest.raises(Stop):
        springline.train(
            blobs, elastic(), out=tmp_path / "run", rounds=3, batch_size=8, checkpoint_every=0.0,
            progress=lambda row: (_ for _ in ()).throw(Stop),
        )  # fmt: skip
    with pytest.raises(UsageError, match=r"task 'blobs' is your own; pass it to resume\(task=…\)"):
        springline.resume(tmp_path / "run")
    with pytest.raises(UsageError, match=r"method 'own' is your own; pass it to resume\(method=…\)"):
        springline.resume(tmp_path / "run", task=blobs)
    with pytest.raises(UsageError, match=r"begun with other arguments \(knobs \{'lr': '0\.1'\} → \{'lr': '0\.2'\}\)"):
        springline.resume(tmp_path / "run", task=blobs, method=elastic(optimiser=SGD(lr=0.2)))
    springline.resume(tmp_path / "run", task=blobs, method=elastic())


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"method": method("easgd")}, r"\(method 'geahes-o' → 'easgd'\)"),
        ({"method": method("geahes-o", alpha=0.3)}, r"\(knobs \{\} → \{'alpha': 0\.3\}\)"),
        ({"scenario": Scenario()}, r"\(faults \['drop:rate=0\.2', .*\] → \[\]\)"),
        ({"task": quadratic()}, r"\(task 'blobs' → 'distance'\)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_nothing_goes_on_with_the_state_of_another(blobs, cut, other, says):
    before = {file.name: file.read_bytes() for file in cut.iterdir()}
    with pytest.raises(UsageError, match=rf"the run was begun with other arguments {says}, and its state fits no"):
        springline.resume(cut, **({"task": blobs} | other))
    assert {file.name: file.read_bytes() for file in cut.iterdir()} == before


def test_what_a_run_was_begun_with_may_be_passed_again(blobs, cut):
    springline.resume(cut, task=blobs, method=method("geahes-o"), scenario=Scenario.of(FAULTS))


@dataclass(frozen=True)
class Own(SGD):
    """A method's part with a knob whose text tells where it lies."""

    rule: Any = None


def test_an_object_without_a_text_of_its_own_is_the_same_in_every_process():
    one, other = (turned(elastic(optimiser=Own(0.1, rule=object()))) for _ in range(2))
    assert one == other
    assert one["rule"] == "<object object>"


def test_resume_with_a_schedule_asks_for_the_method(blobs, tmp_path):
    def train(out: Path, **kw: Any) -> Run:
        decay = method("easgd", lr=StepDecay(0.1, (4,), 0.1))
        return springline.train(blobs, decay, out=out, rounds=6, batch_size=8, checkpoint_every=0.0, **kw)

    whole = train(tmp_path / "whole")
    assert whole.config.knobs == {"lr": "StepDecay(eta=0.1, milestones=(4,), factor=0.1)"}
    with pytest.raises(Stop):
        train(tmp_path / "cut", progress=lambda row: (_ for _ in ()).throw(Stop))
    with pytest.raises(UsageError, match=r"lr=StepDecay\(.*\) cannot be read as float; .*; pass the method to resume"):
        springline.resume(tmp_path / "cut", task=blobs)
    springline.resume(tmp_path / "cut", task=blobs, method=method("easgd", lr=StepDecay(0.1, (4,), 0.1)))
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_resume_where_there_is_no_run(tmp_path):
    with pytest.raises(UsageError, match=r"holds no run \(no config\.json in it\)"):
        springline.resume(tmp_path)
