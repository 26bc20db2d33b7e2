"""SIGTERM to a run on Ray, which has a handler of its own for it that ends the program without a snapshot."""

from __future__ import annotations

import signal

from springline.folder import RunFolder
from tests.local.support import until
from tests.local.test_terminated import command


def test_a_run_on_ray_stops_as_by_ctrl_c(tmp_path):
    job = ("--engine", "ray", "--workers", "1", "--batch-size", "4", "--rounds", "1000000", "--eval-every", "1000000")
    program = command("train", "logistic:dim=50", *job, "--out", "run", "--checkpoint-every", "1000000", cwd=tmp_path)
    metrics = tmp_path / "run" / "metrics.jsonl"
    until("some rounds", lambda: program.poll() is not None or (metrics.exists() and metrics.stat().st_size), 120)
    program.send_signal(signal.SIGTERM)
    _, err = program.communicate(timeout=90)
    assert program.returncode == 143, err
    assert RunFolder(tmp_path / "run").load_checkpoint()["engine"].resolved > 0
