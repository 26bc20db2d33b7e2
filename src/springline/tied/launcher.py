"""The workers of `springline launch`: processes that run the script, each under its number."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from springline.engines.device import one_gpu
from springline.engines.local.crew import PATIENCE
from springline.engines.local.zygote import die_with_parent
from springline.engines.real.words import TRIES
from springline.errors import RunError, UsageError
from springline.tied.host import Host
from springline.tied.local import RUN, WORKER, WORKERS

LEAVE = 30.0  # seconds that workers have to hand in their last exchange

Say = Callable[[str], None]


@dataclass
class Child:
    """A worker's process. code: how it ended; tries: starts in a row without an exchange between them."""

    i: int
    pid: int = 0
    pidfd: int = -1
    code: int | None = None
    tries: int = 0
    progress: int = -1
    failures: list[str] = field(default_factory=list)


class Launcher:
    """Starts N processes of a script, and the host of their center is in this one.

    restart: start a worker again that has failed. say: called with a line about what happens.
    """

    def __init__(self, host: Host, script: list[str], *, restart: bool, say: Say) -> None:
        self.host, self.script, self.restart, self.say = host, script, restart, say
        self.children: dict[int, Child] = {}
        self.late = self.ending = False  # those that are late have been named; everybody is asked to leave
        self.began = time.monotonic()
        self.gpus = torch.cuda.device_count()
        host.starter = self.start

    def run(self) -> None:
        """Until all workers have ended. Raises RunError if some of them failed, or too few were left for as long as
        there is patience; UsageError if none ever stepped.
        """
        for i in range(self.host.workers):
            self.start(i)
        while any(child.code is None for child in self.children.values()):
            self.host.turn()
            self.name_the_late()
            if self.host.stopping:
                raise KeyboardInterrupt
            if self.host.pauses.short > self.host.engine.patience:
                self.give_up()
        self.host.write(ended=True)
        self.judge()

    def start(self, i: int) -> None:
        child = self.children.setdefault(i, Child(i))
        child.code = None
        self.host.awaited(i)
        parent = os.getpid()
        child.pid = os.fork()
        if child.pid == 0:
            self.be(i, parent)
        child.pidfd = os.pidfd_open(child.pid)
        self.host.watch(child.pidfd, lambda: self.ended(child))

    def be(self, i: int, parent: int) -> None:
        """What a forked process does: become the script."""
        try:
            os.setsid()  # a Ctrl-C is ours alone; we ask the workers to leave
            die_with_parent(parent)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.execve(self.script[0], self.script, self.environment(i))
        finally:
            os._exit(127)

    def environment(self, i: int) -> dict[str, str]:
        n = self.host.workers
        env = dict(os.environ)
        env[RUN], env[WORKER], env[WORKERS] = str(self.host.folder.path.absolute()), str(i), str(n)
        env.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // n)))
        return env | one_gpu(i, self.gpus)

    def ended(self, child: Child) -> None:
        self.host.forget(child.pidfd)
        os.close(child.pidfd)
        _, status = os.waitpid(child.pid, 0)
        child.code, child.pid, child.pidfd = os.waitstatus_to_exitcode(status), 0, -1
        self.host.missed(child.i)
        if child.code == 0 or self.ending:
            return
        how = f"signal {signal.Signals(-child.code).name}" if child.code < 0 else f"exit code {child.code}"
        child.failures.append(how)
        if not self.restart:
            left = sum(c.code is None for c in self.children.values())
            go_on = f"the other {left} go on" if left > 1 else "the other one goes on" if left else "nobody is left"
            self.say(f"worker {child.i} ended with {how}; {go_on}")
            return
        last = self.host.tallies.last(child.i) if self.host.book is not None and child.i < len(self.host.crew) else 0
        child.tries = child.tries + 1 if last == child.progress else 1
        child.progress = last
        if child.tries > TRIES:
            self.say(f"worker {child.i} ended {TRIES} times in a row before its next exchange; it is given up")
            return
        self.say(f"worker {child.i} ended with {how}; it is started again")
        self.start(child.i)

    def name_the_late(self) -> None:
        """A start that takes long says what it waits for."""
        if not self.late and time.monotonic() - self.began > PATIENCE:
            self.late = True
            there = {m.i for m in self.host.crew if m.began}
            late = [i for i, child in self.children.items() if child.code is None and i not in there]
            if late:
                names = ", ".join(map(str, late))
                self.say(f"after {PATIENCE:.0f} s, worker {names} has not called springline.tie yet; waiting for it")

    def judge(self) -> None:
        """What the ends of the workers amount to."""
        failed = [c for c in self.children.values() if c.code]
        if failed:
            how = "; ".join(f"worker {c.i} by {c.failures[-1]}" for c in failed)
            rest = "" if self.restart else "; --restart starts such workers again"
            raise RunError(f"{len(failed)} of {len(self.children)} workers failed: {how}{rest}.")
        host, script = self.host, Path(self.script[-1 if len(self.script) == 2 else 1]).name
        if not host.came:
            raise UsageError(
                f"{script} ended without calling springline.tie, so every worker did the same work; "
                "tie the model, and call line.step() after each optimizer.step()."
            )
        if not any(host.ground.vitals(m.i)["steps"] for m in host.crew):
            raise UsageError(f"{script} never called line.step(); call it after each optimizer.step().")

    def give_up(self) -> None:
        """Too many workers have left for good, and nobody has joined: write down what there is. Raises RunError."""
        host, left = self.host, self.host.left
        self.dismiss()
        host.write(ended=False)
        raise RunError(
            f"only {left} of at least {host.engine.min_workers} workers are left after {host.resolved} exchanges; go "
            f"on with `springline launch --resume --out {host.folder.path} …`, or wait longer by --patience."
        )

    def dismiss(self) -> None:
        """Let the workers hand in their last exchange, and end those that take too long."""
        self.ending = True
        self.host.stop()
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + LEAVE
        try:
            while any(c.code is None for c in self.children.values()) and time.monotonic() < deadline:
                self.host.turn()
        finally:
            self.kill()

    def kill(self) -> None:
        """End those that are still there."""
        self.ending = True
        self.signal(signal.SIGKILL)
        for child in self.children.values():
            if child.pidfd >= 0:
                self.ended(child)

    def signal(self, number: signal.Signals) -> None:
        for child in self.children.values():
            if child.pidfd >= 0:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(child.pidfd, number)
