"""Workers that nobody wanted to end, that do not come up, and that are missed: what is said, and what is not."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from torch import nn

import springline
from springline.engines.local import Local, nursery
from springline.engines.real import pauses
from springline.engines.real.words import TRIES

from .support import Watched, cross_entropy, ends_for_want_of_workers, live, net, stop, task

LONG = 10**6


def everybody(status) -> bool:
    return all(w["made"] > 0 for w in status["workers"])


def slowly(model, batch):
    time.sleep(1.0)
    return cross_entropy(model, batch)


def test_what_the_scenario_kills_has_not_failed(tmp_path, caplog):
    """However often it dies before its first exchange; and nothing is said of that."""
    whole = springline.Task("slow", model=net, loss_fn=slowly, train=task().train)
    run = Watched(tmp_path, task=whole, workers=2, rounds=LONG, faults=["crash:mtbf=0.2s,down=0.02s,worker=0"])
    before = run.when("the other works", lambda s: s["workers"][1]["made"] > 0)["workers"][0]["restarts"]
    run.when("many deaths", lambda s: s["workers"][0]["restarts"] > before + 2 * TRIES)
    stop(tmp_path)
    assert "is started again" not in caplog.text


def test_a_death_that_nobody_wanted(tmp_path, caplog):
    """It is said; what the dead one was writing is removed."""
    run = Watched(tmp_path, workers=2, rounds=LONG)
    worker = run.when("everybody works", everybody)["workers"][0]
    torn = Path(live(tmp_path)["place"]) / f".state-0.{worker['pid']}.tmp"
    torn.touch()
    os.kill(worker["pid"], signal.SIGKILL)
    works = ("computing", "exchanging", "waiting")  # which is shown of a life that has said that it is up
    run.when("it works again", lambda s: s["workers"][0]["restarts"] and s["workers"][0]["state"] in works)
    assert not torn.exists()
    stop(tmp_path)
    run.join()
    said = [r.getMessage() for r in caplog.records if r.name == "springline.local"]
    assert said == ["worker 0 has ended (signal 9) and is started again."]


def test_too_few_are_left(tmp_path, caplog, monkeypatch):
    """It is said that the run waits, and it ends when nobody has joined."""
    monkeypatch.setattr(pauses, "LONG", 0.5)
    springline.train(task(), "easgd", engine="local", workers=1, rounds=1, batch_size=16)  # what takes long is there
    run = Watched(tmp_path, workers=3, rounds=LONG, engine=Local(min_workers=2, patience=12))
    for worker in run.when("everybody works", everybody)["workers"][1:]:
        os.kill(worker["pid"], signal.SIGTERM)
    ends_for_want_of_workers(run, lambda: caplog.text)


class Sticky(nn.Linear):
    """Which cannot be built in a worker any more, once a file is there."""

    def __init__(self, hangs: str) -> None:
        super().__init__(8, 3)
        while nursery.inside and os.path.exists(hangs):
            time.sleep(0.05)


class Build:
    def __init__(self, hangs: Path) -> None:
        self.hangs = str(hangs)

    def __call__(self) -> nn.Module:
        return Sticky(self.hangs)


def test_a_start_that_takes_too_long(tmp_path):
    """The sentence is about this start, and not about the life before it."""
    springline.train(task(), "easgd", engine="local", workers=1, rounds=1, batch_size=16)  # what takes long is there
    whole, hangs = task(Build(tmp_path / "hangs")), tmp_path / "hangs"
    run = Watched(tmp_path / "run", task=whole, workers=2, rounds=LONG, engine=Local(patience=10))
    worker = run.when("everybody works", everybody)["workers"][0]
    hangs.touch()
    os.kill(worker["pid"], signal.SIGKILL)
    with pytest.raises(springline.RunError, match="worker 0 has not started within 10 s; it is building its model: "):
        run.result()


def test_the_data_are_held_once(tmp_path):
    """No frame of the calling thread holds the pickled data for as long as the run."""
    run = Watched(tmp_path, workers=2, rounds=LONG)
    run.when("everybody works", everybody)
    frame, found = sys._current_frames()[run.ident], []
    while frame is not None:
        found += [len(v) for v in frame.f_locals.values() if isinstance(v, bytes)]
        frame = frame.f_back
    stop(tmp_path)
    assert max(found, default=0) < 4 * 240 * 8  # bytes of the points


def test_a_folder_that_cannot_be_written(tmp_path):
    """Nothing of the run is left behind."""
    (tmp_path / "live.json").mkdir()
    run = Watched(tmp_path, workers=2, rounds=2, overwrite=True)
    with pytest.raises(OSError, match=r"live\.json"):
        run.result()
    assert not [t for t in threading.enumerate() if t.name == "springline-scribe"]
