"""A run whose process is killed, or that cannot begin, has no result: it is said, and made by the next call."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from springline.config import RunConfig
from springline.errors import RunError
from springline.reproduce import Experiment, Trial, reproduce, results_file


def test_a_killed_process_leaves_no_result(tmp_path: Path, hands: list[subprocess.Popen[str]]) -> None:
    config = RunConfig(task="logistic:dim=50", method="easgd", workers=2, rounds=3000, batch_size=4, eval_every=1000)
    trials = [Trial({"seed": seed}, config.model_copy(update={"seed": seed, "threads": 1})) for seed in (0, 1)]
    experiment = Experiment("killed", "", lambda _: trials, lambda *_: [])

    def kill_the_first(plans: Any) -> Any:
        def watch(i: int, news: dict[str, Any]) -> None:
            if i == 0 and "round" in news:
                hands[0].send_signal(signal.SIGKILL)

        return watch

    with pytest.raises(RunError, match="1 of 2 runs are not finished; the first: its process was killed by signal 9"):
        reproduce(experiment, trials, tmp_path, jobs=1, watching=kill_the_first)
    assert [r.labels for r in results_file(experiment, tmp_path).read()] == [{"seed": 1}]
    results = reproduce(experiment, trials, tmp_path, jobs=1)
    assert [(r.labels, r.error) for r in results] == [({"seed": 0}, None), ({"seed": 1}, None)]


def test_a_run_that_cannot_begin_leaves_no_result(tmp_path: Path) -> None:
    """What is wrong with a folder, a machine or a setting says nothing about a method."""
    config = RunConfig(task="logistic:dim=50", method="easgd", workers=2, rounds=2, batch_size=10**6)
    experiment = Experiment("refused", "", lambda _: [Trial({"seed": 0}, config)], lambda *_: [])
    with pytest.raises(RunError, match=r"1 of 1 runs are not finished; the first: .*batch"):
        reproduce(experiment, experiment.trials(False), tmp_path, jobs=1)
    assert results_file(experiment, tmp_path).read() == []


def test_data_that_are_not_to_be_had_leave_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a network that is down."""
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte").write_bytes(b"cut short")
    nowhere = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")  # nobody listens there
    nowhere |= {"SPRINGLINE_DATA": str(tmp_path), "PATH": str(tmp_path), "NO_PROXY": "", "no_proxy": ""}
    for name, value in nowhere.items():
        monkeypatch.setenv(name, value)
    config = RunConfig(task="mnist", method="easgd", workers=2, rounds=2)
    experiment = Experiment("dataless", "", lambda _: [Trial({"seed": 0}, config)], lambda *_: [])
    with pytest.raises(RunError, match=r"1 of 1 runs are not finished; the first: .*9 bytes instead of 47040016"):
        reproduce(experiment, experiment.trials(False), tmp_path, jobs=1)
    assert results_file(experiment, tmp_path).read() == []
