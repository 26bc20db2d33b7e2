"""An exchange in one pass, for couplings whose decision can be guessed: each chunk is read once from memory.

    1. foresee                   the decision as far as applying needs it; it is recorded with the message
    2. for each chunk            it is measured, and what it becomes goes into the spare copy; the sums so far; one word
                                 counts the step
    3. commit                    it is decided again, with the sums; if what was foreseen stands, the spare copy becomes
                                 the center, else the chunks are swept once more by the new decision

Messages of a coupling whose guess may not stand are still there for the second sweep (`Plan.apart`); others are
overwritten by their replies.

Until the commit the center stays as it was, so a message of which any chunk turns out not to be finite is refused by
not changing places, and there is nothing to undo: a successor goes on at the counted chunk. Where one chunk is all, it
begins anew, so nothing has to be recorded before the commit.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from springline.couplings.base import Message, Note
from springline.engines.local.plan import SPARE, STEP, SUMS
from springline.engines.local.records import Incoming
from springline.engines.real.protocol import Single

if TYPE_CHECKING:
    from springline.engines.local.server import Server


class Sweep:
    """sums: two places for what is measured of the chunks so far; the counted step tells which of them holds."""

    def __init__(self, server: Server, single: Single) -> None:
        self.server, self.single, self.coupling = server, single, single.coupling
        plan, few = server.plan, torch.empty(0, dtype=server.plan.kind)
        empty = (dict.fromkeys(names, few) for names in (plan.shared, (), plan.message))
        count = len(self.coupling.measure(*empty))
        assert count <= SUMS, f"{count} measured numbers do not fit"
        self.sums = [server.region.numbers(plan.sums + k * SUMS * 8, count) for k in range(2)]

    def begin(self, m: Incoming, message: Message) -> bool:
        """Make the exchange. False if it cannot be made so: the spare copy is lent, or the message will be refused."""
        server = self.server
        if server.words[SPARE]:
            return False
        _, decision = self.single.decide(server.record["scalars"], message, [math.nan] * len(self.sums[0]))
        if decision is None:
            return False
        if len(server.shared) > 1:
            server.commit({"entries": [], "ahead": {"message": asdict(m), "decision": decision}})
            return True
        while decision is not None:
            decision = self.settle(m, message, decision, self.piece(m, decision, 0))
        return True

    def finish(self, ahead: dict[str, Any], step: int) -> None:
        """Do what a record has foreseen, from the counted step on."""
        m = Incoming(**ahead["message"] | {"note": Note(*ahead["message"]["note"])})
        box = self.server.box(m.worker)
        message = Message(box.message, m.note, m.scalars, box.buffers)
        better = self.settle(m, message, ahead["decision"], self.sweep(m, ahead["decision"], step))
        if better is not None:
            self.server.commit({"ahead": ahead | {"decision": better}})

    def settle(self, m: Incoming, message: Message, guess: dict[str, Any], sums: list[float]) -> dict[str, Any] | None:
        """Make the spare copy the center, if it was made by a guess that stands; else the decision to sweep by."""
        server, record = self.server, self.server.record
        fit = sums if all(map(math.isfinite, sums)) else None
        scalars, decision = self.single.decide(record["scalars"], message, fit)
        if decision is not None and not self.coupling.stands(guess, decision):
            return decision
        if server.plan.buffer_size:
            server.spare.buffers.copy_(server.center.buffers)
            self.single.blend_(server.spare.buffers, [message.buffers], [guess])
        made = decision is not None
        updates = record["updates"] + made
        entries = [server.entry(m, decision, updates, swept=True)]
        changes = {"scalars": scalars, "resolved": server.resolved + 1, "updates": updates, "entries": entries}
        server.commit(changes | {"ahead": None, "swapped": record["swapped"] != made})
        return None

    def piece(self, m: Incoming, decision: dict[str, Any], k: int) -> list[float]:
        """Chunk k of the message into the spare copy; its sums."""
        server = self.server
        _, message, reply = server.line(m.worker)[k]
        found = self.coupling.sweep_(server.shared[k], message, decision, server.spare_shared[k], reply, m.ease)
        server.hook("swept")
        return found

    def sweep(self, m: Incoming, decision: dict[str, Any], step: int) -> list[float]:
        """Every chunk of the message, from this step on, into the spare copy; the sums over all of them."""
        server, mark, chunks = self.server, self.server.generation << 32, len(self.server.shared)
        for k in range(step, chunks):
            found = self.piece(m, decision, k)
            before, after = self.sums[k & 1], self.sums[k + 1 & 1]
            for j, value in enumerate(found):
                after[j] = before[j] + value if k else value
            server.hook("summed")
            server.words[STEP] = mark | (k + 1)
            server.hook("stepped")
        return list(self.sums[chunks & 1])


def sweep_of(server: Server) -> Sweep | None:
    """None where exchanges are made in two passes: the coupling decides by what is measured, or it has rows, which have
    no place of their own to be swept into."""
    single, plan = server.protocol, server.plan
    if not isinstance(single, Single) or single.coupling.by_sums == "yes" or plan.rows:
        return None
    return Sweep(server, single)
