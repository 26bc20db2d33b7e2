"""A thread that writes what happens: it evaluates copies of the center while the workers go on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from springline.couplings.base import Center
from springline.engines.base import Row, Sink
from springline.engines.evaluator import Evaluator
from springline.engines.job import Job


class Scribe:
    """All news go to the sink from this thread, in order. error: what went wrong there, if anything did."""

    def __init__(self, job: Job, sink: Sink) -> None:
        self.job, self.sink = job, sink
        self.error: BaseException | None = None
        self.written = 0  # the last round whose row is with the sink
        self._evaluator: Evaluator | None = None
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._live, name="springline-scribe", daemon=True)
        self._thread.start()

    def row(
        self, row: Row, center: Center | None, judge: bool, state: Callable[[], Any] | None, done: Callable[[], None]
    ) -> None:
        """Write a row. center, state: those of this round, where there is a copy; done: nobody looks at it any more."""

        def write() -> None:
            try:
                if center is not None and judge:
                    row.update(self.evaluate(center))
                self.sink.row(row)
                self.written = row["round"]
                if state is not None:
                    self.sink.checkpoint(state)
            finally:
                done()

        self._queue.put(write)

    def keep(self, state: Callable[[], Any], done: Callable[[], None]) -> None:
        """Write a checkpoint in any case."""

        def write() -> None:
            try:
                self.sink.checkpoint(state, now=True)
            finally:
                done()

        self._queue.put(write)

    def evaluate(self, center: Center) -> Row:
        if self._evaluator is None:
            self._evaluator = Evaluator(self.job)
        x = self.job.method.coupling.readout(center)
        device = self.job.device
        return dict(self._evaluator(x.to(device), center.buffers.to(device)))

    def finish(self, timeout: float | None = None) -> bool:
        """Wait until everything is written. False if that takes longer."""
        self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _live(self) -> None:
        while (write := self._queue.get()) is not None:
            if self.error is None:
                try:
                    write()
                except BaseException as error:
                    self.error = error
