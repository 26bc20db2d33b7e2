"""Ctrl-C is heard between two things that happen in a run."""

from __future__ import annotations

import json
import signal

import pytest

import springline
from springline.engines.local.supervisor import Supervisor
from springline.engines.real.interrupts import Interrupts
from springline.folder import RunFolder

from .support import task


def test_at_the_end_of_what_is_being_done_and_the_second_at_once():
    before, done = signal.getsignal(signal.SIGINT), []

    def once():
        signal.raise_signal(signal.SIGINT)
        done.append("whole")

    def twice():
        once()
        once()

    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            interrupts.finish(once)
        assert done == ["whole"]
        with pytest.raises(KeyboardInterrupt):
            interrupts.finish(twice)
        assert done == ["whole"] * 2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        interrupts.finish(lambda: None)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_that_came_later_stays():
    before, other = signal.getsignal(signal.SIGINT), lambda *_: None
    try:
        with Interrupts():
            signal.signal(signal.SIGINT, other)
        assert signal.getsignal(signal.SIGINT) is other
    finally:
        signal.signal(signal.SIGINT, before)


def test_no_row_is_lost(tmp_path, monkeypatch):
    """It comes while a row with a copy of the center is being recorded: the row is written, the copy given back."""
    records, hit = Supervisor.record, []

    def record(self, packet):
        if packet["copied"] and not hit:
            hit.append(packet["row"])
            signal.raise_signal(signal.SIGINT)
        records(self, packet)

    monkeypatch.setattr(Supervisor, "record", record)
    options = {"workers": 2, "batch_size": 16, "eval_every": 20, "out": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        springline.train(task(), "easgd", engine="local", rounds=10**6, **options)
    saved = RunFolder(tmp_path).load_checkpoint()
    rows = (tmp_path / "metrics.jsonl").read_bytes()[: saved["metrics_bytes"]].splitlines()
    assert [json.loads(row)["round"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == saved["engine"].resolved // 2 >= hit[0]
