"""A worker's memory for its message and the reply, which the actors of the center on its machine map as well.

What is written there once is there for both sides, and goes neither into Ray's memory nor out of it again; parts of the
center on other machines are sent theirs by Ray. The memory has no name in any file system: it is found through its
worker's process, and gone with it, however that ends.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from springline.couplings.base import Vectors, cut
from springline.engines.local.memory import Region, up
from springline.engines.ray.arrays import LARGE
from springline.engines.ray.plan import Plan


@dataclass(frozen=True)
class Place:
    """Where a box is: the inode of an open file of a process, on a machine's boot."""

    boot: str
    pid: int
    fd: int
    inode: int


class Views:
    """message, reply: the vectors [P] by name."""

    def __init__(self, plan: Plan, path: Path) -> None:
        region, stride = Region(path), up(plan.size * plan.kind.itemsize)
        vectors = [region.tensor(k * stride, (plan.size,), plan.kind) for k in range(_slots(plan))]
        self.message: Vectors = dict(zip(plan.message, vectors, strict=False))
        self.reply: Vectors = dict(zip(plan.reply, vectors[len(plan.message) :], strict=True))


class Box:
    """The worker's own. Raises OSError where there is no such memory, or not enough."""

    _fd = -1

    def __init__(self, plan: Plan) -> None:
        self._fd = os.memfd_create("springline-box")
        os.posix_fallocate(self._fd, 0, _slots(plan) * up(plan.size * plan.kind.itemsize))
        pid = os.getpid()
        self.place = Place(_boot(), pid, self._fd, os.fstat(self._fd).st_ino)
        self.views = Views(plan, _path(self.place))

    @staticmethod
    def of(plan: Plan) -> Box | None:
        """None where it would not pay, or cannot be."""
        if plan.size * plan.kind.itemsize < LARGE:
            return None
        try:
            return Box(plan)
        except (OSError, AttributeError):
            return None

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


class Boxes:
    """Those of the workers of this machine, as an actor of the center sees them: elements a … b."""

    def __init__(self, plan: Plan, a: int, b: int) -> None:
        self.plan, self.a, self.b = plan, a, b
        self._found: dict[int, tuple[Place, Vectors, Vectors]] = {}

    def of(self, i: int, place: Place) -> tuple[Vectors, Vectors] | None:
        """Worker i's message, and where its reply goes; None if its box is not here. Each of its lives has another."""
        if i not in self._found or self._found[i][0] != place:
            self._found.pop(i, None)
            path = _path(place)
            try:
                if place.boot != _boot() or path.stat().st_ino != place.inode:
                    return None
                views = Views(self.plan, path)
            except (OSError, ValueError):
                return None
            self._found[i] = place, cut(views.message, self.a, self.b), cut(views.reply, self.a, self.b)
        return self._found[i][1:]


def _slots(plan: Plan) -> int:
    return len(plan.message) + len(plan.reply)


def _path(place: Place) -> Path:
    return Path(f"/proc/{place.pid}/fd/{place.fd}")


def _boot() -> str:
    """The same for all processes that a pid means the same to."""
    namespace = os.readlink("/proc/self/ns/pid")
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + namespace
