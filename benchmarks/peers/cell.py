"""One cell of the table: start a peer, hurt it as the scenario says, watch it reach the target, stop it, judge it.

The driver looks at one snapshot a second, on a fifteenth of the test set, to know when to stop; all snapshots are
judged on the whole test set afterwards, so that evaluating costs every peer the same and next to nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from judge import Judge
from launch import commands, environment

from springline.engines.real.place import sweep

STARTING = 120.0  # seconds in which the first step must have been made


def busy(seconds: float = 1.0) -> float:
    """How many cores others keep busy now."""
    samples = []
    for _ in range(2):
        ticks = [int(t) for t in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        samples.append(sum(ticks) - ticks[3] - ticks[4])  # all but idle and waiting for disks
        time.sleep(seconds * (len(samples) < 2))
    return round((samples[1] - samples[0]) / os.sysconf("SC_CLK_TCK") / seconds, 2)


class Cell:
    """folder: an empty one, on a RAM file system if there is one; what: as in cell.json."""

    def __init__(self, folder: Path, what: dict[str, Any], judge: Judge) -> None:
        self.folder, self.what, self.judge = folder, what, judge
        (folder / "cell.json").write_text(json.dumps(what))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.killed: tuple[int, float] | None = None

    def run(self) -> dict[str, Any]:
        """The row of the results."""
        self.busy = busy()
        began = time.monotonic()
        try:
            with (self.folder / "log").open("wb") as log:
                for command in commands(self.what["peer"], self.folder, self.what["workers"]):
                    variables = environment(self.what["peer"], self.folder)
                    self.processes.append(
                        subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)
                    )
            why = self.watch(began)
            now = time.monotonic()
        finally:
            self.end()
        return self.judged(began, now, why)

    # -- while it runs

    def marks(self) -> list[dict[str, Any]]:
        return [json.loads(p.read_text()) for p in self.folder.glob("begin-*.json")]

    def watch(self, began: float) -> str:
        """Until the target is reached or will not be. Returns why not, or nothing."""
        looked = 0.0
        while True:
            time.sleep(0.02)
            now = time.monotonic()
            if any(process.poll() is not None for process in self.processes):
                return "it ended by itself"
            marks = self.marks()
            if not marks:
                if now - began > STARTING:
                    return f"no step within {STARTING:.0f} s"
                continue
            start = min(mark["time"] for mark in marks)
            if self.what["kill_after"] and self.killed is None and now - start >= self.what["kill_after"]:
                self.kill(marks)
            if now - looked >= 1.0:
                looked = now
                if (newest := max(self.folder.glob("snap-*.npy"), default=None)) and self.judge.there(newest):
                    return ""
            if now - start > self.what["timeout"]:
                return f"not within {self.what['timeout']:.0f} s"

    def kill(self, marks: list[dict[str, Any]]) -> None:
        """SIGKILL to the process of worker 1, or to the second one where they do not say who they are."""
        victims = [m["pid"] for m in marks if m["rank"] == 1] or sorted(m["pid"] for m in marks)[1:2]
        if victims:
            os.kill(victims[0], signal.SIGKILL)
            self.killed = victims[0], time.monotonic()

    def end(self) -> None:
        """Nothing of it is left: the launchers first, who would start workers again."""
        for process in self.processes:
            process.terminate()
        deadline = time.monotonic() + 5
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            process.kill()
            process.wait()
        for mark in self.marks():
            command = Path(f"/proc/{mark['pid']}/cmdline")
            with contextlib.suppress(OSError):  # it is gone, as it should be
                if str(self.folder).encode() in command.read_bytes():
                    os.kill(mark["pid"], signal.SIGKILL)
        sweep()  # the shared memory of springline's run

    # -- what came out

    def judged(self, began: float, now: float, why: str) -> dict[str, Any]:
        marks = self.marks()
        row: dict[str, Any] = {k: self.what[k] for k in ("peer", "scenario", "seed", "lr")}
        row["busy_before"] = self.busy
        if not marks:
            return row | {"seconds": None, "why": why or "no step", "log": self.log()}
        start = min(mark["time"] for mark in marks)
        row["startup_s"] = round(start - began, 2)
        found = self.judge.first(self.folder, start)
        row |= found or {"seconds": None, "why": why, "best": self.judge.best, "log": self.log()}
        if self.killed is not None:
            row["killed_at_s"] = round(self.killed[1] - start, 2)
            back = [m["time"] for m in marks if m["time"] > self.killed[1] and m["rank"] in (1, None)]
            row["back_after_s"] = round(min(back) - self.killed[1], 2) if back else None
            row["gap_s"] = self.gap(self.killed[1])
        row["steps_per_s"] = self.speed(now, start)
        return row

    def snapshots(self) -> list[tuple[float, float]]:
        """(moment, local steps per worker) of each."""
        names = sorted(self.folder.glob("steps-*"))
        return [(int(p.name.partition("-")[2]) / 1e9, float(p.read_text())) for p in names]

    def speed(self, now: float, start: float) -> float | None:
        found = self.snapshots()
        return round(found[-1][1] / (found[-1][0] - start), 1) if found else None

    def gap(self, killed: float) -> float | None:
        """Seconds from the kill to the first snapshot with more steps than the last one before it: nothing new."""
        found = self.snapshots()
        before = max((steps for moment, steps in found if moment <= killed), default=0.0)
        later = [moment for moment, steps in found if moment > killed and steps > before]
        return round(later[0] - killed, 2) if later else None

    def log(self) -> str:
        """Its beginning and its end, where the reasons are."""
        text = (self.folder / "log").read_text(errors="replace").replace(str(self.folder), "CELL")
        return text if len(text) < 2400 else f"{text[:1600]} … {text[-800:]}"
