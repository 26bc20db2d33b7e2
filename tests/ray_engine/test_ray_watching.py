"""What is seen of a run of engine ray from outside, while it runs."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from springline.engines.ray import Ray
from springline.watching import Watcher
from springline.watching.lines import line

from .support import DEADLINE, Watched, ask, until

LONG = 10**6  # rounds that nobody waits for
BUSY = {"computing", "exchanging", "waiting"}


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_run_is_watched(hands, tmp_path):
    """States and speeds between two exchanges too, as another machine reads them as well; then a worker that falls
    silent, and one that dies.
    """
    run = Watched(tmp_path, Ray(), method="geahes-o", rounds=LONG, eval_every=LONG, tau=2)
    run.when("everybody exchanges", lambda s: all(w["made"] > 0 and w["age"] > 0 for w in s["workers"]))
    watcher = Watcher(tmp_path)
    watcher.look()
    seen = set()

    def computing() -> bool:
        seen.update(w["state"] for w in view()["workers"])
        return "computing" in seen

    def view() -> dict:
        return watcher.look()

    until("somebody computes", computing)
    assert seen <= BUSY

    def in_motion() -> dict | None:
        """What is seen is what has happened since the last look, which may be between two exchanges."""
        found = view()
        return found if found["center"]["exchanges_per_s"] and all(w["steps_per_s"] for w in found["workers"]) else None

    now = until("speeds", in_motion)
    assert (now["state"], now["engine"]) == ("running", "ray")
    assert now["center"]["state"] == "up"
    assert (now["center"]["refused"], now["center"]["repeated"]) == (0, 0)
    for w in now["workers"]:
        assert 0 < w["steps_per_s"] < 200  # a step takes 5 ms
        assert w["silent"] is None
        assert w["exchanged"] < 5
        assert None not in (w["lag"], w["distance"], w["h1"], w["h2"], w["loss"])

    there = tmp_path / "there"
    there.mkdir()
    (there / "config.json").write_bytes((tmp_path / "config.json").read_bytes())

    def told_of_both() -> dict[str, Any] | None:
        said = text(tmp_path / "status.json")
        found: dict[str, Any] | None = json.loads(said) if said else None
        return found if found and all(w["made"] > 0 for w in found["workers"]) else None

    told = until("what others read", told_of_both)
    (there / "status.json").write_text(json.dumps(told | {"host": "another"}))
    seen_there = Watcher(there).look()
    assert seen_there["state"] == "running"
    assert [w["made"] > 0 for w in seen_there["workers"]] == [True, True]

    silent, killed = (w["pid"] for w in now["workers"])
    os.kill(silent, signal.SIGSTOP)
    until("silence", lambda: view()["workers"][0]["silent"])
    until("it stands", lambda: view()["workers"][0]["steps_per_s"] == 0)
    os.kill(silent, signal.SIGCONT)
    until("it is heard again", lambda: view()["workers"][0]["silent"] is None)
    os.kill(killed, signal.SIGKILL)
    until("it is missed", lambda: view()["workers"][1]["state"] == "restarting")
    assert "restarting" in line(view())
    ask(tmp_path, "stop")
    run.join(DEADLINE)
    assert not (tmp_path / "status.json").exists()
