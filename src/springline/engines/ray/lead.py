"""The center's first actor: it holds the scalars and the first part of the vectors, and leads every exchange.

    held         messages, and news of attempts that failed, wait here for their turn (desk.py)
    measure      each part of the center, in an actor of its own, gives its sums; they are added in one order (whole.py)
    decide       here
    apply        each part changes itself and keeps its part of the reply for the worker

One exchange at a time, and nobody who may die holds a lock: a worker only waits for an answer. The center is whole or
it is not there. An actor of it that dies takes its part along, so an exchange that was under way, and all since the
last snapshot, are undone everywhere: all parts are restored from that snapshot as the next epoch, together with the
rounds up to which it knows the workers. What comes again after that is new to it, and is applied once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import Any

import ray
import torch
from ray.exceptions import RayError

from springline.couplings.base import Note
from springline.engines.local.records import with_one_more
from springline.engines.ray.arrays import Piece, unpack
from springline.engines.ray.box import Place
from springline.engines.ray.call import DEAD
from springline.engines.ray.desk import Desk
from springline.engines.ray.ledger import Attempt
from springline.engines.ray.shard import NotWhole
from springline.engines.ray.whole import Answer, Parcel
from springline.engines.real.heap import keep_vectors
from springline.engines.real.tally import Tally

STOP: Answer = {"stop": True}
UNMET: Answer = {"unmet": True}  # the message has to come once more


class Lead(Desk):
    """number: of the run; open: set when workers may begin; lives: who speaks for each worker; starts: see `hello`;
    kept: what workers are, where they may have to come back as they were; word: the driver's last in `pause`.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.set_num_threads(1)
        self.open, self.number = asyncio.Event(), ""
        self.begin()

    def begin(self) -> None:
        """Know of no worker."""
        self.held = {}
        self.lives: dict[int, str] = {}
        self.starts: dict[int, str] = {}
        self.kept: dict[int, Any] = {}
        self.over, self.there, self.word = False, None, 0
        self.open.clear()

    # -- what the driver wants

    async def restore(self, told: dict[str, Any], shared: Piece, rows: Piece, buffers: Piece) -> None:
        """Hold this from now on: the beginning of a run, or its last snapshot."""
        async with self.turn:  # an exchange that is under way fails first
            if told["run"] != self.number:
                self.begin()
            self.number = told["run"]
            self.set_up(told, [shared, rows, buffers])
            for i in [i for i, h in self.held.items() if not h.attempt.lost]:
                self.drop(i, UNMET)  # where its parts lie, the parts of the center that were restored do not know
            keep_vectors(self.plan.size * self.plan.kind.itemsize)
            self.zero = time.monotonic() - told["seconds"]
            if told["begun"]:
                self.open.set()
        self.say({"up": "center", "pid": os.getpid()})
        await self.advance()

    @ray.method(max_task_retries=0)
    async def begin_now(self, seconds: float) -> None:
        """Workers may begin; the run's clock shows this."""
        self.zero = time.monotonic() - seconds
        self.open.set()

    @ray.method(max_task_retries=0)
    async def finish(self) -> None:
        """The run is over: tell whoever asks."""
        self.over = True
        self.open.set()
        for h in self.held.values():
            h.settle(STOP)

    @ray.method(max_task_retries=0)
    async def news(self, run: str, patience: float) -> dict[str, Any]:
        """What has happened in this run since the last time; comes at once if something has."""
        if not self.events:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.news_came.wait(), patience)
        if run != self.number:
            return {"epoch": -1, "events": []}  # whoever asked has ended
        self.news_came.clear()
        events, self.events = self.events, []
        now = time.monotonic()
        return self.ledger.told() | {"epoch": self.center.epoch, "events": [e | {"ago": now - e["at"]} for e in events]}

    @ray.method(max_task_retries=0)
    async def absent(self, i: int, round: int) -> None:
        """Worker i's attempt of this round fails, because it is down."""
        await self.whole.wait()
        if i not in self.held and round == self.ledger.last(i) + 1:
            self.hold(Attempt(i, round, Note(i, 0, False, 0.0, 0), {}, lost=True, absent=True))
            await self.advance()
            self.say({"absent": i})  # so that the driver knows at once that the next one may go by

    @ray.method(max_task_retries=0)
    async def pause(self, run: str, number: int, paused: bool, there: int) -> None:
        """Whether nobody may exchange, and how many workers are there.

        number: of what the driver has said about it; what was said earlier may come later.
        """
        if run == self.number and number > self.word:
            self.word, self.paused, self.there = number, paused, there
            await self.advance()

    @ray.method(max_task_retries=0)
    async def grow(self, members: int) -> None:
        """Make room for so many workers."""
        await self.make_room(members)
        self.say({"members": self.ledger.members})

    async def make_room(self, members: int) -> None:
        await self.whole.wait()
        async with self.turn:
            try:
                await self.center.grow(self.ledger.scalars, members)
            except RayError as error:
                self.fall(error)
                return
            for n in range(self.ledger.members + 1, members + 1):
                self.ledger.scalars = with_one_more(self.center.coupling, self.ledger.scalars, n)
                self.ledger.tallies.append(Tally())
                self.ledger.vitals.append({})

    @ray.method(max_task_retries=0)
    async def copy(self) -> dict[str, Any] | None:
        """The whole center and what belongs to it, and how much had been told by then; None if it is not whole."""
        async with self.turn:
            copy = await self.snapshot() if self.whole.is_set() else None
            return copy and copy | {"said": self.said}

    @ray.method(max_task_retries=0)
    async def release(self) -> None:
        """A copy is not needed any more."""
        self.copies = max(0, self.copies - 1)

    # -- what workers want

    async def hello(self, i: int, life: str, start: str, size: int, dtype: str, pid: int) -> Answer:
        """A worker begins a life. What an earlier one had sent and was not served yet is void.

        start: the driver's name for it; if there was a life of that name, Ray has started the worker again.
        """
        await self.whole.wait()
        if self.over:
            return STOP
        plan, why = self.plan, None
        if not 0 <= i < self.ledger.members:
            why = f"there is no worker {i!r} in this run; join it first (`springline join`)."
        elif (size, dtype) != (plan.size, plan.dtype):
            why = (
                f"worker {i} has {size} parameters of {dtype}, but the run trains {plan.size} of {plan.dtype}; build "
                "the same model in every worker."
            )
        if why is not None:
            return self.refuse(i, why)
        again, self.lives[i], self.starts[i] = self.starts.get(i) == start, life, start
        self.drop(i)
        self.say({"hello": i, "pid": pid})
        await self.open.wait()
        known = {"last": self.ledger.last(i), "vitals": self.ledger.vitals[i], "kept": self.kept.get(i)}
        return known | {"again": again, "seconds": time.monotonic() - self.zero}

    async def meet(self, i: int, place: Place) -> tuple[int, list[bool]]:
        """Which parts of the center, as it is since its last restoration, find worker i's box and are not sent theirs.

        Comes with the number of that restoration: after the next one they may be elsewhere.
        """
        while True:
            await self.whole.wait()
            async with self.turn:
                try:
                    return self.center.epoch, await self.center.meet(i, place)
                except RayError as error:
                    self.fall(error)

    async def push(self, i: int, life: str, said: dict[str, Any], parcels: list[Parcel | Place]) -> Answer:
        """A message, cut for the parts of the center. It waits for its turn when all of it has come."""
        await self.whole.wait()
        if away := self.turned_away(i, life, said):  # before its pieces take the place of those of the present life
            return away
        center = self.center
        try:
            piece, *rest = await center.bring(i, parcels)
        except RayError as error:  # a part of the center is gone, or the worker: then nobody hears the answer
            if isinstance(error, (*DEAD, NotWhole)) and center is self.center:
                self.fall(error)
            return UNMET
        await self.whole.wait()
        if center is not self.center or said["met"] not in (None, center.epoch):
            return UNMET
        if isinstance(piece, Place):
            vectors, room = self.center.boxes.of(i, piece) or ({}, None)
        else:
            vectors, room = unpack(piece, self.plan.kind), None
        buffers = unpack(said["buffers"], self.plan.buffer_kind)["b"]
        return await self.attempt(i, life, said, vectors, room, rest, buffers, said["size"])

    async def lost(self, i: int, life: str, said: dict[str, Any]) -> Answer:
        """An attempt failed on its way."""
        return await self.attempt(i, life, said, {}, None, [], torch.empty(0), 0)

    async def attempt(self, i: int, life: str, said: dict[str, Any], *message: Any) -> Answer:
        await self.whole.wait()
        if away := self.turned_away(i, life, said):
            return away
        self.hear(i, said)
        round, lost = said["round"], said.get("note") is None
        note = Note(i, 0, False, 0.0, 0)
        try:
            note = Note(*said["note"])._replace(worker=i) if not lost else note
        except (TypeError, ValueError):
            note = note._replace(loss=float("nan"))
        attempt = Attempt(i, round, note, said.get("scalars", {}), asked=said.get("asked", False), lost=lost)
        if round <= self.ledger.last(i):
            return self.again(attempt) | {"last": self.ledger.last(i)}
        future = self.hold(attempt, *message)
        if not lost:
            self.due_within(said["took"])
        await self.advance()
        return (await future) | {"last": self.ledger.last(i)}

    def hear(self, i: int, said: dict[str, Any]) -> None:
        self.ledger.vitals[i] = said["vitals"] | {"heard": time.monotonic()}
        if "kept" in said:
            self.kept[i] = said["kept"]

    def turned_away(self, i: Any, life: str, said: dict[str, Any]) -> Answer | None:
        """Why this is not served, if it is not: the run is over, or somebody else speaks for worker i.

        That is who said hello last, or, to a center that was restarted, spoke first. Of its hello the driver may not
        have heard: that may have been the last of the center's news before it died.
        """
        if self.over:
            return STOP
        if isinstance(i, int) and 0 <= i < self.ledger.members:
            if i not in self.lives:
                self.lives[i] = life
                self.say({"hello": i, "pid": said.get("pid", 0)})
            if self.lives[i] == life:
                return None
        why = f"a message came from worker {i!r}, which is another one or none; it must say hello."
        return self.refuse(i, why) | {"superseded": True}

    def refuse(self, i: Any, why: str) -> Answer:
        self.say({"stranger": str(i), "why": why})
        return {"refused": why}

    async def ticket(self) -> int:
        """The next chunk of the data, 0, 1, 2, …"""
        await self.whole.wait()
        self.ledger.tickets += 1
        return self.ledger.tickets - 1

    async def where(self, i: int) -> Answer:
        await self.whole.wait()
        return STOP if self.over else {"last": self.ledger.last(i)}

    async def fetch(self, start: bool) -> tuple[list[Parcel], Piece]:
        """The x in parts where a worker starts, or that of the readout, and the buffers."""
        while True:
            await self.whole.wait()
            async with self.turn:
                try:
                    return await self.center.fetch(self.ledger.scalars, start)
                except RayError as error:
                    self.fall(error)
