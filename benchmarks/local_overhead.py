"""What exchanging costs real workers: MNIST network, τ = 4, four of them, against four processes that never exchange.

    python benchmarks/local_overhead.py [--seconds 8] [--turns 3]

The three kinds take turns. Steps are counted per second of the clock, and per second of processor time of everything
that takes part (workers, center, supervisor): on a machine that is busy with other things as well only the second says
something. exchange: h1 = h2 = 0.1 and the pull lands at once; overlap: a period later. Goals: 0.95, and 0.98
with overlap. Ends with one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from _running import BATCH, TAU, WORKERS, Running

import springline
from springline import METHODS
from springline.engines.job import Job
from springline.engines.worker import Replica


def alone(job: Job, seconds: float) -> dict[str, float]:
    """Four processes that train and never exchange."""
    read, write = os.pipe()
    begin = time.monotonic() + 1.0  # when everybody has built its model
    for i in range(WORKERS):
        if os.fork() == 0:
            torch.set_num_threads(1)
            replica = Replica(job)
            me = replica.train(replica.start(i), TAU)
            time.sleep(max(0.0, begin - time.monotonic()))
            done, used = me.steps, time.process_time()
            while time.monotonic() < begin + seconds:
                me = replica.train(me, TAU)
            os.write(write, f"{me.steps - done} {time.process_time() - used}\n".encode())
            os._exit(0)
    for _ in range(WORKERS):
        os.wait()
    os.close(write)
    with os.fdopen(read) as file:
        lines = [line.split() for line in file]
    steps, used = sum(int(a) for a, _ in lines), sum(float(b) for _, b in lines)
    return {"wall": steps / seconds, "cpu": steps / used}


def processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def speed(run: Running, seconds: float) -> dict[str, float]:
    """Steps of all workers per second of the clock, and of processor time of all who take part."""
    samples = []
    for wait in (seconds, 0.0):
        status = run.status()
        pids = [status["center"]["pid"], *(w["pid"] for w in status["workers"])]
        used = sum(map(processor, pids)) + time.process_time()
        samples.append((sum(w["steps"] for w in status["workers"]), used, time.monotonic()))
        time.sleep(wait)
    (a, used_a, then), (b, used_b, now) = samples
    return {"wall": (b - a) / (now - then), "cpu": (b - a) / (used_b - used_a)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = springline.load_task("mnist", say=lambda line: print(line, file=sys.stderr))
    job = Job(task, METHODS["easgd"], workers=WORKERS, tau=TAU, batch_size=BATCH)
    ratios: dict[str, list[float]] = {}
    for _ in range(options.turns):
        base = alone(job, options.seconds)
        for name, knobs in (("exchange", {}), ("overlap", {"pull_after": "tau"})):
            with tempfile.TemporaryDirectory() as folder:
                run = Running(Path(folder) / "run", task, **knobs)
                made = speed(run, options.seconds)
                run.stop()
            for clock in ("wall", "cpu"):
                ratios.setdefault(f"{name}_{clock}", []).append(made[clock] / base[clock])
        print({name: [round(r, 3) for r in found] for name, found in ratios.items()}, file=sys.stderr)
    print(json.dumps({name: round(median(found), 3) for name, found in ratios.items()}))


if __name__ == "__main__":
    main()
