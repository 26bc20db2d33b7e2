"""A worker killed every 10 seconds for two minutes: what it costs a run of engine `local`, and how soon it is replaced.

    python benchmarks/kills.py [--seconds 120] [--every 10] [--phases 3]

MNIST network, τ = 4, four workers. Phases without failures and phases in which a worker, each in its turn, gets SIGKILL
take turns in one run, so that what else the machine does meets both alike. made_of_possible: local steps made in the
phases with kills, of those that the workers would have made at the pace of the quiet phases had they all lived;
made_of_living: of those that could be made while they lived, which leaves out from the death of a worker to its
replacement's first step. seen_s: from SIGKILL until the supervisor knows; back_s: to the replacement's first exchange.
Goals: made_of_living ≥ 0.90, seen_s ≤ 2. Ends with one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

import springline
from springline.engines.local.control import ask
from springline.errors import RunError, UsageError

WORKERS, TAU, BATCH = 4, 4, 64
LOOK = 0.02  # seconds between two looks: a status costs the run a fraction of a millisecond


class Run:
    """A run of engine `local` in a thread, for as long as it is looked at."""

    def __init__(self, folder: Path, task: Any) -> None:
        self.folder = folder
        self.thread = threading.Thread(target=self._live, args=(task,), daemon=True)
        self.thread.start()
        self.when(lambda s: all(w["made"] > 20 for w in s["workers"]))

    def _live(self, task: Any) -> None:
        options: dict[str, Any] = {"workers": WORKERS, "tau": TAU, "rounds": 10**7, "eval_every": 10**7}
        try:
            springline.train(task, "easgd", engine="local", out=self.folder, batch_size=BATCH, **options)
        except KeyboardInterrupt:
            return

    def when(self, holds: Any) -> dict[str, Any]:
        while self.thread.is_alive():
            try:
                status = ask(self.folder, "status")
            except (UsageError, RunError):
                status = None
            if status and holds(status):
                return status
            time.sleep(LOOK)
        raise SystemExit("the run ended too early")

    def steps(self) -> tuple[int, float]:
        """Local steps so far, and when."""
        status = ask(self.folder, "status")
        return sum(w["steps"] for w in status["workers"]), time.monotonic()

    def kill(self, i: int) -> dict[str, float]:
        """SIGKILL for worker i: seconds until it is seen, until its successor's first step and first exchange."""
        worker = ask(self.folder, "status")["workers"][i]
        begin = time.monotonic()
        os.kill(worker["pid"], signal.SIGKILL)
        found = {}
        for name, holds in (
            ("seen", lambda w: w["pid"] != worker["pid"]),
            ("step", lambda w: w["restarts"] > worker["restarts"] and w["state"] in ("computing", "exchanging")),
        ):
            self.when(lambda s, holds=holds: holds(s["workers"][i]))
            found[name] = time.monotonic() - begin
        made = ask(self.folder, "status")["workers"][i]["made"]
        self.when(lambda s: s["workers"][i]["made"] > made)
        return found | {"back": time.monotonic() - begin}

    def stop(self) -> None:
        ask(self.folder, "stop")
        self.thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="of all phases with kills together")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--phases", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = springline.load_task("mnist", say=lambda line: print(line, file=sys.stderr))
    kills, made, possible, living = [], 0, 0.0, 0.0
    per_phase = max(1, round(options.seconds / options.every / options.phases))
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run", task)

        def quiet() -> float:
            """Steps per second while nobody is killed."""
            (a, then) = run.steps()
            time.sleep(options.every)
            (b, now) = run.steps()
            return (b - a) / (now - then)

        before = quiet()
        for phase in range(options.phases):
            (a, then), away = run.steps(), 0.0
            for _ in range(per_phase):
                due = time.monotonic() + options.every
                kill = run.kill(len(kills) % WORKERS)
                kills.append(kill)
                away += kill["step"]
                time.sleep(max(0.0, due - time.monotonic()))
            (b, now), after = run.steps(), 0.0
            after = quiet()
            pace = (before + after) / 2
            made += b - a
            possible += pace * (now - then)
            living += pace * (now - then - away / WORKERS)
            before = after
            print(f"phase {phase + 1}: {(b - a) / (pace * (now - then)):.3f} of {pace:.0f} steps/s", file=sys.stderr)
        run.stop()
    seen, back = [k["seen"] for k in kills], [k["back"] for k in kills]
    result = {
        "kills": len(kills),
        "made_of_possible": round(made / possible, 3),
        "made_of_living": round(made / living, 3),
        "seen_s": {"median": round(median(seen), 3), "max": round(max(seen), 3)},
        "back_s": {"median": round(median(back), 3), "max": round(max(back), 3)},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
