"""SIGTERM, which Slurm, Kubernetes and docker stop send: a command stops as by Ctrl-C, whoever else gets it too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from springline.engines.real.ask import ask
from springline.engines.real.tally import Tally
from springline.errors import RunError, UsageError
from springline.folder import RunFolder

from .support import DEADLINE, gone, live, until


def command(*args: str, cwd: Path) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "springline", *args]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        line, cwd=cwd, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def below(pid: int) -> list[int]:
    """The processes that a process has started, those that these have started, and so on."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(grandchild for child in children for grandchild in below(child))]


def test_everybody_is_told_to_end(tmp_path):
    """A last checkpoint, exit code 143, nothing left behind, and the run goes on from there."""
    job = ("--engine", "local", "--workers", "2", "--batch-size", "4", "--rounds", "1000000", "--eval-every", "1000000")
    program = command("train", "logistic:dim=50", *job, "--out", "run", "--checkpoint-every", "1000000", cwd=tmp_path)

    def works():
        assert program.poll() is None, program.communicate()
        try:
            status = ask(tmp_path / "run", "status")
        except (UsageError, RunError):
            return None
        return status if status["workers"] and all(w["made"] > 0 for w in status["workers"]) else None

    status = until("everybody works", works)
    place = Path(live(tmp_path / "run")["place"])
    everybody = [program.pid, *below(program.pid)]
    assert {w["pid"] for w in [*status["workers"], status["center"]]} < set(everybody)
    for pid in everybody:
        os.kill(pid, signal.SIGTERM)
    _, err = program.communicate(timeout=DEADLINE)
    assert program.returncode == 143, err
    assert "springline: stopped; go on with `springline resume run`." in err
    assert "has ended" not in err
    assert not place.exists()
    until("all processes gone", lambda: all(gone(w["pid"]) for w in [*status["workers"], status["center"]]))
    state = RunFolder(tmp_path / "run").load_checkpoint()["engine"]
    assert state.resolved == sum(Tally(*t).made + Tally(*t).lost for t in state.tallies) >= status["updates"]


def test_a_simulated_run(tmp_path):
    """The same stop and exit code; the other commands share the place where it is made."""
    job = ("--workers", "2", "--batch-size", "4", "--rounds", "1000000", "--eval-every", "1000000")
    program = command("train", "logistic:dim=50", *job, "--out", "run", cwd=tmp_path)
    metrics = tmp_path / "run" / "metrics.jsonl"
    until("some rounds", lambda: program.poll() is not None or (metrics.exists() and metrics.stat().st_size))
    program.send_signal(signal.SIGTERM)
    _, err = program.communicate(timeout=DEADLINE)
    assert program.returncode == 143, err
    assert "springline: stopped; go on with `springline resume run`." in err
