"""Workers that join and leave, too few of them, and runs that are stopped or killed and go on later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import springline
from springline import UsageError
from springline.engines.local import Local
from springline.engines.real.ask import ask, join
from springline.engines.real.place import alive, sweep
from springline.folder import RunFolder

from .support import DEADLINE, Watched, gone, live, state_of, stop, task, until

LONG = 10**6  # rounds that nobody waits for


def everybody(status) -> bool:
    return all(w["made"] > 0 for w in status["workers"])


@pytest.mark.parametrize("method", ["easgd", "dana-zero"])
def test_joins(tmp_path, method):
    """Workers that join, two at once here, start from the center and exchange; the center has a row for each."""
    run = Watched(tmp_path, method=method, workers=2, rounds=LONG, eval_every=LONG)
    run.when("everybody works", everybody)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(join, [tmp_path] * 2)) == [2, 3]
    status = run.when("they work", lambda s: len(s["workers"]) == 4 and everybody(s))
    assert [w["refused"] for w in status["workers"][2:]] == [0, 0]
    stop(tmp_path)
    run.join(DEADLINE)
    center = RunFolder(tmp_path).load_checkpoint()["engine"].center
    assert all(len(rows) == 4 for rows in center.rows.values())
    assert center.scalars["workers"] == 4


def test_no_room(tmp_path):
    run = Watched(tmp_path, workers=2, rounds=LONG, engine=Local(max_workers=2))
    run.when("everybody works", everybody)
    with pytest.raises(UsageError, match="room for 2 workers; start it with a larger max_workers"):
        join(tmp_path)
    stop(tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"workers": 2, "batch_size": 100}, "worker 2 cannot join, .*: batch_size=100 is larger than the 80 samples"),
        ({"workers": 1, "method": "msgd"}, "worker 1 cannot join, .*: workers=2: msgd is sequential"),
    ],
)
def test_a_join_is_checked_as_a_run_is(tmp_path, options, sentence):
    run = Watched(tmp_path, rounds=LONG, eval_every=LONG, **options)
    before = run.when("everybody works", everybody)["updates"]
    with pytest.raises(UsageError, match=sentence):
        join(tmp_path)
    run.when("it goes on", lambda s: s["updates"] > before + 100)
    stop(tmp_path)


def test_leaves(tmp_path):
    """SIGTERM: a worker hands in its last exchange and leaves, and is not missed."""
    run = Watched(tmp_path, workers=3, rounds=2000)
    worker = run.when("everybody works", everybody)["workers"][1]
    os.kill(worker["pid"], signal.SIGTERM)
    left = run.when("it has left", lambda s: s["workers"][1]["state"] == "gone")["workers"][1]
    last = run.result().rows[-1]
    assert last["workers"]["restarts"] == [0, 0, 0]
    assert last["workers"]["made"][1] == left["made"] >= worker["made"]
    assert last["workers"]["steps"][1] == left["made"]  # every step was handed in


@pytest.mark.parametrize("method", ["ssgd", "sync-easgd"])
def test_rounds_go_on_without_those_who_left(tmp_path, method):
    """A synchronous round is over when all have answered who are there; none takes longer than the one before."""
    run = Watched(tmp_path, method=method, workers=3, rounds=LONG, eval_every=LONG)
    worker = run.when("everybody works", everybody)["workers"][1]
    os.kill(worker["pid"], signal.SIGTERM)
    made = run.when("it has left", lambda s: s["workers"][1]["state"] == "gone")["workers"][0]["made"]
    run.when("the others go on", lambda s: s["workers"][0]["made"] > made + 100)
    stop(tmp_path)


@pytest.mark.parametrize("method", ["ssgd", "sync-easgd"])
def test_rounds_go_on_without_one_who_is_silent(tmp_path, method):
    """Nobody knows that it stands still: each round waits for it, and none longer than the one before."""
    run = Watched(tmp_path, method=method, workers=3, rounds=LONG, eval_every=LONG)
    worker = run.when("everybody works", everybody)["workers"][1]
    os.kill(worker["pid"], signal.SIGSTOP)
    until("it stands still", lambda: state_of(worker["pid"]) == "T")
    made = run.status()["workers"][0]["made"]
    run.when("the others go on", lambda s: s["workers"][0]["made"] > made + 20)
    os.kill(worker["pid"], signal.SIGCONT)
    made = run.status()["workers"][1]["made"]
    run.when("it is in the rounds again", lambda s: s["workers"][1]["made"] > made + 1)
    stop(tmp_path)


def test_waits_for_enough_workers(tmp_path):
    """Below min_workers nobody exchanges, and the run says so."""
    run = Watched(tmp_path, workers=2, rounds=LONG, engine=Local(min_workers=2))
    worker = run.when("everybody works", everybody)["workers"][0]
    os.kill(worker["pid"], signal.SIGTERM)
    status = run.when("the run waits", lambda s: s["waits"])
    assert status["waits"] == "1 of at least 2 workers are alive"
    run.when("the other waits", lambda s: s["workers"][1]["state"] == "waiting")
    seen: list[int] = []
    run.when(
        "nothing more is served", lambda s: seen.append(s["updates"]) or (len(seen) > 20 and seen[-20] == seen[-1])
    )
    join(tmp_path)
    run.when("the newcomer works", lambda s: len(s["workers"]) == 3 and s["workers"][2]["made"] > 0)
    stop(tmp_path)


def test_everybody_leaves(tmp_path):
    run = Watched(tmp_path, workers=2, rounds=LONG)
    for worker in run.when("everybody works", everybody)["workers"]:
        os.kill(worker["pid"], signal.SIGTERM)
    with pytest.raises(springline.RunError, match=r"all workers have left after .* rounds; go on with"):
        run.result()


SCRIPT = """
import sys
import torch
import springline
from tests.local.support import task

torch.set_num_threads(1)  # which a resumed run takes over

if __name__ == "__main__":
    springline.train(task(), "easgd", engine="local", workers=2, rounds=int(sys.argv[2]), batch_size=16,
                     eval_every=50, out=sys.argv[1], checkpoint_every=0.0)
"""


def started(folder: Path, rounds: int) -> tuple[subprocess.Popen[bytes], dict]:
    """A run in a program of its own, when it has made a checkpoint in which everybody has worked."""
    script = folder.parent / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    program = subprocess.Popen([sys.executable, str(script), str(folder), str(rounds)], env=environment)

    def kept() -> bool:
        assert program.poll() is None, f"the run ended with {program.returncode}"
        return (folder / "checkpoint.safetensors").exists() and all(RunFolder(folder).load_checkpoint()["engine"].steps)

    until("a checkpoint in which everybody has worked", kept)
    return program, ask(folder, "status")


def test_interrupted(tmp_path):
    """SIGINT: a last checkpoint, nothing left behind, and the run goes on from there."""
    program, status = started(tmp_path / "run", LONG)
    place = Path(live(tmp_path / "run")["place"])
    with pytest.raises(UsageError, match="another process is at work"):
        springline.resume(tmp_path / "run", task=task())
    program.send_signal(signal.SIGINT)
    assert program.wait(DEADLINE) != 0
    assert not place.exists()
    until("all processes gone", lambda: all(gone(w["pid"]) for w in [*status["workers"], status["center"]]))
    state = RunFolder(tmp_path / "run").load_checkpoint()["engine"]
    assert state.resolved == sum(tally[1] + tally[2] for tally in state.tallies) >= status["updates"]


def test_killed_and_resumed(tmp_path):
    """SIGKILL of the supervisor: its processes die too, its memory is found, the run ends from the last checkpoint."""
    program, status = started(tmp_path / "run", 3000)
    place = Path(live(tmp_path / "run")["place"])
    os.kill(status["workers"][0]["pid"], signal.SIGSTOP)  # even those that stand still
    until("it stands still", lambda: state_of(status["workers"][0]["pid"]) in "T")
    program.kill()
    program.wait(DEADLINE)
    until("all processes gone", lambda: all(gone(w["pid"]) for w in [*status["workers"], status["center"]]))
    assert not alive(place)
    sweep()  # as anything does that starts on this machine, which may be at it just now
    until("its memory is given back", lambda: not place.exists())
    before = RunFolder(tmp_path / "run").load_checkpoint()["engine"]
    run = springline.resume(tmp_path / "run", task=task())
    assert [row["round"] for row in run.rows] == list(range(1, 3001))
    assert run.rows[-1]["exchanges_made"] == 6000 > before.resolved > 0
    assert run.rows[-1]["workers"]["steps"][0] >= before.steps[0] > 0
    assert run.test_accuracy > 0.9


def test_not_running(tmp_path):
    with pytest.raises(UsageError, match="no run is going on in"):
        ask(tmp_path, "status")
