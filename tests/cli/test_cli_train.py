"""What `train` says at its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from springline.cli.exits import run
from springline.run import Run, train

from .support import TASK, Done


def test_where_the_virtual_time_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Steps of 1 s; from the second round on a worker waits 0.5 s for its reply, the slower one never for others."""
    args = ["train", TASK, "--method", "easgd", "--workers", "2", "--rounds", "3", "--batch-size", "4"]
    assert run([*args, "--network", "latency=0.25", "--no-guard", "--out", str(tmp_path / "run"), "--json"]) == 0
    out, err = capsys.readouterr()
    (line,) = [line for line in err.splitlines() if line.startswith("virtual time ")]
    assert line.startswith("virtual time 4.25 s, of which a worker was computing 3 s, waiting 0 s, communicating 1 s; ")
    b = Run.load(tmp_path / "run").breakdown()
    assert line.endswith(f"; mean lag {b['lag']:.3g}, gap {b['gap']:.3g}")
    assert len(out.splitlines()) == 1
    assert "breakdown" not in json.loads(out)


def test_resume_on_another_device(tmp_path: Path, told: Callable[..., Done]) -> None:
    """It is checked as that of a run that begins."""

    def stop(row: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TASK, "easgd", out=tmp_path / "run", workers=2, batch_size=4, rounds=3, progress=stop)
    other = told("resume", "run", "--device", "gpu")
    assert (other.code, other.sentence) == (2, "unknown device 'gpu'; choose cpu, cuda, or one GPU as in cuda:1.")
    assert told("resume", "run", "--device", "cpu").code == 0
