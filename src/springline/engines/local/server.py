"""The center's exchanges on shared memory: each happens exactly once, wherever the process that makes it is killed.

    1. measure and decide        read only
    2. commit                    the decision, the new scalars and the counts go into the unused one of two records;
                                 one word (generation, step 0) makes it the used one
    3. for each chunk            its old values are put aside, one word says so; it is changed; one word counts the step
                                 (the message's chunk is still there: the reply is written one chunk before it)
    4. replies and tallies       written as values, not as increments
    5. done                      one word

A process that starts on this memory continues with step 3 at the counted chunk, with the old values of that chunk if
they were put aside. Everything after the commit is therefore a function of the record and the vectors, and doing it
again changes nothing. sweep.py makes an exchange in one pass instead, where the coupling and the moment allow it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from springline.couplings.base import Exchange, Message, Vectors, cut
from springline.engines.local.box import Box
from springline.engines.local.memory import PAGE, Region, Text
from springline.engines.local.plan import CHUNK, REPLY, STEP, SWAPPED, UNDO, Plan, views
from springline.engines.local.records import DONE, Incoming, with_one_more
from springline.engines.local.sweep import sweep_of
from springline.engines.local.tally import Tallies
from springline.engines.real.codec import decode, encode
from springline.engines.real.protocol import protocol_of

Pieces = tuple[Vectors, Vectors, Vectors]  # of one chunk: a worker's row and message, and where its reply goes


class Server:
    """Serves messages on the memory of a run. hook: called with a label between any two writes, for tests."""

    def __init__(
        self, plan: Plan, coupling: Exchange, place: Path, hook: Callable[[str], None] = lambda _: None
    ) -> None:
        self.plan, self.coupling, self.place, self.hook = plan, coupling, place, hook
        self.protocol = protocol_of(coupling)
        self.region = Region(place / "center")
        self.words = self.region.words(0, PAGE // 8)
        self.tallies, self.spare_tallies = Tallies(plan, self.region), Tallies(plan, self.region, spare=True)
        at = plan.records
        self.records = [Text(self.region, at + k * plan.record, plan.record) for k in range(2)]
        self.replies = [Text(self.region, plan.replies + i * REPLY, REPLY) for i in range(plan.capacity)]
        kinds = {plan.kind, plan.buffer_kind}
        self.undo = {kind: self.region.tensor(plan.undo, (plan.undo_rows, CHUNK), kind) for kind in kinds}
        self.boxes: dict[int, Box] = {}
        self.generation = self.words[STEP] >> 32
        self.record: dict[str, Any] = decode(self.records[self.generation & 1].read())
        self.look()
        self.sweep = sweep_of(self)
        self.finish()

    @property
    def resolved(self) -> int:
        """Attempts whose outcome is known."""
        resolved: int = self.record["resolved"]
        return resolved

    @property
    def members(self) -> int:
        """Workers the center has room for."""
        members: int = self.record["members"]
        return members

    def box(self, i: int) -> Box:
        if i not in self.boxes:
            self.boxes[i] = Box(self.plan, self.place, i)
        return self.boxes[i]

    def answer(self, i: int) -> bytes:
        """The last reply to worker i, as it was or should have been sent; empty before the first."""
        return self.replies[i].read()

    def answered(self, i: int) -> int | None:
        """The round that this reply answers."""
        answer = self.answer(i)
        round: int | None = decode(answer)["reply"] if answer else None
        return round

    # -- one exchange

    def serve(self, incoming: list[Incoming]) -> None:
        """Apply the messages that are served at once, in the order of their workers; the replies stand in `answer`."""
        incoming = sorted(incoming, key=lambda m: m.worker)
        messages = [
            Message(self.box(m.worker).message, m.note, m.scalars, self.box(m.worker).buffers)
            for m in incoming
            if not m.lost
        ]
        if self.sweep is not None and messages and self.sweep.begin(incoming[0], messages[0]):
            return
        center = self.center._replace(scalars=self.record["scalars"])
        scalars, decisions = self.protocol.judge(center, messages)
        found = {m.note.worker: d for m, d in zip(messages, decisions, strict=True)}
        updates = self.record["updates"]
        entries = []
        for m in incoming:
            decision = found.get(m.worker)
            updates += decision is not None
            entries.append(self.entry(m, decision, updates))
        resolved = self.resolved + len(entries)
        self.commit({"scalars": scalars, "resolved": resolved, "updates": updates, "entries": entries})

    def entry(
        self, m: Incoming, decision: dict[str, Any] | None, updates: int, *, swept: bool = False
    ) -> dict[str, Any]:
        """What one message leaves in the record. swept: the vectors are changed already."""
        plan, t = self.plan, self.tallies.read(m.worker)
        vector, buffers = plan.size * plan.kind.itemsize, plan.buffer_size * plan.buffer_kind.itemsize
        sent, back = len(plan.message) * vector + buffers, len(plan.reply) * vector
        t = t.resolved(m.round, decision, updates, lost=m.lost, asked=m.asked, sent=sent, back=back)
        found = {"worker": m.worker, "round": m.round, "lost": m.lost, "swept": swept, "ease": m.ease}
        return found | {"decision": decision, "tally": list(t)}

    def commit(self, changes: dict[str, Any]) -> None:
        """From here on the exchange will have happened."""
        self.hook("decided")
        record = self.record | changes
        generation = (self.generation + 1) & 0xFFFFFFFF
        self.records[generation & 1].write(encode(record))
        self.hook("recorded")
        self.words[STEP] = generation << 32
        self.generation, self.record = generation, record
        self.hook("committed")
        self.finish()

    def finish(self) -> None:
        """Do what the record says from the counted step on."""
        step = self.words[STEP] & DONE
        if step == DONE:
            return
        if self.sweep is not None and self.record["ahead"] is not None:
            self.sweep.finish(self.record["ahead"], step)
            return
        if self.words[SWAPPED] != self.record["swapped"]:
            self.words[SWAPPED] = self.record["swapped"]
            self.change_places()
            self.hook("swapped")
        entries = self.record["entries"]
        applied = [e for e in entries if e["decision"] is not None and not e["swept"]]
        if applied:
            self.change(applied, step)
        for e in entries:
            if not e["lost"]:
                reply = {"reply": e["round"], "accepted": e["decision"] is not None, "scalars": e["decision"] or {}}
                reply["ease"] = e["ease"]
                self.replies[e["worker"]].write(encode(reply))
            self.hook("replied")
            self.tallies.write(e["worker"], e["tally"])
            self.hook("tallied")
        self.words[STEP] = self.generation << 32 | DONE
        self.hook("done")

    def change(self, applied: list[dict[str, Any]], step: int) -> None:
        """Change the vectors chunk by chunk, and then the buffers."""
        words, mark = self.words, self.generation << 32
        workers, decisions = [e["worker"] for e in applied], [e["decision"] for e in applied]
        lines = [self.line(i) for i in workers]
        chunks = len(self.shared)
        for k in range(step, chunks):
            shared, pieces = self.shared[k], [line[k] for line in lines]
            rows = [row for row, _, _ in pieces]
            self.keep(mark | k, [*shared.values(), *(v for row in rows for v in row.values())])
            replies = self.protocol.change_(shared, rows, [message for _, message, _ in pieces], decisions)
            self.hook("applied")
            for (_, message, place), reply, e in zip(pieces, replies, applied, strict=True):
                if e["ease"]:
                    self.coupling.ease_(e["ease"], message, e["decision"], reply)
                for piece, v in zip(place.values(), reply.values(), strict=True):
                    piece.copy_(v)
                    self.hook("written")
            words[STEP] = mark | (k + 1)
            self.hook("stepped")
        buffers, theirs = self.center.buffers, [self.box(i).buffers for i in workers]
        for k in range(max(step, chunks), chunks + -(-len(buffers) // CHUNK)):
            a, b = (k - chunks) * CHUNK, (k - chunks + 1) * CHUNK
            self.keep(mark | k, [buffers[a:b]])
            self.protocol.blend_(buffers[a:b], [t[a:b] for t in theirs], decisions)
            self.hook("blended")
            words[STEP] = mark | (k + 1)

    def keep(self, mark: int, pieces: list[Tensor]) -> None:
        """Put the values aside that the next step changes; or, if it was torn, put them back."""
        undo = self.undo[pieces[0].dtype]
        if self.words[UNDO] == mark + 1:
            for kept, piece in zip(undo, pieces, strict=False):
                piece.copy_(kept[: len(piece)])
            self.hook("restored")
        else:
            for kept, piece in zip(undo, pieces, strict=False):
                kept[: len(piece)].copy_(piece)
            self.hook("kept")
            self.words[UNDO] = mark + 1
            self.hook("marked")

    def look(self) -> None:
        """Cut the center and its spare copy into chunks, as views."""
        self.center = views(self.plan, self.region, self.members)
        self.spare = views(self.plan, self.region, self.members, spare=True)
        edges = range(0, self.plan.size, CHUNK)
        self.shared = [cut(self.center.shared, a, a + CHUNK) for a in edges]
        self.spare_shared = [cut(self.spare.shared, a, a + CHUNK) for a in edges]
        self.lines: dict[int, list[Pieces]] = {}

    def change_places(self) -> None:
        """The spare copy is the center from now on."""
        self.center, self.spare = self.spare, self.center
        self.shared, self.spare_shared = self.spare_shared, self.shared

    def line(self, i: int) -> list[Pieces]:
        """Worker i's row, message and reply in chunks."""
        if i not in self.lines:
            row, box = self.center.row(i), self.box(i)
            self.lines[i] = [
                (cut(row, a, a + CHUNK), cut(box.message, a, a + CHUNK), cut(box.reply, a, a + CHUNK))
                for a in range(0, self.plan.size, CHUNK)
            ]
        return self.lines[i]

    # -- copies, and more members

    def grow(self, members: int) -> None:
        """Make room for more workers; the rows of a new one are those of a run that begins at the present center."""
        center = self.center._replace(scalars=self.record["scalars"])
        larger = views(self.plan, self.region, members)
        readout = self.coupling.readout(center)
        for n in range(self.members + 1, members + 1):
            for a in range(0, self.plan.size, CHUNK):
                fresh = self.coupling.center(readout[a : a + CHUNK], center.buffers[:0], n)
                for name, rows in fresh.rows.items():
                    larger.rows[name][n - 1, a : a + CHUNK].copy_(rows[n - 1])
            self.hook("grown")
            scalars = with_one_more(self.coupling, self.record["scalars"], n)
            self.commit({"scalars": scalars, "members": n, "entries": []})
        self.look()

    def copy(self) -> None:
        """The whole center and its tallies into the spare copy."""
        spare = self.spare
        for name, v in self.center.shared.items():
            spare.shared[name].copy_(v)
        for name, v in self.center.rows.items():
            spare.rows[name].copy_(v)
        spare.buffers.copy_(self.center.buffers)
        self.spare_tallies.copy(self.tallies)
