"""What exchanging costs real workers: MNIST network, τ = 4, four of them, against four processes that never exchange.

    python benchmarks/local_overhead.py [--seconds 1.5] [--turns 9] [--starts 5]

All kinds are there from the beginning, and frozen but for the one whose turn it is: a turn is a short window of
each, forwards and backwards by turns, so that a machine that is faster in one minute than in the next favours nobody.
Steps are counted per second of the clock, and per second of processor time of everything that takes part (workers,
center, supervisor): on a machine that is busy with other things as well only the second says something. exchange:
h1 = h2 = 0.1 and the pull lands at once; overlap: a period later. bare: each worker moves a center that all of them
map, and itself, with nothing that orders, checks, counts or survives anything, so that what is left is memory. Goals:
0.95, and 0.98 with overlap. All of that is started several times, because where a process finds its memory makes it a
percent faster or slower for as long as it lives. Ends with one JSON object: the mean over the starts of each ratio, and
its standard error.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, stdev
from typing import Protocol

import torch
from _running import BATCH, TAU, WORKERS, Running

import springline
from springline import METHODS
from springline.engines.job import Job
from springline.engines.local.zygote import die_with_parent
from springline.engines.worker import Replica, WorkerState

H = 0.1  # h1 = h2, as easgd has them
SETTLE = 0.2  # seconds after a thaw that are not counted


class Kind(Protocol):
    """pids: everything that takes part; steps: of all workers, so far."""

    pids: list[int]

    def steps(self) -> int: ...


class Alone:
    """Four processes that train and never exchange."""

    def __init__(self, job: Job) -> None:
        self.counts = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
        self.pids, self.parent = [], os.getpid()
        for i in range(WORKERS):
            pid = os.fork()
            if pid == 0:
                try:
                    self.be(job, i)
                finally:
                    os._exit(1)
            self.pids.append(pid)
        while not all(self.counts[:WORKERS]):
            if os.waitpid(-1, os.WNOHANG)[0]:
                raise SystemExit("a process that trains alone has ended; see the messages above")
            time.sleep(0.05)

    def be(self, job: Job, i: int) -> None:
        die_with_parent(self.parent)
        torch.set_num_threads(1)
        replica = Replica(job)
        me = replica.train(replica.start(i), TAU)
        while True:
            me = self.exchanged(replica.train(me, TAU))
            self.counts[i] = me.steps

    def exchanged(self, me: WorkerState) -> WorkerState:
        return me

    def steps(self) -> int:
        return sum(self.counts[:WORKERS])

    def end(self) -> None:
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class Bare(Alone):
    """Four processes on one center in shared memory, each as if it were alone with it."""

    def __init__(self, job: Job) -> None:
        x0, _ = Replica(job).layout.read()
        self.center = torch.frombuffer(mmap.mmap(-1, x0.nbytes), dtype=x0.dtype).copy_(x0)
        super().__init__(job)

    def exchanged(self, me: WorkerState) -> WorkerState:
        d = me.x - self.center
        self.center.add_(d, alpha=H)
        return me._replace(x=me.x.add_(d, alpha=-H))


class Tied:
    """Four workers of a run, its center, and its supervisor, which is a thread of this process."""

    def __init__(self, run: Running) -> None:
        self.run, status = run, run.status()
        self.pids = [status["center"]["pid"], *(w["pid"] for w in status["workers"])]

    def steps(self) -> int:
        return sum(w["steps"] for w in self.run.status()["workers"])


def processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tell(kind: Kind, number: signal.Signals) -> None:
    for pid in kind.pids:
        os.kill(pid, number)


def speed(kind: Kind, seconds: float) -> dict[str, float]:
    """Steps of all workers per second of the clock, and of processor time of all who take part, in one window."""
    tell(kind, signal.SIGCONT)
    time.sleep(SETTLE)
    samples = []
    for wait in (seconds, 0.0):
        used = sum(map(processor, kind.pids)) + (time.process_time() if isinstance(kind, Tied) else 0.0)
        samples.append((kind.steps(), used, time.monotonic()))
        time.sleep(wait)
    tell(kind, signal.SIGSTOP)
    (a, used_a, then), (b, used_b, now) = samples
    return {"wall": (b - a) / (now - then), "cpu": (b - a) / (used_b - used_a)}


@contextmanager
def kinds(task: springline.Task) -> Iterator[dict[str, Kind]]:
    """All of them, frozen."""
    job = Job(task, METHODS["easgd"], workers=WORKERS, tau=TAU, batch_size=BATCH)
    found: dict[str, Kind] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for make in (Alone, Bare):
                found[make.__name__.lower()] = make(job)
                tell(found[make.__name__.lower()], signal.SIGSTOP)
            for name, knobs in (("exchange", {}), ("overlap", {"pull_after": "tau"})):
                found[name] = Tied(Running(Path(folder) / name, task, **knobs))
                tell(found[name], signal.SIGSTOP)
            yield found
        finally:
            for kind in found.values():
                tell(kind, signal.SIGCONT)
                if isinstance(kind, Tied):
                    kind.run.stop()
                elif isinstance(kind, Alone):
                    kind.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="of a window")
    parser.add_argument("--turns", type=int, default=9, help="of each start")
    parser.add_argument("--starts", type=int, default=5, help="at least 2")
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = springline.load_task("mnist", say=lambda line: print(line, file=sys.stderr))
    starts = []
    for _ in range(options.starts):
        starts.append(ratios(task, options.seconds, options.turns))
        print({name: round(ratio, 3) for name, ratio in starts[-1].items()}, file=sys.stderr)
    found = {}
    for name in starts[0]:
        each = [ratio[name] for ratio in starts]
        found[name], found[f"{name}_error"] = round(mean(each), 3), round(stdev(each) / len(each) ** 0.5, 3)
    print(json.dumps(found))


def ratios(task: springline.Task, seconds: float, turns: int) -> dict[str, float]:
    """Of each kind's speed to that of those who are alone, by both clocks: the mean over the turns of one start."""
    each: dict[str, list[float]] = {}
    with kinds(task) as all_of_them:
        order = list(all_of_them)
        for _ in range(turns):
            made = {name: speed(all_of_them[name], seconds) for name in order}
            order.reverse()
            for name in ("bare", "exchange", "overlap"):
                for clock in ("wall", "cpu"):
                    each.setdefault(f"{name}_{clock}", []).append(made[name][clock] / made["alone"][clock])
    return {name: mean(r) for name, r in each.items()}


if __name__ == "__main__":
    main()
