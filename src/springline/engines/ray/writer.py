"""What is written of a run: rows, with evaluations of copies of the center, and snapshots."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ray.exceptions import RayError

from springline.couplings.base import Center
from springline.engines.base import Outcome, Sink
from springline.engines.ray.call import get
from springline.engines.ray.news import Known, center_of, row, state_of
from springline.engines.real.news import LocalState, paused_row, status
from springline.engines.real.place import STATUS
from springline.engines.real.scribe import Scribe

if TYPE_CHECKING:
    from springline.engines.ray.driver import Driver

PUBLISH = 1.0  # seconds between two statuses for other machines
LEAST = 0.2  # seconds between two snapshots


class Writer:
    """told: the last round whose row was written; state: what a lost center is restored from, if there is no folder."""

    def __init__(self, boss: Driver, sink: Sink, state: LocalState) -> None:
        self.boss, self.sink, self.state = boss, sink, state
        self.told = state.resolved // boss.job.workers
        self.scribe = Scribe(boss.job, sink)
        self.looked = self.published = time.monotonic()
        self.held: dict[str, Any] | None = None  # a copy that waits to be written

    def publish(self) -> None:
        """Say how the run is in its folder, which machines may share that cannot ask."""
        now = time.monotonic()
        if self.sink.where is not None and now - self.published > PUBLISH:
            self.published = now
            said = status(self.boss) | {"host": socket.gethostname(), "at": time.time()}
            half = self.sink.where / f".{STATUS}.tmp"
            with contextlib.suppress(OSError):  # whoever looks sees an older one; training does not depend on it
                half.write_text(json.dumps(said))
                half.replace(self.sink.where / STATUS)

    def close(self) -> None:
        self.scribe.finish(30)
        if self.sink.where is not None:
            with contextlib.suppress(OSError):
                (self.sink.where / STATUS).unlink(missing_ok=True)

    def look(self) -> None:
        """Ask for a copy of the center when a snapshot is due."""
        boss, now = self.boss, time.monotonic()
        late = now - self.looked > boss.engine.snapshot_every if self.sink.where is None else self.sink.due()
        if boss.center.state == "up" and late and now - self.looked > LEAST and not self.behind(boss.resolved):
            self.looked = now
            boss.calls[boss.center.lead.copy.remote()] = self.keep
        self.check()

    def behind(self, resolved: int) -> bool:
        """Whether rows that come after this have been written, as when the center was restored from an older snapshot.

        A checkpoint would cover them, and whoever resumed from it would write them a second time.
        """
        return self.sink.where is not None and resolved // self.boss.job.workers < self.told

    def check(self) -> None:
        """Raises what went wrong while something was written."""
        if self.scribe.error is not None:
            raise self.scribe.error

    def saved(self) -> LocalState:
        """The last snapshot, from the run's folder if it has one."""
        if self.sink.where is not None:
            from springline.folder import RunFolder

            found = RunFolder(self.sink.where).load_checkpoint()
            if found is not None:
                state = found["engine"]
                assert isinstance(state, LocalState)
                return state
        return self.state

    def record(self, event: dict[str, Any]) -> None:
        """Hand a row to the scribe, with the copy of the center if there is one."""
        boss, k, copy = self.boss, event["row"], event["copy"]
        seconds = time.monotonic() - event["ago"] - boss.zero
        news = row(boss.crew, Known(event, event["ago"]), k, seconds) | paused_row(boss)
        center = self._center(copy) if copy is not None else None
        if center is None:
            if k < boss.job.rounds:  # the last one is told again, when the center is restored and comes to it
                self.told = k
                self.scribe.row(lambda: news, None, False, None, lambda: None)
            return
        self.told = k
        if k == boss.job.rounds:
            x = boss.job.method.coupling.readout(center)
            boss.outcome = Outcome(x.clone(), center.buffers.clone())
        self.scribe.row(lambda: news, center, event["due"], self._remember(copy, center, seconds), self.release)

    def keep(self, ref: Any) -> None:
        """Write a snapshot, as soon as all that the center had told by then has been heard."""
        with contextlib.suppress(RayError):
            self.held = get(ref)
            self.settle()

    def settle(self) -> None:
        """Write the snapshot that waits, if all rows before it have come."""
        copy, known = self.held, self.boss.center
        if copy is None or (copy["epoch"] == known.epoch and known.heard < copy["said"]):
            return
        self.held = None
        if copy["epoch"] != known.epoch or self.behind(copy["resolved"]) or (center := self._center(copy)) is None:
            return
        state = self._remember(copy, center, time.monotonic() - self.boss.zero)
        if self.sink.where is not None:
            self.scribe.keep(state, lambda: None)

    def snapshot(self) -> None:
        """Write one now, if the center can still be asked for a copy."""
        if self.boss.center.state == "up":
            with contextlib.suppress(RayError):  # it takes too long, or ends meanwhile
                call = self.boss.center.lead.copy.remote()
                get(call, 10)
                self.keep(call)
                self.boss.until(lambda: self.held is None, 10, looking=False)
            self.scribe.finish(30)
            self.check()

    def _center(self, copy: dict[str, Any]) -> Center | None:
        """None if a part of the copy is gone with its actor."""
        try:
            return center_of(copy, self.boss.plan)
        except RayError:
            return None

    def _remember(self, copy: dict[str, Any], center: Center, seconds: float) -> Callable[[], LocalState]:
        made = state_of(copy, center, seconds)
        if self.sink.where is None:
            self.state = made()
        return made

    def release(self) -> None:
        """A copy is not needed any more."""
        with contextlib.suppress(RayError):
            self.boss.center.lead.release.remote()
