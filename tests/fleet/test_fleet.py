"""Runs in processes of their own: what happens when one of them is killed."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import springline
from springline.comparison import prepare
from springline.fleet import run_all

TASK = "logistic:dim=50"
WORLD: dict[str, Any] = {"workers": 2, "rounds": 3000, "batch_size": 4, "eval_every": 1000, "faults": ["drop:0.3"]}


def test_a_killed_process_costs_one_run_which_then_goes_on(tmp_path: Path, hands: list[subprocess.Popen[str]]) -> None:
    plans = prepare(TASK, ["easgd", "eamsgd"], seeds=1, **WORLD).plans(tmp_path)

    def kill_the_first(i: int, news: dict[str, Any]) -> None:
        if i == 0 and "round" in news:
            hands[0].send_signal(signal.SIGKILL)

    first, second = run_all(plans, jobs=1, watch=kill_the_first)
    assert first.error is not None
    assert first.error.startswith("its process was killed by signal 9")
    assert second.error is None
    assert len(hands) == 2

    news: list[tuple[int, dict[str, Any]]] = []
    again = run_all(plans, jobs=1, watch=lambda i, what: news.append((i, what)))
    assert [end.error for end in again] == [None, None]
    assert news[0] == (1, {"ended": None}), "a finished run is only said to be there"
    assert len(hands) == 3
    assert all(hand.poll() is not None for hand in hands), "a process was left behind"
    config = plans[0].config
    alone = springline.train(TASK, "easgd", **WORLD)
    assert config.threads == 1
    loaded = springline.Run.load(plans[0].folder)
    assert all(loaded.center[name].equal(value) for name, value in alone.center.items())
