"""Where attempts wait for their turn, and are served one after the other."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from ray.exceptions import RayError, RayTaskError

from springline.engines.ray.arrays import Piece
from springline.engines.ray.ledger import Attempt, Ledger
from springline.engines.ray.plan import Plan
from springline.engines.ray.shard import NotWhole
from springline.engines.ray.whole import Answer, Held, Whole
from springline.engines.real.protocol import protocol_of
from springline.engines.real.tally import Tally


class Desk:
    """held: attempts by worker; answers: the last reply to each; whole: set while all parts belong together.

    deadline: how long a round of messages is held open, in times of its first one; None where each is served by itself.
    One exchange at a time: whoever holds `turn` works on the center. copies: those that the driver has not given back.
    """

    plan: Plan
    center: Whole
    ledger: Ledger

    def __init__(self) -> None:
        self.whole, self.news_came, self.turn = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self.events: list[dict[str, Any]] = []
        self.said = 0  # events, since it was restored
        self.held: dict[int, Held] = {}
        self.paused = False
        self.there: int | None = None  # workers who are, where the driver has said so

    @property
    def expected(self) -> int:
        """Workers whose messages a round waits for."""
        return self.ledger.members if self.there is None else self.there

    def set_up(self, told: dict[str, Any], pieces: list[Piece]) -> None:
        """Hold this center, and what belongs to it."""
        ledger = told["ledger"]
        self.plan, self.ledger = told["plan"], Ledger(**ledger | {"tallies": [Tally(*t) for t in ledger["tallies"]]})
        common = self.plan, told["coupling"], told["shards"], told["epoch"]
        self.center = Whole(*common, pieces, self.ledger.members)
        self.deadline = protocol_of(told["coupling"]).deadline
        self.written, self.paused = self.ledger.resolved // self.plan.workers, told["paused"]
        self.opened, self.closes = time.monotonic(), float("inf")
        self.answers: dict[int, Answer] = {}
        self.copies, self.events, self.said = 0, [], 0
        self.whole.set()

    def say(self, event: dict[str, Any]) -> None:
        """Tell the driver, when it asks."""
        self.events.append(event | {"at": time.monotonic()})
        self.said += 1
        self.news_came.set()

    def fall(self, why: RayError) -> None:
        """A part of the center is gone; wait to be restored. An error of the method's would come again after that, so
        the run ends with it, and nobody is served by what it has left.
        """
        if self.whole.is_set():
            self.whole.clear()
            cause = why.cause if isinstance(why, RayTaskError) else why
            what = "broken" if isinstance(cause, (RayError, NotWhole)) else "failed"
            self.say({what: f"{type(cause).__name__}: {cause}".splitlines()[0]})

    def hold(self, attempt: Attempt, *message: Any) -> asyncio.Future[Answer]:
        """Let an attempt wait; one that the same worker made before is void."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.drop(attempt.worker)
        self.held[attempt.worker] = Held(attempt, future, *message)
        return future

    def drop(self, i: int, answer: Answer | None = None) -> None:
        """What it sent is not served; the answer says why, if anybody hears it."""
        if i in self.held:
            self.held.pop(i).settle(answer or {"over": True})

    def due_within(self, took: float) -> None:
        """A round of messages is closed when `deadline` times as long has gone by as its first one took."""
        if self.deadline is not None:
            now = time.monotonic()
            closes = max(now, self.opened + self.deadline * took)
            if closes < self.closes:
                self.closes = closes
                asyncio.get_running_loop().call_later(closes - now + 1e-3, self._wake)

    def _wake(self) -> None:
        self._waking = asyncio.ensure_future(self.advance())  # kept, so that it is not collected while it runs

    async def advance(self) -> None:
        """Serve what may be served now."""
        async with self.turn:
            while self.whole.is_set() and self.held and self.ledger.resolved < self.plan.total:
                chosen = self.choose()
                if not chosen:
                    return
                try:
                    await self.serve(sorted(chosen, key=lambda h: h.attempt.worker))
                except RayError as error:  # what was chosen is still held, and comes once more after the restoration
                    self.fall(error)
                    return
                await self.tell()

    def choose(self) -> list[Held]:
        """Whose turn it is: in a script whom it names, in a round everybody who is there, else whoever came first."""
        lost = next((h for h in self.held.values() if h.attempt.lost), None)
        if self.paused:  # nobody exchanges, but the rounds of those who are down go by
            return [lost] if lost is not None else []
        if self.plan.order and self.deadline is None:
            turn = self.plan.order[self.ledger.resolved % len(self.plan.order)]
            return [self.held[turn]] if turn in self.held else []
        if lost is not None:
            return [lost]
        if self.deadline is None:
            return [next(iter(self.held.values()))]
        now = time.monotonic()
        if len(self.held) < self.expected and now < self.closes:
            return []
        self.opened, self.closes = now, float("inf")
        return list(self.held.values())

    async def serve(self, chosen: list[Held]) -> None:
        for h in [h for h in chosen if h.attempt.round <= self.ledger.last(h.attempt.worker)]:
            chosen.remove(h)  # it came again while it was being served
            self.held.pop(h.attempt.worker)
            h.settle(self.again(h.attempt))
        real, outcome = [h for h in chosen if not h.attempt.lost], {}
        if real:
            scalars, decisions, replies = await self.center.exchange(self.ledger.scalars, real)
            self.ledger.scalars = scalars
            outcome = {h.attempt.worker: (d, r) for h, d, r in zip(real, decisions, replies, strict=True)}
        for h in chosen:
            i, round = h.attempt.worker, h.attempt.round
            decision, (pieces, size) = outcome.get(i, (None, ([], 0)))
            self.ledger.enter(h.attempt, decision, h.sent, size)
            answer = {"round": round, "accepted": decision is not None, "scalars": decision or {}, "pieces": pieces}
            if not h.attempt.lost:
                self.answers[i] = answer
            if self.held.get(i) is h:
                del self.held[i]
            h.settle({"round": round, "over": True} if h.attempt.lost else answer)

    def again(self, attempt: Attempt) -> Answer:
        """The answer to an attempt that came again, or too late."""
        i, round = attempt.worker, attempt.round
        answer, last = self.answers.get(i), self.ledger.last(i)
        if answer is not None and answer["round"] == round:
            self.ledger.repeated(i)
            return answer
        over: Answer = {"round": round, "over": True}
        if answer is None and round == last and not attempt.lost:
            self.ledger.unheard(i)  # it was served before the snapshot, and the reply died with the center
            self.answers[i] = over
        return over

    async def tell(self) -> None:
        """Tell of every round that is complete, with a copy of the center where it is to be judged."""
        plan = self.plan
        while self.written < min(self.ledger.resolved // plan.workers, plan.rounds):
            k = self.written + 1
            due = k % plan.eval_every == 0 or k == plan.rounds
            wanted = due and (self.copies == 0 or k == plan.rounds)
            copy = await self.snapshot() if wanted else None
            if not self.whole.is_set():
                return
            self.copies += copy is not None
            self.written = k
            self.say({"row": k, "due": due, "copy": copy, **self.ledger.told()})

    async def snapshot(self) -> dict[str, Any] | None:
        """The center and what belongs to it, for whoever has the turn; None if a part of it is gone."""
        try:
            parts, buffers = await self.center.copy()
        except RayError as error:
            self.fall(error)
            return None
        told = {"scalars": self.ledger.scalars, "parts": parts, "buffers": buffers, "epoch": self.center.epoch}
        return self.ledger.told() | told
