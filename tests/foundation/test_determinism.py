"""The same seed gives the same bytes: again, in another process, and after any interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import springline
from springline import Run, RunError, Task, UsageError, checkpoint, method
from springline.engines.job import Job
from springline.engines.simulator import Simulator
from springline.optim.schedule import StepDecay
from springline.scenario import Network, Scenario, parse_pace

from .support import Save, elastic, job, momentum, quadratic, resumed

FAULTS = ["drop:0.2", "crash:9,down=2,rejoin=initial", "corrupt:nan,rate=0.1", "slow:2,worker=1"]
METHODS = ["easgd", "eamsgd", "eahes-om", "deahes-o", "geahes-o"]


def digest(rows: Any, center: dict[str, torch.Tensor]) -> str:
    """Of all that a run is, but for the wall clock."""
    told = [{k: v for k, v in row.items() if k != "wall_s"} for row in rows]
    whole = sha256(json.dumps(told).encode())
    for name in sorted(center):
        whole.update(center[name].numpy().tobytes())
    return whole.hexdigest()


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


def child(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    return subprocess.run([sys.executable, "-c", code, root, *arguments], capture_output=True, text=True, check=False)


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


# -- resume

SCENARIOS = {
    "blocking": ({}, {"faults": FAULTS}),
    "hidden": ({"pull_after": "tau"}, {"faults": FAULTS, "network": Network(latency=1.3, bandwidth=1e3, service=2e3)}),
    "jacobi": ({"pull_after": 1}, {"faults": ["lost-reply:0.3"], "network": Network(latency=4.0)}),
}


def job_of(task: Task, name: str, kind: str) -> Job:
    knobs, world = SCENARIOS[kind]
    return job(method(name, **knobs), task, scenario=Scenario(**world), workers=3, rounds=10, tau=2, batch_size=8)


@pytest.mark.parametrize("kind", SCENARIOS)
@pytest.mark.parametrize("name", ["eamsgd", "deahes-o", "geahes-o"])
def test_resume_from_every_checkpoint(blobs, tmp_path, name, kind):
    what = job_of(blobs, name, kind)
    whole = Save(folder=tmp_path)
    end = Simulator().run(what, whole)
    assert len(whole.files) == 10
    for done in range(0, 10, 1 if kind == "hidden" else 4):
        rest, again = resumed(whole.files[done], what)
        assert json.dumps(rest.rows) == json.dumps(whole.rows[done + 1 :])
        assert again.x.numpy().tobytes() == end.x.numpy().tobytes()


def test_shared_buffers_are_resumed_in_the_middle_of_a_moment(tmp_path):
    """All whose rounds end together train one after the other, on buffers that all share, in the order of the pace."""
    x = torch.linspace(-1, 1, 160).reshape(40, 4)
    task = Task("bn", lambda: nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 1)), lambda m, b: (m(b[0]) ** 2).mean(), x)
    what = job(
        method("easgd"), task, workers=4, rounds=8, batch_size=4, buffers="shared",
        scenario=Scenario(pace=parse_pace("block-random"), faults=["drop:0.333"]),
    )  # fmt: skip
    whole = Save(folder=tmp_path)
    end = Simulator().run(what, whole)
    for done in range(8):
        _, again = resumed(whole.files[done], what)
        assert again.x.numpy().tobytes() == end.x.numpy().tobytes()
        assert again.buffers.numpy().tobytes() == end.buffers.numpy().tobytes()


def test_messages_and_replies_are_under_way_in_those_checkpoints(blobs, tmp_path):
    """Otherwise the test above would not have resumed what is hard to resume."""
    from springline.checkpoint import load_state
    from springline.engines.simulator.loop import ANSWER, ARRIVE

    whole = Save(folder=tmp_path)
    Simulator().run(job_of(blobs, "deahes-o", "hidden"), whole)
    worlds = [load_state(file) for file in whole.files]
    kinds = {event[3] for world in worlds for event in world.heap}
    assert {ARRIVE, ANSWER} <= kinds
    assert any(seat.answer is not None for world in worlds for seat in world.seats)


def test_a_state_that_is_kept_does_not_change(blobs, tmp_path):
    """What a checkpoint holds is a state between two events, not a view of the running simulation."""
    from springline.checkpoint import load_state

    whole = Save(folder=tmp_path)
    Simulator().run(job_of(blobs, "easgd", "blocking"), whole)
    assert [load_state(file).round for file in whole.files] == list(range(1, 11))


class Stop(Exception):
    """Somebody pulled the plug."""


def interrupted(task: Task, out: Path, at: int, **kw: Any) -> None:
    def pull_the_plug(row: Any) -> None:
        if row["round"] == at:
            raise Stop

    with pytest.raises(Stop):
        springline.train(task, "geahes-o", out=out, progress=pull_the_plug, **(TRAINING | kw))


TRAINING: dict[str, Any] = {
    "rounds": 10,
    "batch_size": 8,
    "tau": 2,
    "seed": 3,
    "faults": FAULTS,
    "checkpoint_every": 0.0,
}


def files_of(run: Path) -> tuple[str, bytes]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return json.dumps([{k: v for k, v in row.items() if k != "wall_s"} for row in rows]), (
        run / "center.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("at", [1, 2, 7, 10])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(blobs, tmp_path, at):
    whole = springline.train(blobs, "geahes-o", out=tmp_path / "whole", **TRAINING)
    interrupted(blobs, tmp_path / "cut", at)
    run = springline.resume(tmp_path / "cut", task=blobs)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
    assert digest(run.rows, run.center) == digest(whole.rows, whole.center)
    assert run.config == whole.config
    assert not list(tmp_path.glob("cut/.*.tmp"))


def test_interrupted_twice(blobs, tmp_path):
    whole = springline.train(blobs, "geahes-o", out=tmp_path / "whole", **TRAINING)
    interrupted(blobs, tmp_path / "cut", 4)

    def again(row: Any) -> None:
        if row["round"] == 8:
            raise Stop

    with pytest.raises(Stop):
        springline.resume(tmp_path / "cut", task=blobs, checkpoint_every=0.0, progress=again)
    springline.resume(tmp_path / "cut", task=blobs)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
    assert [row["round"] for row in whole.rows] == list(range(1, 11))


def test_a_run_stopped_before_its_first_checkpoint_begins_again(blobs, tmp_path):
    whole = springline.train(blobs, "geahes-o", out=tmp_path / "whole", **TRAINING)
    interrupted(blobs, tmp_path / "cut", 1, checkpoint_every=1e9)
    assert not (tmp_path / "cut" / "checkpoint.safetensors").exists()
    run = springline.resume(tmp_path / "cut", task=blobs)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
    assert len(run.rows) == len(whole.rows)


def test_the_first_round_is_kept_however_long_the_interval(blobs, tmp_path):
    whole = springline.train(blobs, "geahes-o", out=tmp_path / "whole", **TRAINING)
    interrupted(blobs, tmp_path / "cut", 4, checkpoint_every=1e9)
    assert checkpoint.load_state(tmp_path / "cut" / "checkpoint.safetensors")["engine"].round == 1
    first = (tmp_path / "cut" / "checkpoint.safetensors").read_bytes()
    springline.resume(tmp_path / "cut", task=blobs, checkpoint_every=1e9)
    assert (tmp_path / "cut" / "checkpoint.safetensors").read_bytes() == first, "a resumed run has one to go back to"
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
    assert len(whole.rows) == 10


def test_resume_of_a_finished_run_loads_it(blobs, tmp_path):
    whole = springline.train(blobs, "geahes-o", out=tmp_path / "run", **TRAINING)
    for again in (springline.resume(tmp_path / "run"), Run.load(tmp_path / "run")):
        assert digest(again.rows, again.center) == digest(whole.rows, whole.center)
        assert again.summary == whole.summary


def test_resume_restores_the_whole_scenario(blobs, tmp_path):
    """Network and pace too, from the folder alone."""
    world = {"network": "latency=1.5,bandwidth=1000", "pace": "constant:0.25"}
    springline.train(blobs, "geahes-o", out=tmp_path / "whole", **TRAINING, **world)
    interrupted(blobs, tmp_path / "cut", 5, **world)
    springline.resume(tmp_path / "cut", task=blobs)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import springline
from springline import checkpoint
from tests.conftest import blobs
from tests.foundation.test_determinism import TRAINING

moment, at = sys.argv[3].split("-")

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def progress(row):
    if row["round"] == int(at):
        if moment == "row":
            die()
        checkpoint.os.fsync = die  # in the middle of writing the next checkpoint

springline.train(blobs.__wrapped__(), "geahes-o", out=sys.argv[2], progress=progress, **TRAINING)
"""


@pytest.mark.parametrize("moment", ["row-6", "checkpoint-1", "checkpoint-6"])
def test_killed_at_any_moment(blobs, tmp_path, moment):
    """SIGKILL of a real process, between a row and its checkpoint and in the middle of writing one."""
    springline.train(blobs, "geahes-o", out=tmp_path / "whole", **TRAINING)
    said = child(KILLED, str(tmp_path / "cut"), moment)
    assert said.returncode == -signal.SIGKILL, said.stderr
    with pytest.raises(UsageError, match="has not ended; continue it with `springline resume"):
        Run.load(tmp_path / "cut")
    springline.resume(tmp_path / "cut", task=blobs)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
    assert not list(tmp_path.glob("cut/.*.tmp")), "what was half written is gone"


# -- a folder that is not as it was left


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
        ("[]", RunError, "not readable JSON"),
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
    springline.resume(tmp_path / "run", task=blobs, method=elastic())


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


def test_momentum_is_in_the_checkpoint(tmp_path):
    """On the quadratic, in float64, with the plainest state."""
    what = job(elastic(optimiser=momentum(0.1, 0.6)), quadratic(), rounds=6)
    whole = Save(folder=tmp_path)
    end = Simulator().run(what, whole)
    _, again = resumed(whole.files[2], what)
    assert torch.equal(again.x, end.x)
