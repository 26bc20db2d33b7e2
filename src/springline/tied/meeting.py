"""The center of tied Ray tasks: the engine's own actor, which also knows who is tied to it.

Nobody has started its workers, so all that is known of them is what they say: each gives a sign of life every BEAT
seconds. One that is silent for SILENCE seconds counts as dead, and nobody waits for it any more; if it comes back
after all, it goes on. The actor belongs to no task and ends by itself, with the last of those who are tied.

Every SNAPSHOT seconds it writes down what it holds. When its process dies, Ray starts it again on the same machine, and
the first worker that gives a sign of life says what method it is; it goes on from the snapshot as the next epoch, and
what comes again after that is new to it (lead.py). The snapshot is a file without code, so the method has to be said.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from springline.checkpoint import load_state, save_state
from springline.couplings.base import Center
from springline.engines.ray.arrays import Piece, pack, unpack
from springline.engines.ray.lead import Lead
from springline.engines.ray.news import beginning, ledger_of, plan_of
from springline.engines.real.kinds import kind_of
from springline.engines.real.news import LocalState
from springline.errors import RunError
from springline.methods import Method
from springline.tied.fit import misfit
from springline.tied.tying import job_of

BEAT = 1.0  # seconds between two signs of life
SILENCE = 10.0  # seconds without one after which a worker counts as dead
GRACE = 30.0  # seconds that a center waits for one to come, or to come back
ROOM = 64  # workers that may join
SNAPSHOT = 5.0  # seconds between two of them

log = logging.getLogger("springline.ray")


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
        who = ray.get_runtime_context().get_actor_id()  # the same when it is started again
        self.file = Path(tempfile.gettempdir()) / f"springline-tied-{who}.safetensors"
        self.saved, self.saved_updates = 0.0, 0  # when the last snapshot was taken, and of how many updates
        self.writing = asyncio.Lock()
        timer = threading.Timer(GRACE, self.leave)
        timer.daemon = True
        timer.start()

    def say(self, event: dict[str, Any]) -> None:
        """Nobody asks."""

    def leave(self) -> None:
        """End if nobody has come."""
        if self.first is None:
            self.end()

    def end(self) -> None:
        self.file.unlink(missing_ok=True)
        ray.kill(ray.get_runtime_context().current_actor)

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
            await self.keep()  # a center that has forgotten a worker would refuse it
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
        """Be the center that the first worker says; others may have said it at the same time.

        One that has been it before goes on from its snapshot, if it is asked by one of the same run.
        """
        if self.first is not None:
            return
        kept = None
        try:
            kept = load_state(self.file) if self.file.exists() else None
        except RunError as error:
            log.warning("%s The center begins with the parameters of the worker that asks first.", error)
        if kept is not None and kept["first"]["config"] != hello["config"]:
            return
        self.first = hello if kept is None else kept["first"]  # nothing before `restore` lets others in between
        config, kind, buffer_kind = hello["config"], kind_of(hello["dtype"]), kind_of(hello["buffer_dtype"])
        x0, b0 = unpack(x, kind)["x"].clone(), unpack(b, buffer_kind)["b"].clone()
        job = job_of(method, config["workers"], config["tau"], config["seed"], x0, b0)
        state, epoch = beginning(job, x0, b0), 0
        if kept is not None:
            state, epoch = kept["state"], kept["epoch"] + 1
            self.guests = {int(i): Guest(who, time.monotonic(), how) for i, who, how in kept["guests"]}
        self.since, self.looking = time.monotonic(), self.looking or asyncio.ensure_future(self.look())
        told = {"run": "tied", "epoch": epoch, "ledger": ledger_of(state, [{} for _ in state.tallies]), "shards": []}
        told |= {"plan": plan_of(job, x0, b0, 1, ()), "coupling": job.method.coupling}
        told |= {"seconds": state.seconds, "paused": False, "begun": True}
        await self.restore(told, pack(state.center.shared), pack(state.center.rows), pack({"b": state.center.buffers}))
        await self.keep()

    async def keep(self) -> None:
        """Write down what it holds, for the case that its process dies."""
        async with self.writing:
            if self.over:  # nobody is left for whom it could be restored, and the file is gone
                return
            kept = await self.present()
            try:
                await asyncio.to_thread(save_state, self.file, kept)
            except OSError as error:  # training goes on; what it could not be restored from is told
                log.warning("the center's snapshot %s could not be written (%s); free some space.", self.file, error)

    async def present(self) -> dict[str, Any]:
        """What it holds, while nobody exchanges."""
        async with self.turn:
            ledger, center, scalars = self.ledger, self.center, self.ledger.scalars
            shared, rows = ({k: v.clone() for k, v in part.items()} for part in (center.part.shared, center.part.rows))
            whole = Center(shared, rows, center.buffers.clone(), scalars)
            tallies = [list(t._replace(when=0.0)) for t in ledger.tallies]
            counts = ledger.resolved, ledger.updates, time.monotonic() - self.zero, ledger.tickets
            state = LocalState(whole, tallies, [0] * len(tallies), *counts)
            guests = [[i, g.who, g.state] for i, g in self.guests.items()]
            self.saved, self.saved_updates = time.monotonic(), ledger.updates
        return {"first": self.first, "state": state, "guests": guests, "epoch": center.epoch}

    async def beat(self, i: int, life: str, vitals: dict[str, float]) -> str:
        """A sign of life, and what comes of it: "define" if it has to be said what the center is, "superseded" if
        another one has this number by now.
        """
        if self.first is None:
            return "define"
        await self.whole.wait()
        if self.lives.setdefault(i, life) != life:
            return "superseded"
        self.hear(i, {"vitals": vitals})
        return ""

    def hear(self, i: int, said: dict[str, Any]) -> None:
        super().hear(i, said)
        guest = self.guests.setdefault(i, Guest("", 0.0))  # one that came after the last snapshot
        guest.heard, guest.state = time.monotonic(), "up"

    async def part(self, i: int, life: str, how: str) -> None:
        """A worker goes."""
        if self.lives.get(i) == life:
            self.drop(i)
            self.guests[i].state = "absent" if how == "failed" else "gone"
            self.over = all(g.state == "gone" for g in self.guests.values())
            await self.advance()
            if self.over:  # when the last one hears of it, the program may end, and this actor with it
                async with self.writing:
                    self.file.unlink(missing_ok=True)

    async def look(self) -> None:
        """Look around now and then, whatever comes of it, and end when nobody is left."""
        said = ""
        while not self.over:
            await asyncio.sleep(BEAT / 4)
            try:
                await self.look_once()
            except Exception as error:  # nobody waits for this task, so nobody would hear of it
                if repr(error) != said:
                    said = repr(error)
                    log.exception("the center could not look after its workers (%s); it tries again.", error)
            self.over = self.over or time.monotonic() - self.since > GRACE
        self.end()

    async def look_once(self) -> None:
        """Miss those who are silent, and write a snapshot if it is time."""
        now = time.monotonic()
        silent = [i for i, g in self.guests.items() if g.state == "up" and now - g.heard > SILENCE]
        for i in silent:
            self.guests[i].state = "absent"
            self.drop(i)
        if self.expected:
            self.since = now
        if silent:
            await self.advance()
        if self.whole.is_set() and now - self.saved > SNAPSHOT and self.ledger.updates > self.saved_updates:
            await self.keep()
