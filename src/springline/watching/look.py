"""A run as it is now: asked of the run itself where it can be asked, else read from its folder.

state      running, ended, or stopped (it neither runs nor has a result)
speeds     differences of two looks, so the first look at a running run takes a moment
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from springline.config import RunConfig
from springline.engines.real.ask import ask
from springline.engines.real.place import STATUS
from springline.errors import RunError, UsageError
from springline.files import RunFiles

if TYPE_CHECKING:
    from springline.engines.base import Row

View = dict[str, Any]
Counts = dict[str, tuple[float, float]]  # of something that grows: when it was looked at, and how much it was

MOMENT = 0.5  # seconds between the two looks that a speed needs
LEAST = 1e-3  # seconds between two looks of which a speed is made
OLD = 10.0  # seconds after which a run that has written nothing is no more, if clocks agree to within some of them
LATE = 1.0  # seconds after which what a worker has said is not of now
PER_WORKER = ("distance", "score", "h1", "h2", "made", "lost", "lag", "steps", "restarts", "loss")


class Watcher:
    """Looks at the run in a folder again and again. Raises UsageError if there is none."""

    def __init__(self, folder: Path | str) -> None:
        self.files = RunFiles(folder)
        self._before: Counts | None = None
        if not self.files.config.exists() and self._asked() is None:
            self.files.read_config()  # says what is wrong

    def look(self) -> View:
        """The run as a JSON value: run, method, state, round, rounds, seconds, waits, center, workers."""
        told = self._asked()
        if told is not None:
            if self._before is None:
                self._note(told)
                time.sleep(MOMENT)
                told = self._asked() or told
            view = self._live(told)
        else:
            view = self._from_folder()
        return self._named(view)

    def _asked(self) -> dict[str, Any] | None:
        """What the run says; None if it cannot be asked."""
        try:
            return ask(self.files.path, "status")
        except (UsageError, RunError):
            return self._told()

    def _told(self) -> dict[str, Any] | None:
        """What a run on another machine has just written down, where the folder is shared with that."""
        try:
            told: dict[str, Any] = json.loads((self.files.path / STATUS).read_text())
        except (OSError, ValueError):
            return None
        if told["host"] == socket.gethostname() or time.time() - told["at"] > OLD:
            return None
        return told | {"center": told["center"] | {"pid": None}}

    def _named(self, view: View) -> View:
        names: dict[str, Any] = {"run": str(self.files.path)}
        if self.files.config.exists():
            config = RunConfig.read(self.files.read_config(), str(self.files.config))
            names |= {"task": config.task, "method": config.method, "engine": config.engine, "tau": config.tau}
            if config.engine == "tie":  # the script decides when it is over
                view["rounds"] = None
        return names | view

    # -- a run that answers

    def _live(self, told: dict[str, Any]) -> View:
        speeds = self._note(told)
        workers = told["workers"]
        for w in workers:
            w["steps_per_s"] = speeds.get(f"steps {w['worker']}", w["steps_per_s"])
            w["silent"] = w["silent"] if _is_silent(w) else None
        return told | {
            "state": "running",
            "center": told["center"]
            | {"exchanges_per_s": speeds.get("resolved"), "load": speeds.get("cpu")}
            | {name: sum(w[name] for w in workers) for name in ("made", "lost", "refused", "repeated")},
        }

    def _note(self, told: dict[str, Any]) -> dict[str, float]:
        """Remember what grows, and say how fast it has grown since the last look."""
        now = time.monotonic()
        counts: Counts = {  # a worker elsewhere has said it some time ago; one that says nothing has stopped
            f"steps {w['worker']}": (now - min(w["age"], LATE), float(w["steps"])) for w in told["workers"]
        }
        counts["resolved"] = now, float(sum(w["made"] + w["lost"] for w in told["workers"]))
        if told["center"]["pid"] is not None:
            counts[f"cpu {told['center']['pid']}"] = now, _cpu_seconds(told["center"]["pid"])
        before, self._before = self._before or {}, counts
        speeds = {
            name: round((count - before[name][1]) / (when - before[name][0]), 3)
            for name, (when, count) in counts.items()
            if name in before and when - before[name][0] > LEAST
        }
        return {k.split()[0] if k.startswith("cpu") else k: v for k, v in speeds.items()}

    # -- a run that does not

    def _from_folder(self) -> View:
        config = RunConfig.read(self.files.read_config(), str(self.files.config))
        rows = self.files.read_metrics()
        ended = self.files.read_summary() is not None
        state = "ended" if ended else "running" if _held(self.files.path / ".lock") else "stopped"
        last = rows[-1] if rows else {}
        return {
            "state": state,
            "round": last.get("round", 0),
            "rounds": config.rounds,
            "seconds": last.get("wall_s", 0.0),
            "test_accuracy": next((r["test_accuracy"] for r in reversed(rows) if "test_accuracy" in r), None),
            "waits": None,
            "center": {
                "state": "up" if state == "running" else "gone",
                "restarts": last.get("center_restarts", 0),
                "exchanges_per_s": _speed(rows, lambda r: r["exchanges_made"] + r["exchanges_lost"]),
                "load": None,
            }
            | {name: last.get(f"exchanges_{name}", 0) for name in ("made", "lost", "refused", "repeated")},
            "workers": [_worker(rows, i, state) for i in range(len(last.get("workers", {}).get("made", ())))],
        }


def _worker(rows: list[Row], i: int, state: str) -> dict[str, Any]:
    columns = rows[-1]["workers"]
    found = {name: columns[name][i] if i < len(columns.get(name, ())) else None for name in PER_WORKER}
    steps = _speed([r for r in rows if i < len(r["workers"].get("steps", ()))], lambda r: r["workers"]["steps"][i])
    said = {"worker": i, "state": "–" if state == "running" else state, "silent": None, "exchanged": None}
    return said | {"steps_per_s": steps, "refused": None, "repeated": None} | found


def _speed(rows: list[Row], count: Any) -> float | None:
    """Per second of the wall clock, over the run so far; None where too little is known."""
    if not rows or not rows[-1].get("wall_s"):
        return None
    return round(float(count(rows[-1])) / float(rows[-1]["wall_s"]), 3)


def _is_silent(w: dict[str, Any]) -> bool:
    """Whether a worker has not been heard of for longer than its rounds take."""
    if w["silent"] is None or w["state"] in ("gone", "dead", "starting", "restarting"):
        return False
    rounds = w["rounds"] or 1
    usual = w["steps"] / rounds / w["steps_per_s"] if w["steps_per_s"] else 0.0
    return bool(w["silent"] > max(2.0, 5 * usual))


def _cpu_seconds(pid: int) -> float:
    """What a process has computed so far; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _held(lock: Path) -> bool:
    """Whether somebody holds a lock, seen from outside: to try it would be in a starting run's way."""
    try:
        inode = lock.stat().st_ino
        return any(
            line.split()[5].rpartition(":")[2] == str(inode) for line in Path("/proc/locks").read_text().splitlines()
        )
    except (OSError, IndexError):
        return False
