"""What is seen of runs from outside: one that has ended, one that goes on, its workers frozen, killed and joined."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from local.support import Watched, stop, task, until
from rich.console import Console

import springline
from springline import UsageError
from springline.watching import Watcher
from springline.watching.lines import line, table

LIGHT = """
import sys
from springline.cli.exits import run
code = run(sys.argv[1:])
assert "torch" not in sys.modules, "whoever looks has waited for torch"
sys.exit(code)
"""


def command(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What it says; it imports no torch for that, which takes longer than all else."""
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS")}
    return subprocess.run(
        [sys.executable, "-c", LIGHT, *args],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def shown(view: dict) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table(view))
    return captured.get()


def test_a_run_that_has_ended(tmp_path):
    """A simulated one: what its folder says, as a table, a line and JSON."""
    run = springline.train(
        task(), "easgd", workers=2, rounds=4, batch_size=16, out=tmp_path / "run", faults=["drop:0.5"]
    )
    done = command("status", "run", "--json", cwd=tmp_path)
    view = json.loads(done.stdout)
    assert (view["state"], view["round"], view["rounds"], view["method"]) == ("ended", 4, 4, "easgd")
    last = run.rows[-1]
    assert (view["center"]["made"], view["center"]["lost"]) == (last["exchanges_made"], last["exchanges_lost"])
    assert [w["distance"] for w in view["workers"]] == last["workers"]["distance"]
    text = shown(Watcher(tmp_path / "run").look())
    assert "easgd on points, ended, round 4 of 4" in text
    watched = command("watch", "run", cwd=tmp_path)
    assert watched.returncode == 0
    assert watched.stdout.count("\n") == 1
    assert "workers: 2 ended" in watched.stdout


def test_an_interrupted_run_has_stopped(tmp_path):
    def interrupt(row):
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        springline.train(task(), "easgd", workers=2, rounds=4, batch_size=16, out=tmp_path, progress=interrupt)
    assert Watcher(tmp_path).look()["state"] == "stopped"


def test_a_running_simulation(tmp_path):
    """It cannot be asked, but its folder is held, and its rows are there."""
    seen = []

    def look(row):
        seen.append(Watcher(tmp_path).look())

    springline.train(task(), "easgd", workers=2, rounds=2, batch_size=16, out=tmp_path, progress=look)
    assert [(view["state"], view["round"]) for view in seen] == [("running", 1), ("running", 2)]


def test_no_run(tmp_path):
    with pytest.raises(UsageError, match="holds no run"):
        Watcher(tmp_path)
    for name, *args in (("status",), ("watch",), ("join",), ("launch", "-n", "2")):
        done = command(name, *args, str(tmp_path / "nothing"), cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith("springline: ")
        assert done.stderr.count("\n") == 1


def test_a_run_of_processes(tmp_path):
    """Speeds, then a frozen worker that falls silent, a killed one that is started again, and one that joins."""
    run = Watched(tmp_path, workers=2, rounds=10**6, eval_every=10**6, tau=2)
    try:
        run.when("everybody exchanges", lambda s: all(w["made"] > 0 for w in s["workers"]))
        watcher = Watcher(tmp_path)
        view = watcher.look()
        assert (view["state"], view["engine"]) == ("running", "local")
        assert view["center"]["exchanges_per_s"] > 0
        assert 0 <= view["center"]["load"] < 2
        assert all(w["steps_per_s"] > 0 and w["loss"] > 0 and w["h1"] == 0.1 for w in view["workers"])

        frozen, killed = (w["pid"] for w in view["workers"])
        os.kill(frozen, signal.SIGSTOP)
        until("silence", lambda: watcher.look()["workers"][0]["silent"])
        view = watcher.look()
        assert "silent for" in shown(view)
        assert "1 silent" in line(view)
        os.kill(frozen, signal.SIGCONT)
        until("it is heard again", lambda: watcher.look()["workers"][0]["silent"] is None)

        os.kill(killed, signal.SIGKILL)
        until("a restart", lambda: watcher.look()["workers"][1]["restarts"] == 1)
        assert json.loads(command("status", str(tmp_path), "--json", cwd=tmp_path).stdout)["state"] == "running"
        joined = command("join", str(tmp_path), cwd=tmp_path)
        assert joined.stdout.startswith("worker 2 joins the run in "), joined.stderr
        until(
            "a third worker", lambda: len(watcher.look()["workers"]) == 3 and watcher.look()["workers"][2]["made"] > 0
        )
    finally:
        stop(tmp_path)
        run.join(30)
