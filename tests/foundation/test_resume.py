"""A run that was interrupted, at whatever moment, ends like one that was not."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
import torch
from torch import nn

import springline
from springline import Run, Task, UsageError, checkpoint, method
from springline.config import RunConfig
from springline.engines.job import Job
from springline.engines.local import Local
from springline.engines.simulator import Simulator
from springline.folder import RunFolder
from springline.scenario import Network, Scenario, parse_pace
from springline.state import flatten

from .interruption import FAULTS, TRAINING, Stop, child, digest, files_of, interrupted
from .support import Keep, Save, elastic, job, momentum, quadratic, resumed

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


def test_a_state_comes_back_on_the_device_of_whoever_goes_on_with_it(blobs, tmp_path):
    """The simulator's is the job's; the engines of several processes keep their center on the CPU."""
    what = job_of(blobs, "geahes-o", "hidden")
    files, kept = RunFolder(tmp_path), Keep()
    Simulator().run(what, kept)
    files.save_checkpoint(kept.worlds[-1], {}, 0.0, 0)
    object.__setattr__(what, "device", "meta")  # a device that is no CPU, on every machine, though it computes nothing
    assert Simulator().home(what) == "meta"
    assert Local().home(what) == "cpu"
    for home in ("meta", "cpu"):
        tensors, _ = flatten(files.load_checkpoint(home))
        assert {t.device.type for t in tensors.values()} == {home}


def test_momentum_is_in_the_checkpoint(tmp_path):
    """On the quadratic, in float64, with the plainest state."""
    what = job(elastic(optimiser=momentum(0.1, 0.6)), quadratic(), rounds=6)
    whole = Save(folder=tmp_path)
    end = Simulator().run(what, whole)
    _, again = resumed(whole.files[2], what)
    assert torch.equal(again.x, end.x)


# -- run folders


def test_a_run_goes_on_on_another_device(blobs, tmp_path, monkeypatch):
    """As one of a GPU does on a machine without. What is written of it stays what it was begun with."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    springline.train(blobs, "geahes-o", out=tmp_path / "whole", **TRAINING)
    interrupted(blobs, tmp_path / "cut", 4)
    files = RunFolder(tmp_path / "cut")
    config, saved = RunConfig.read(files.read_config(), "").on("cuda"), files.load_checkpoint()
    files.write_json("config.json", config.model_dump())
    files.save_checkpoint(saved["engine"], config.model_dump(), saved["wall_s"], saved["metrics_bytes"])
    with pytest.raises(UsageError, match=r"of GPUs that PyTorch can use this machine has none; .* or device=cpu"):
        springline.resume(tmp_path / "cut", task=blobs)

    def again(row: Any) -> None:
        if row["round"] == 8:
            raise Stop

    here = {"task": blobs, "device": "cpu", "checkpoint_every": 0.0}
    with (
        pytest.warns(UserWarning, match="was begun with device 'cuda' → 'cpu'; it goes on, but not"),
        pytest.raises(Stop),
    ):
        springline.resume(tmp_path / "cut", progress=again, **here)
    with pytest.warns(UserWarning, match="was begun with device 'cuda' → 'cpu'; it goes on, but not"):
        run = springline.resume(tmp_path / "cut", **here)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
    assert run.config == config == RunConfig.read(files.read_config(), "")


def test_the_device_of_before_may_be_named(blobs, tmp_path):
    """Without a warning, and to the same bytes."""
    springline.train(blobs, "geahes-o", out=tmp_path / "whole", **TRAINING)
    interrupted(blobs, tmp_path / "cut", 4)
    springline.resume(tmp_path / "cut", task=blobs, device="cpu")
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def test_no_gpu_is_reserved_on_the_cpu():
    config = RunConfig(task="t", method="m", engine="ray", engine_options={"gpus_per_worker": 0.5, "center_shards": 2})
    assert config.on("cpu").engine_options == {"center_shards": 2}
    assert config.on("cuda").engine_options == config.engine_options


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
from tests.foundation.interruption import TRAINING

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
