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
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from _running import WORKERS, Running

import springline


def steps(run: Running) -> tuple[int, float]:
    """Local steps so far, and when."""
    return sum(w["steps"] for w in run.status()["workers"]), time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="of all phases with kills together")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--phases", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = springline.load_task("mnist", say=lambda line: print(line, file=sys.stderr))
    kills: list[dict[str, float]] = []
    made, possible, living = 0, 0.0, 0.0
    per_phase = max(1, round(options.seconds / options.every / options.phases))
    with tempfile.TemporaryDirectory() as folder:
        run = Running(Path(folder) / "run", task)

        def quiet() -> float:
            """Steps per second while nobody is killed."""
            (a, then) = steps(run)
            time.sleep(options.every)
            (b, now) = steps(run)
            return (b - a) / (now - then)

        before = quiet()
        for phase in range(options.phases):
            (a, then), away = steps(run), 0.0
            for _ in range(per_phase):
                due = time.monotonic() + options.every
                kill = run.kill(len(kills) % WORKERS)
                kills.append(kill)
                away += kill["step"]
                time.sleep(max(0.0, due - time.monotonic()))
            (b, now), after = steps(run), quiet()
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
