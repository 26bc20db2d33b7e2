"""What is asked of a running run: answers of any size, and requests that cannot be met; the run goes on."""

from __future__ import annotations

import pytest

from springline import UsageError
from springline.engines.local import ground
from springline.engines.local.memory import reserve
from springline.engines.real import control
from springline.engines.real.ask import ask, join

from .support import Watched, stop

LONG = 10**6


def everybody(status) -> bool:
    return all(w["made"] > 0 for w in status["workers"])


def test_an_answer_of_any_size(tmp_path, monkeypatch):
    """A thousand workers are more than a packet holds, and more than a socket does."""
    status = control.status
    run = Watched(tmp_path, workers=2, rounds=LONG, eval_every=LONG)
    before = run.when("everybody works", everybody)["updates"]
    monkeypatch.setattr(control, "status", lambda boss: (s := status(boss)) | {"workers": s["workers"] * 500})
    assert [w["worker"] for w in ask(tmp_path, "status")["workers"]] == [0, 1] * 500
    run.when("it goes on", lambda s: s["updates"] > before + 100)
    stop(tmp_path)


def test_a_request_that_fails_is_the_askers(tmp_path, monkeypatch):
    run = Watched(tmp_path, workers=2, rounds=LONG, eval_every=LONG)
    before = run.when("everybody works", everybody)["updates"]
    with monkeypatch.context() as patch:
        patch.setattr(control, "status", lambda boss: {"a set": {1}})  # which JSON has not
        with pytest.raises(UsageError, match=r"could not carry out 'status' \(TypeError: .*\); it goes on"):
            ask(tmp_path, "status")
    with pytest.raises(UsageError, match="'dance' is no request; there are status, join and stop"):
        ask(tmp_path, "dance")
    run.when("it goes on", lambda s: s["updates"] > before + 100)
    stop(tmp_path)


def test_no_memory_for_one_who_joins(tmp_path, monkeypatch):
    """Whoever asks is told so; with memory the next one joins."""
    run = Watched(tmp_path, workers=2, rounds=LONG, eval_every=LONG)
    run.when("everybody works", everybody)
    with monkeypatch.context() as patch:
        patch.setattr(ground, "make_box", lambda plan, place, i: reserve(place / f"too-large-{i}", 1 << 50))
        with pytest.raises(UsageError, match=r"no shared memory is left for .* MiB"):
            join(tmp_path)
    assert join(tmp_path) == 2
    run.when("the third works", lambda s: len(s["workers"]) == 3 and everybody(s))
    stop(tmp_path)
