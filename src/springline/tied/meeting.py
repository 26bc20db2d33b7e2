"""The center of tied Ray tasks: the engine's own actor, which also knows who is tied to it.

Nobody has started its workers, so all that is known of them is what they say: each gives a sign of life every BEAT
seconds. One that is silent for SILENCE seconds counts as dead, and nobody waits for it any more; if it comes back
after all, it goes on. The actor belongs to no task and ends by itself, with the last of those who are tied.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import ray
import torch

from springline.engines.ray.arrays import Piece, pack, unpack
from springline.engines.ray.lead import Lead
from springline.engines.ray.news import beginning, ledger_of, plan_of
from springline.methods import Method
from springline.tied.fit import misfit
from springline.tied.tying import job_of

BEAT = 1.0  # seconds between two signs of life
SILENCE = 10.0  # seconds without one after which a worker counts as dead
GRACE = 30.0  # seconds that a center waits for one to come, or to come back
ROOM = 64  # workers that may join


@dataclass
class Guest:
    """who: the task or actor; heard: its last sign of life. state: up, absent (silent for too long), or gone."""

    who: str
    heard: float
    state: str = "up"


class Meeting(Lead):
    """first: what the first worker said of its model; guests: who is tied, by number; since: nobody has been."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, Any] | None = None
        self.guests: dict[int, Guest] = {}
        self.since = time.monotonic()
        self.looking: asyncio.Task[None] | None = None

    def say(self, event: dict[str, Any]) -> None:
        """Nobody asks."""

    @property
    def expected(self) -> int:
        return sum(g.state == "up" for g in self.guests.values())

    async def greet(self, who: str, hello: dict[str, Any]) -> dict[str, Any]:
        """Give a worker its number; {"define": True} if nobody has said yet what the center is."""
        self.looking = self.looking or asyncio.ensure_future(self.look())
        if self.over:
            return {"ended": True}
        if self.first is None:
            return {"define": True}
        if (why := misfit(self.first, hello)) is not None:
            return {"refused": why}
        i = self.number_of(who)
        if i is None:
            return {"refused": f"the run has room for {self.ledger.members} workers; start it with more of them."}
        self.guests[i] = Guest(who, time.monotonic())
        if i >= self.ledger.members:
            await self.make_room(i + 1)
        welcome = {"worker": i, "workers": self.plan.workers, "plan": self.plan}
        return welcome | {"differs": hello["digest"] != self.first["digest"], "back": self.ledger.last(i) > 0}

    def number_of(self, who: str) -> int | None:
        """Its former number if it was here, a free one, that of one who died, or a new one."""
        former = [i for i, g in self.guests.items() if g.who == who]
        free = [i for i in range(self.ledger.members) if i not in self.guests]
        dead = [i for i, g in self.guests.items() if g.state == "absent"]
        most = self.center.coupling.most_workers or self.plan.workers + ROOM
        new = [i for i in [max(self.ledger.members, len(self.guests))] if i < most]
        return next(iter(former + free + dead + new), None)

    async def define(self, hello: dict[str, Any], method: Method, x: Piece, b: Piece) -> None:
        """Be the center that the first worker says; others may have said it at the same time."""
        if self.first is not None:
            return
        self.first, config = hello, hello["config"]  # nothing before `restore` lets others in between
        kind = getattr(torch, hello["dtype"])
        x0, b0 = unpack(x, kind)["x"].clone(), unpack(b, kind)["b"].clone()
        job = job_of(method, config["workers"], config["tau"], config["seed"], x0, b0)
        state = beginning(job, x0, b0)
        told = {"run": "tied", "epoch": 0, "ledger": ledger_of(state, [{} for _ in state.tallies]), "shards": []}
        told |= {"plan": plan_of(job, x0, 1, ()), "coupling": job.method.coupling}
        told |= {"seconds": 0.0, "paused": False, "begun": True}
        await self.restore(told, pack(state.center.shared), pack(state.center.rows), pack({"b": state.center.buffers}))

    async def beat(self, i: int, life: str, vitals: dict[str, float]) -> bool:
        """A sign of life. False if another one has this number by now."""
        if self.lives.get(i) != life:
            return False
        self.hear(i, {"vitals": vitals})
        return True

    def hear(self, i: int, said: dict[str, Any]) -> None:
        super().hear(i, said)
        self.guests[i].heard, self.guests[i].state = time.monotonic(), "up"

    async def part(self, i: int, life: str, how: str) -> None:
        """A worker goes."""
        if self.lives.get(i) == life:
            self.drop(i)
            self.guests[i].state = "absent" if how == "failed" else "gone"
            self.over = all(g.state == "gone" for g in self.guests.values())
            await self.advance()

    async def look(self) -> None:
        """Miss those who are silent, and end when nobody is left."""
        while not self.over:
            await asyncio.sleep(BEAT / 4)
            now = time.monotonic()
            silent = [i for i, g in self.guests.items() if g.state == "up" and now - g.heard > SILENCE]
            for i in silent:
                self.guests[i].state = "absent"
                self.drop(i)
            if silent:
                await self.advance()
            if self.expected:
                self.since = now
            self.over = self.over or now - self.since > GRACE
        ray.kill(ray.get_runtime_context().current_actor)
