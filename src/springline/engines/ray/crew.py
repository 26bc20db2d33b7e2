"""The workers as the driver sees them: actors that are started, die, and start again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray

from springline.engines.ray import pool
from springline.engines.ray.worker import GROUPS, Worker
from springline.engines.real.words import TRIES, in_vain

KIND = "worker"

Start = Callable[[Any, int, str | None], Any]  # (actor, worker, how it comes) -> the call that ends with its life


@dataclass(frozen=True)
class Needs:
    """What an actor of a worker reserves."""

    cpus: float
    gpus: float

    @property
    def kind(self) -> pool.Kind:
        return KIND, self.cpus, self.gpus

    def make(self) -> Any:
        """A new one, which Ray places as soon as there is room for it."""
        options: dict[str, Any] = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_restarts": -1}
        remote: Any = ray.remote  # its types do not know concurrency groups
        actor = remote(concurrency_groups=GROUPS)(Worker)
        return actor.options(scheduling_strategy="SPREAD", **options).remote()


@dataclass
class Member:
    """A worker's place. state: absent, starting, up, or gone (it left and is not missed).

    running, watching: the calls that end when it has ended; seen: when its fate was looked up last; came_back: the
    round it was last restarted in; rejoin: how it will come back; absent_at: when its next attempt fails, while it is
    down; down: the scenario wants it down; progress: what it had achieved at its last start; why: how it ended last;
    late: it was said that it has not started.
    """

    i: int
    needs: Needs
    pid: int = 0
    actor: Any = None
    running: Any = None
    watching: Any = None
    state: str = "absent"
    began: float = 0.0
    restarts: int = 0
    tries: int = 0
    progress: float = -1.0
    why: str = ""
    seen: float = 0.0
    came_back: int = 0
    rejoin: str | None = None
    absent_at: float = 0.0
    down: bool = False
    late: bool = False

    @property
    def lives(self) -> bool:
        return self.state in ("starting", "up")

    @property
    def expected(self) -> bool:
        """It is there, or will be soon: one that is absent though it may come is started at the next look."""
        return not self.late and (self.lives or (self.state == "absent" and not self.down))

    def count_start(self, progress: float) -> None:
        """It is started, here or by Ray. Raises RunError if the starts before led to nothing.

        progress: what it has achieved by now.
        """
        self.tries = self.tries + 1 if self.progress == progress else 1
        self.progress = progress
        if self.tries > TRIES:
            raise in_vain(f"worker {self.i}", self.why)

    def start(self, live: Start) -> None:
        self.actor = pool.take(self.needs.kind, self.needs.make)
        self.running = live(self.actor, self.i, self.rejoin)
        self.rejoin = self.watching = None
        self.state, self.began = "starting", time.monotonic()

    def kill(self) -> None:
        """The scenario wants its process ended; what became of that start is not its fault."""
        self.tries -= self.lives
        self.end()

    def end(self) -> None:
        """End its process, and have Ray not start it again."""
        if self.actor is not None:
            ray.kill(self.actor, no_restart=True)
        self.forget()

    def dismiss(self) -> None:
        """Its life has ended; others may use the actor."""
        pool.give_back(self.needs.kind, self.actor)
        self.forget()
        self.state = "gone"

    def forget(self) -> None:
        self.actor = self.running = self.watching = None
        self.pid = 0
        if self.state != "gone":
            self.state = "absent"
        self.rejoin = self.rejoin or "center"
