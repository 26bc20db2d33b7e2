"""`springline gauntlet` in real processes: killed, and gone on with."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from .support import Done, finish, springline, start, wait_for

JOB = ("gauntlet", "logistic:dim=5", "--methods", "easgd,easgd:alpha=0.3", "--failures", "drop,slow-half",
       "--rounds", "60", "--batch-size", "4", "--dir", ".")  # fmt: skip


def test_killed_at_any_moment_it_goes_on_where_it_stopped(tmp_path: Path, told: Callable[..., Done]) -> None:
    results = tmp_path / "gauntlet_logistic:dim=5" / "results" / "results.jsonl"
    process = start(*JOB, "--seeds", "3", "--jobs", "1", cwd=tmp_path)
    wait_for(lambda: results.exists() and results.read_text().count("\n") >= 2, process)
    process.send_signal(signal.SIGKILL)
    finish(process)
    before = results.read_text()
    done = springline(*JOB, "--seeds", "3", cwd=tmp_path)
    assert done.code == 0, done.err
    assert results.read_text().startswith(before)
    assert results.read_text().count("\n") == 3 * 2 * 3
    table = (tmp_path / "gauntlet_logistic:dim=5" / "logistic,dim=5-4-workers-tau-1.md").read_text()
    assert all(f"| {failure} |" in table for failure in ("none", "drop", "slow-half"))
    again = told(*JOB, "--seeds", "3")
    assert "all results are there" in again.out
