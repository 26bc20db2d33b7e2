"""Killed, interrupted, gone on with: the end is the same, byte for byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .support import SMALL, TASK, Done, environment, finish, rows, springline, start, wait_for, without_clock

ROUNDS = 1000
WORLD = ("--fault", "drop:0.3", "--fault", "crash:mtbf=20,down=5,rejoin=initial")
JOB = ("train", TASK, "--method", "deahes-o", "--rounds", str(ROUNDS), *SMALL, *WORLD, "--checkpoint-every", "0")
KEYS = [
    "test_accuracy", "test_loss", "train_loss", "rounds", "exchanges_made", "exchanges_lost", "wall_s", "run_dir",
]  # fmt: skip

pytestmark = pytest.mark.xdist_group("interrupted")  # the whole run is made once


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as it would have been; also what --json and a piped run look like."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = springline(*JOB, "--out", "run", "--json", cwd=folder)
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 1
    result = json.loads(done.out)
    assert list(result) == KEYS
    assert (result["rounds"], result["run_dir"]) == (ROUNDS, "run")
    assert result["exchanges_made"] + result["exchanges_lost"] == 2 * ROUNDS
    progress = [line for line in done.err.splitlines() if line.startswith("round ")]
    assert 5 <= len(progress) <= 12
    assert progress[-1].startswith(f"round {ROUNDS}/{ROUNDS}  accuracy ")
    return folder / "run"


def test_killed_and_interrupted_runs_end_with_the_same_bytes(
    uninterrupted: Path, tmp_path: Path, told: Callable[..., Done]
) -> None:
    run = tmp_path / "run"
    process = start(*JOB, "--out", "run", cwd=tmp_path)
    wait_for(lambda: len(rows(run)) >= 5, process)
    process.send_signal(signal.SIGKILL)
    assert finish(process).code == -signal.SIGKILL
    assert not (run / "summary.json").exists()
    assert len(rows(run)) < ROUNDS

    before = len(rows(run))
    process = start("resume", "run", "--checkpoint-every", "0", cwd=tmp_path)
    wait_for(lambda: len(rows(run)) >= before + 20, process)
    process.send_signal(signal.SIGINT)
    stopped = finish(process)
    assert stopped.code == 130
    assert stopped.sentence == "stopped; go on with `springline resume run`."

    done = springline("resume", "run", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert list(json.loads(done.out)) == KEYS
    assert (run / "center.safetensors").read_bytes() == (uninterrupted / "center.safetensors").read_bytes()
    assert without_clock(run) == without_clock(uninterrupted)
    assert not list(run.glob(".*.tmp"))

    again = told("resume", "run")
    assert again.code == 0
    assert "run had ended already" in again.out


def test_a_truncated_or_edited_checkpoint_is_refused(
    uninterrupted: Path, tmp_path: Path, told: Callable[..., Done]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.json", "metrics.jsonl", "checkpoint.safetensors"):  # as if it had not ended
        (run / name).write_bytes((uninterrupted / name).read_bytes())
    whole = (run / "checkpoint.safetensors").read_bytes()
    flipped = bytearray(whole)
    flipped[-7] ^= 1
    for damaged in (whole[: len(whole) // 2], bytes(flipped), b""):
        (run / "checkpoint.safetensors").write_bytes(damaged)
        done = told("resume", "run")
        assert done.code == 1
        assert "is not a whole checkpoint" in done.sentence
        assert "--overwrite" in done.sentence
        assert (run / "metrics.jsonl").read_bytes() == (uninterrupted / "metrics.jsonl").read_bytes()
    (run / "checkpoint.safetensors").write_bytes(whole)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"seed": 7}))
    done = told("resume", "run")
    assert done.code == 1
    assert "seed 0 → 7" in done.sentence


def test_two_processes_do_not_write_to_one_run(tmp_path: Path, told: Callable[..., Done]) -> None:
    process = start(*JOB, "--rounds", "100000", "--out", "run", cwd=tmp_path)
    wait_for(lambda: len(rows(tmp_path / "run")) >= 1, process)
    for args in (("resume", "run"), (*JOB, "--out", "run", "--overwrite")):
        done = told(*args)
        assert done.code == 2
        assert "another process is at work" in done.sentence
    process.kill()
    assert finish(process).code == -signal.SIGKILL


def test_a_terminal_shows_a_bar(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "springline", "train", "mnist", "--rounds", "2", *SMALL]
    env = environment(TERM="xterm-256color", COLUMNS="100")
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # how Linux says that the other side has closed
        pass
    os.close(ours)
    assert process.wait(60) == 0, shown.decode()
    text = shown.decode()
    assert "\x1b[" in text
    assert "2/2" in text
    assert "lost 0 of 4" in text
    assert (tmp_path / "runs" / "mnist-geahes-o-1" / "summary.json").exists()
