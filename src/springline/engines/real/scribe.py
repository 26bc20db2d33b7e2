"""A thread that writes what happens: it evaluates copies of the center while the workers go on."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from springline.couplings.base import Center
from springline.engines.base import Row, Sink
from springline.engines.evaluator import Evaluator
from springline.engines.job import Job

LULL = 0.2  # seconds for which rows come together, so that they cost the workers a fraction of their time

MANY = 50  # rows that come together at most: the next copy of the center has to wait for them


class Scribe:
    """All news go to the sink from this thread, in order. error: what went wrong there, if anything did."""

    def __init__(self, job: Job, sink: Sink) -> None:
        self.job, self.sink = job, sink
        self.error: BaseException | None = None
        self._evaluator: Evaluator | None = None
        self._queue: deque[Callable[[], None]] = deque()
        self._soon = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._live, name="springline-scribe", daemon=True)
        self._thread.start()

    def row(
        self,
        row: Callable[[], Row],
        center: Center | None,
        judge: bool,
        state: Callable[[], Any] | None,
        done: Callable[[], None],
    ) -> None:
        """Write a row. center, state: those of this round, where there is a copy, which somebody may wait for; done:
        nobody looks at it any more."""
        happened = time.monotonic()

        def write() -> None:
            try:
                found = row()
                if center is not None and judge:
                    found.update(self.evaluate(center))
                self.sink.row(found, ago=time.monotonic() - happened)
                if state is not None:
                    self.sink.checkpoint(state)
            finally:
                done()

        self._put(write, soon=center is not None)

    def keep(self, state: Callable[[], Any], done: Callable[[], None]) -> None:
        """Write a checkpoint in any case."""

        def write() -> None:
            try:
                self.sink.checkpoint(state, now=True)
            finally:
                done()

        self._put(write, soon=True)

    def evaluate(self, center: Center) -> Row:
        if self._evaluator is None:
            self._evaluator = Evaluator(self.job)
        x = self.job.method.coupling.readout(center)
        device = self.job.device
        return dict(self._evaluator(x.to(device), center.buffers.to(device)))

    def finish(self, timeout: float | None = None) -> bool:
        """Wait until everything is written. False if that takes longer."""
        self._over = True
        self._soon.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _put(self, write: Callable[[], None], *, soon: bool) -> None:
        self._queue.append(write)
        if soon or len(self._queue) > MANY:
            self._soon.set()

    def _live(self) -> None:
        over = False
        while not over:
            self._soon.wait(LULL)
            self._soon.clear()
            over = self._over  # and everything there is has been put there before
            while self._queue:
                write = self._queue.popleft()
                if self.error is None:
                    try:
                        write()
                    except BaseException as error:
                        self.error = error
