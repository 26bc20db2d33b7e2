"""A worker's process of engine `local`."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from springline.checkpoint import load_state, save_state
from springline.engines.job import Job
from springline.engines.local.client import Interrupted, Line
from springline.engines.local.plan import Plan
from springline.engines.local.tickets import Tickets
from springline.engines.real import wire
from springline.engines.real.heap import keep_vectors
from springline.engines.real.words import LONGER
from springline.engines.real.worker import RealWorker, Stopped
from springline.engines.worker import WorkerState
from springline.errors import RunError, UsageError

NAP = 0.005  # seconds between two looks at how far the rounds of a worker are that is down

T = TypeVar("T")


def state_path(place: Path, i: int) -> Path:
    return place / f"state-{i}"


class WorkerProcess(RealWorker):
    """boss: the supervisor, who says when to stop or leave."""

    def __init__(self, plan: Plan, job: Job, place: Path, spec: dict[str, Any], boss: socket.socket) -> None:
        self.spec, self.boss, self.zero = spec, boss, spec["zero"]
        self.ear = select.poll()
        self.ear.register(boss, select.POLLIN)
        self.line = Line(plan, place, spec["worker"], boss, spec["patience"], LONGER)
        super().__init__(spec["worker"], job, self.line, self.line.box.vitals, Tickets(place).draw)
        self.kept = state_path(place, self.i)
        for torn in place.glob(f".{self.kept.name}.*.tmp"):  # an earlier life was killed while it wrote
            torn.unlink(missing_ok=True)
        signal.signal(signal.SIGTERM, self.asked_to_leave)

    def asked_to_leave(self, *_: object) -> None:
        self.leaving = True

    def run(self) -> None:
        self.board.enter("starting")
        self.waiting(self.line.connect)
        self.live(self.spec["rejoin"])

    def begin(self, how: str | None) -> WorkerState:
        """And say that it is up."""
        me = super().begin(how)
        wire.send(self.boss, {"up": self.i})
        return me

    def recall(self) -> WorkerState | None:
        if not self.kept.exists():
            return None
        me = load_state(self.kept, self.device)
        assert isinstance(me, WorkerState)
        return me

    def keep(self) -> None:
        if self.spec["keep"]:
            save_state(self.kept, self.me)

    def leave(self) -> None:
        self.board.enter("leaving")
        wire.send(self.boss, {"left": self.i})

    def rest(self) -> None:
        self.ear.poll(NAP * 1000)

    def waiting(self, ask: Callable[[], T]) -> T:
        while True:
            try:
                return ask()
            except Interrupted:  # the supervisor has something to say meanwhile
                self.listen()

    def listen(self) -> None:
        if self.ear.poll(0):
            packet = wire.receive(self.boss)
            if packet is None or "stop" in packet:
                raise Stopped
            if "leave" in packet:
                self.leaving = True

    def own(self, t: Tensor) -> Tensor:
        return self.line.box.own(t, self.device)


def main(plan: Plan, job: Job, place: Path, spec: dict[str, Any], boss: socket.socket) -> int:
    torch.set_num_threads(spec["threads"])
    keep_vectors(plan.vector)
    device = torch.device(spec["device"])
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)  # what names no GPU, as seeds do not, means this one
    if spec["device"] != job.device:
        job = replace(job, device=spec["device"])
    job = job.of_worker(spec["worker"])
    try:
        WorkerProcess(plan, job, place, spec, boss).run()
    except Stopped:
        return 0
    except (RunError, UsageError) as error:
        wire.send(boss, {"failed": type(error).__name__, "why": str(error)})
        return 1
    return 0
