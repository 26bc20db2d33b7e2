"""Runs in processes of their own: what happens when one of them is killed, and which GPU each of them sees."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import springline
from springline.comparison import prepare
from springline.fleet import crew, run_all
from springline.folder import RunFolder
from tests.cli.support import finish, rows, start, wait_for

TASK = "logistic:dim=50"
WORLD: dict[str, Any] = {"workers": 2, "rounds": 3000, "batch_size": 4, "eval_every": 1000, "faults": ["drop:0.3"]}


def test_a_killed_process_costs_one_run_which_then_goes_on(tmp_path: Path, hands: list[subprocess.Popen[str]]) -> None:
    plans = prepare(TASK, ["easgd", "eamsgd"], seeds=1, **WORLD).plans(tmp_path)

    def kill_the_first(i: int, news: dict[str, Any]) -> None:
        if i == 0 and "round" in news:
            hands[0].send_signal(signal.SIGKILL)

    first, second = run_all(plans, jobs=1, watch=kill_the_first)
    assert first.error is not None
    assert first.error.startswith("its process was killed by signal 9")
    assert second.error is None
    assert len(hands) == 2

    news: list[tuple[int, dict[str, Any]]] = []
    again = run_all(plans, jobs=1, watch=lambda i, what: news.append((i, what)))
    assert [end.error for end in again] == [None, None]
    assert news[0] == (1, {"ended": None}), "a finished run is only said to be there"
    assert len(hands) == 3
    assert all(hand.poll() is not None for hand in hands), "a process was left behind"
    config = plans[0].config
    alone = springline.train(TASK, "easgd", **WORLD)
    assert config.threads == 1
    loaded = springline.Run.load(plans[0].folder)
    assert all(loaded.center[name].equal(value) for name, value in alone.center.items())


SEEING = """
import json, os, signal, sys, time
for line in sys.stdin:
    if os.environ["DIES_OF"] in line:
        os.kill(os.getpid(), signal.SIGKILL)
    while not os.path.exists(os.environ["DEAD"]):  # so that its successor gets the next plan, and nobody else
        time.sleep(0.001)
    print(json.dumps({"ended": os.environ.get("CUDA_VISIBLE_DEVICES")}), flush=True)
"""


@pytest.mark.parametrize(
    ("device", "engine", "jobs", "told"),
    [
        ("cuda", "simulator", None, ["4", "7", "9"]),
        ("cuda", "local", 4, ["4", "7", "9", "4"]),
        ("cuda", "simulator", 2, ["4", "7"]),
        ("cuda:1", "simulator", 2, ["4,7,9"] * 2),
        ("cuda", "ray", 2, ["4,7,9"] * 2),
        ("cpu", "simulator", 2, ["4,7,9"] * 2),
    ],
)
def test_each_process_sees_one_gpu(
    device: str, engine: str, jobs: int | None, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of ours, and its successor the same; but where runs name theirs, or Ray deals them out.

    In the place of the runs, the processes say what they see; the last of them dies of its first plan.
    """
    dies = len(told) - 1
    for name, value in {"CUDA_VISIBLE_DEVICES": "4,7,9", "DIES_OF": f"seed-{dies}", "DEAD": f"{tmp_path}/dead"}.items():
        monkeypatch.setenv(name, value)
    started: list[str] = []

    class Seeing(subprocess.Popen[str]):
        def __init__(self, command: list[str], **kwargs: Any) -> None:
            started.append(kwargs["env"]["CUDA_VISIBLE_DEVICES"])
            super().__init__([sys.executable, "-c", SEEING], **kwargs)

    def watch(i: int, news: dict[str, Any]) -> None:
        if i == dies:
            (tmp_path / "dead").touch()

    monkeypatch.setattr(crew.subprocess, "Popen", Seeing)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    changed = {"device": device, "engine": engine}
    plans = prepare(TASK, ["easgd"], seeds=5, **WORLD).plans(tmp_path)
    plans = [plan._replace(config=plan.config.model_copy(update=changed)) for plan in plans]
    ended = [end.error for end in run_all(plans, jobs=jobs, watch=watch)]
    assert started == [*told, told[dies]]
    assert (ended.pop(dies) or "").startswith("its process was killed by signal 9")
    assert set(ended) == set(told)


def test_an_interrupted_run_of_real_workers_leaves_a_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    """Its process hears of it by SIGTERM, perhaps from two sides."""
    job = ("--workers", "2", "--batch-size", "4", "--rounds", "1000000", "--eval-every", "1000000", "--seeds", "1")
    compare = start("compare", TASK, "--methods", "easgd", "--engine", "local", *job, "--out", "all", cwd=tmp_path)
    run = tmp_path / "all" / "easgd" / "seed-0"
    wait_for(lambda: len(rows(run)) >= 20, compare)
    live = json.loads((run / "live.json").read_text())
    before = len(rows(run))
    assert Path(live["place"]).exists()
    compare.send_signal(signal.SIGINT)
    done = finish(compare)
    assert done.code == 130, done.err
    assert not Path(live["place"]).exists()
    assert not (run / "live.json").exists()
    saved = RunFolder(run).load_checkpoint()
    assert saved is not None
    assert saved["engine"].resolved >= 2 * before, "it was not the last moment that was kept"
