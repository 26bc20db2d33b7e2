"""The scenario, carried out on processes: killed, stopped, slowed, cut off."""

from __future__ import annotations

import os
import signal
import time

import pytest

from springline.folder import RunFolder

from .support import DEADLINE, Watched, state_of, stop, until

LONG = 10**6


def everybody(status) -> bool:
    return all(w["made"] > 0 for w in status["workers"])


@pytest.mark.parametrize("rejoin", ["stale", "initial", "center"])
def test_crash_by_script(tmp_path, rejoin):
    """Killed for three rounds, each a lost attempt, and back with the weights that were asked for."""
    faults = [f"script:crash,worker=1,round=5,rounds=3,rejoin={rejoin}"]
    run = Watched(tmp_path, workers=2, rounds=LONG, faults=faults)
    status = run.when("it is back", lambda s: s["workers"][1]["made"] > 10)
    assert [w["restarts"] for w in status["workers"]] == [0, 1]
    assert [w["lost"] for w in status["workers"]] == [0, 3]
    stop(tmp_path)


def test_crashes_in_seconds(tmp_path):
    run = Watched(tmp_path, workers=3, rounds=LONG, faults=["crash:mtbf=0.5s,down=0.2s"])
    run.when("each has died twice", lambda s: all(w["restarts"] >= 2 for w in s["workers"]))
    made = sum(w["made"] for w in run.status()["workers"])
    run.when("they go on", lambda s: sum(w["made"] for w in s["workers"]) > made)
    stop(tmp_path)


def test_outage_stops_the_process_and_nobody_else(tmp_path):
    """A frozen worker holds up nobody, and goes on as it was."""
    run = Watched(tmp_path, workers=3, rounds=LONG, faults=["outage:up=1s,down=1s,worker=1"])
    status = run.when("it is frozen", lambda s: s["workers"][1]["state"] == "frozen" and s["workers"][1]["lost"])
    pid, made = status["workers"][1]["pid"], status["workers"][0]["made"]
    until("it stands still", lambda: state_of(pid) == "T")
    status = run.when("others go on", lambda s: s["workers"][0]["made"] > made + 20)
    status = run.when("it goes on", lambda s, n=status["workers"][1]["made"]: s["workers"][1]["made"] > n)
    assert status["workers"][1]["pid"] == pid
    assert status["workers"][1]["restarts"] == 0
    stop(tmp_path)


def test_cut_off_but_computing(tmp_path):
    run = Watched(tmp_path, workers=2, rounds=LONG, faults=["script:outage,worker=0,round=5,rounds=10,compute=true"])
    run.when("it is back", lambda s: s["workers"][0]["made"] > 20)
    stop(tmp_path)
    run.join(DEADLINE)
    last = RunFolder(tmp_path).read_metrics()[-1]["workers"]
    assert last["lost"] == [10, 0]
    assert last["steps"][0] >= last["made"][0] + 10


def test_slow(tmp_path):
    """Eight times as slow: a step takes longer, and fast workers do more."""
    last = Watched(tmp_path, workers=2, rounds=1000, faults=["slow:8,worker=0"]).result().rows[-1]["workers"]
    slow, fast = (seconds / steps for seconds, steps in zip(last["computing"], last["steps"], strict=True))
    assert slow > 2 * fast
    assert last["steps"][1] > last["steps"][0]


def test_center_crash(tmp_path):
    """The center dies and comes back as it was; nothing is lost."""
    run = Watched(tmp_path, workers=2, rounds=LONG, faults=["center-crash:mtbf=0.3s,down=0.1s"])
    run.when("three deaths", lambda s: s["center"]["restarts"] >= 3)
    made = run.when("the center is up", lambda s: s["center"]["state"] == "up")["updates"]
    run.when("it serves", lambda s: s["updates"] > made)
    assert all(w["lost"] == 0 for w in run.status()["workers"])
    stop(tmp_path)


def test_center_crash_in_rounds(tmp_path):
    """Rounds do not go by without the center, so it is restarted at once, and the run ends; nothing is lost."""
    last = Watched(tmp_path, workers=2, rounds=2000, faults=["center-crash:mtbf=200,down=100"]).result().rows[-1]
    assert last["center_restarts"] >= 2
    assert last["exchanges_made"] == 4000


def test_a_worker_that_sends_nonsense(tmp_path):
    """Refused, counted and named; after three in a row it starts again from the center, which never had any of it."""
    run = Watched(tmp_path, workers=2, rounds=2000, faults=["corrupt:nan,rate=1,worker=1"])
    last = run.result().rows[-1]
    assert last["workers"]["made"][1] == 0
    assert last["exchanges_refused"] == last["workers"]["lost"][1] > 3
    assert last["train_loss"] < 1.0
    assert last["workers"]["lost"][0] == 0


def test_death_is_seen_at_once(tmp_path):
    run = Watched(tmp_path, workers=2, rounds=LONG)
    worker = run.when("everybody works", everybody)["workers"][0]
    killed = time.monotonic()
    os.kill(worker["pid"], signal.SIGKILL)
    until("it is seen", lambda: (s := run.status()) and s["workers"][0]["pid"] != worker["pid"])
    assert time.monotonic() - killed < 10  # the benchmarks say how long
    run.when("its first exchange", lambda s: s["workers"][0]["made"] > worker["made"])
    stop(tmp_path)
