"""The shared memory of a run as its supervisor holds it: made, looked at, removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from springline.couplings.base import Center
from springline.engines.job import Job
from springline.engines.local.box import Box, make_box
from springline.engines.local.memory import Region, reserve
from springline.engines.local.plan import plan, views
from springline.engines.local.records import lay
from springline.engines.local.tally import Tallies, Vitals
from springline.engines.local.tickets import Tickets
from springline.engines.real import wire
from springline.engines.real.news import LocalState
from springline.engines.real.place import Place
from springline.engines.real.tally import Tally
from springline.tasks.layout import Layout

if TYPE_CHECKING:
    from springline.engines.local import Local


class Ground:
    """The initial center, or that of a checkpoint, and a listener for whoever wants to exchange with it.

    scalars: the center's, as they were at its last copy.
    """

    def __init__(self, job: Job, engine: Local, resumed: LocalState | None) -> None:
        coupling = job.method.coupling
        x0, b0 = Layout(job.task.build(job.seed)).read()
        members = len(resumed.tallies) if resumed else job.workers
        self.plan = plan(job, x0, b0, max(members, engine.capacity(job.workers)), engine.order)
        center = resumed.center if resumed else coupling.center(x0, b0, job.workers)
        tallies = [Tally(*t)._replace(when=0.0) for t in resumed.tallies] if resumed else [Tally()] * members
        self.scalars: dict[str, Any] = center.scalars
        self.boxes: dict[int, Box] = {}
        self.place = Place()
        try:
            self.path: Path = self.place.path
            self.plan.save(self.path / "plan.json")
            Tickets(self.path).set(resumed.tickets if resumed else 0)
            resolved, updates = (resumed.resolved, resumed.updates) if resumed else (0, 0)
            lay(self.plan, self.path, center, tallies, resolved, updates)
            self.region = Region(self.path / "center")
            self.words, self.tallies = self.region.words(0, 16), Tallies(self.plan, self.region)
            self.spare_tallies = Tallies(self.plan, self.region, spare=True)
            for i in range(members):
                self.add_box(i, resumed.steps[i] if resumed else 0)
            self.listener = wire.listen(str(self.path / "center.sock"))
        except BaseException:
            self.place.close()
            raise

    def add_box(self, i: int, steps: int = 0) -> None:
        """A box for worker i, which has made so many steps."""
        make_box(self.plan, self.path, i)
        box = self.boxes[i] = Box(self.plan, self.path, i)
        box.vitals["steps"], box.vitals["round"] = steps, self.tallies.last(i)

    def add_rows(self, members: int) -> None:
        """Memory for so many workers: the center's rows, and the boxes. Raises UsageError if there is not enough."""
        reserve(self.path / "center", self.plan.center_size, self.plan.ranges(members))
        for i in range(len(self.boxes), members):
            make_box(self.plan, self.path, i)

    def vitals(self, i: int) -> Vitals:
        return self.boxes[i].vitals

    def spare(self) -> Center:
        """The copy of the center."""
        return views(self.plan, self.region, len(self.boxes), spare=True)._replace(scalars=self.scalars)

    def live(self) -> Center:
        """The center itself, for when nobody exchanges any more."""
        return views(self.plan, self.region, len(self.boxes))._replace(scalars=self.scalars)

    def close(self, folder: Path | None) -> None:
        self.listener.close()
        self.place.close(folder)
