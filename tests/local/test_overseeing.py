"""What whoever has the center's process keeps count of: pauses, and copies of the center that are lent."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from springline.engines.local import Local
from springline.engines.local.crew import Process
from springline.engines.local.overseer import Overseer
from springline.engines.local.plan import SPARE
from springline.engines.real import pauses
from springline.engines.real.boss import away
from springline.engines.real.pauses import LONG, Pauses
from springline.engines.real.words import TRIES
from springline.errors import RunError


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(pauses, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_pauses_add_up_and_are_named_once(clock):
    found = Pauses()
    found.turn(True)
    clock.now += LONG
    assert not found.to_be_named()
    clock.now += 1
    found.turn(True)
    assert (found.present, found.total, found.short) == (LONG + 1, LONG + 1, 0)
    assert [found.to_be_named(), found.to_be_named()] == [True, False]
    found.turn(False)
    clock.now += 50
    assert (found.present, found.total, found.since) == (0, LONG + 1, None)
    found.turn(True)
    clock.now += 2 * LONG
    assert found.total == 3 * LONG + 1
    assert found.to_be_named()


def test_patience_begins_when_somebody_has_left_for_good(clock):
    """And not when the pause began, in which they may only have been waited for."""
    found = Pauses()
    found.turn(True)
    clock.now += 500
    found.turn(True, short=True)
    clock.now += 3
    found.turn(True, short=True)
    assert found.short == 3
    found.turn(True)
    assert found.short == 0


def test_who_comes_back_is_not_missing():
    members = [
        SimpleNamespace(state=s, down=d) for s, d in (("dying", True), ("up", True), ("gone", True), ("up", False))
    ]
    assert away(members) == 1


class Watching(Overseer):
    """An overseer that writes down which rows it has heard."""

    def __init__(self) -> None:
        super().__init__(Local(), Process("the center", "center", {}))
        self.ground = SimpleNamespace(words=[0] * 16, scalars={})
        self.rows: list[tuple[int, int]] = []

    def said(self, process, packet):
        self.center_says(packet)

    def record(self, packet):
        self.rows.append((packet["row"], self.lent))


def test_a_copy_is_given_back_by_its_number():
    boss = Watching()
    words = boss.ground.words
    words[SPARE] = 5
    boss.center_says({"row": 1, "copied": 5})
    assert (boss.rows, boss.lent) == ([(1, 5)], 5)
    words[SPARE] = 6  # it was given back, and the center has made another one since
    boss.release(5)
    assert (words[SPARE], boss.lent) == (6, 0)
    boss.center_says({"up": "center", "lent": 5})  # said before that
    assert words[SPARE] == 6
    boss.center_says({"up": "center", "lent": 6})  # whose maker died before it could say so
    assert words[SPARE] == 0
    words[SPARE] = 7
    boss.center_says({"row": 1, "copied": 7})  # told once more, by a successor
    assert (words[SPARE], boss.rows) == (0, [(1, 5)])
    words[SPARE] = 8
    boss.center_says({"copied": 8})
    boss.center_says({"up": "center", "lent": 8})  # which is being looked at
    assert (words[SPARE], boss.lent, boss.copying) == (8, 8, "made")


def test_starts_are_counted_until_one_leads_somewhere():
    process = Process("worker 3", "worker", {})
    for _ in range(TRIES):
        process.count_start(7)
    process.count_start(8)
    assert (process.tries, process.restarts) == (1, 0)
    process.began = 1.0
    for k in range(TRIES - 1):
        process.why = "signal 9"
        process.count_start(8)
        assert process.restarts == k + 1
    with pytest.raises(RunError, match=rf"worker 3 ended {TRIES} times in a row before its next exchange \(signal 9\)"):
        process.count_start(8)
