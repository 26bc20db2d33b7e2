"""The center's process: it serves one exchange after the other, and never waits for a worker.

Where nobody waits for it either, because pulls land later, it lets messages come together for a little, asleep, and
hears and serves them in one go: from the second on, what an exchange needs is in the cache. How long that may be, the
worker with the shortest rounds decides.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from springline.couplings.base import Exchange, Note
from springline.engines.local.plan import EXPECTED, PAUSED, SPARE, TOLD, WANTED, Plan
from springline.engines.local.records import Incoming
from springline.engines.local.server import Server
from springline.engines.real import wire
from springline.engines.real.heap import keep_vectors

Kill = Callable[[str], None]

NEVER = float("inf")
LINGER = 0.5  # of the time in which nobody wants the reply, for which a message may wait for others …
LONGEST = 0.05  # … but no longer than this many seconds: where exchanges are as rare as that, their cost is nothing
SHORTEST = 0.001  # seconds; nobody falls asleep for less


class CenterProcess:
    """listener: workers connect here; boss: the supervisor."""

    def __init__(
        self, plan: Plan, coupling: Exchange, place: Path, listener: socket.socket, boss: socket.socket
    ) -> None:
        torch.set_num_threads(1)
        keep_vectors(plan.vector)
        self.plan, self.coupling, self.listener, self.boss = plan, coupling, listener, boss
        self.server = Server(plan, coupling, place)
        self.words = self.server.words
        self.poll, self.others = select.poll(), select.poll()  # everybody; everybody but workers
        for sock in (listener, boss):
            self.poll.register(sock, select.POLLIN)
            self.others.register(sock, select.POLLIN)
        self.socks: dict[int, socket.socket] = {}  # by file descriptor
        self.names: dict[int, int] = {}  # file descriptor -> worker
        self.lines: dict[int, socket.socket] = {}  # worker -> its connection
        self.held: dict[int, Incoming] = {}  # messages that are not served yet
        self.lingers: dict[int, float] = {}  # worker -> seconds for which its last message might wait for others
        self.opened = time.monotonic()
        self.closes = NEVER  # until when messages may come to those that are held
        self.wakes = NEVER  # when that is all that is waited for
        self.over = False

    def run(self) -> None:
        # a copy is lent since an earlier life; without the word, the supervisor could take a new one for it
        wire.send(self.boss, {"up": "center", "lent": self.words[SPARE]})
        self.tell()
        while True:
            for fd, _ in self.speaking():
                if fd == self.listener.fileno():
                    self.accept()
                elif fd == self.boss.fileno():
                    packet = wire.receive(self.boss)
                    if packet is None:
                        return
                    self.order(packet)
                elif fd in self.socks:
                    packet = wire.receive(self.socks[fd])
                    if packet is None:
                        self.drop(fd)
                    else:
                        self.hear(fd, packet)
            self.advance()

    def speaking(self) -> list[tuple[int, int]]:
        """Who has something to say, waited for; what workers say while messages come together is heard afterwards."""
        if self.wakes == NEVER:
            return self.poll.poll()
        wait = max(0.0, self.wakes - time.monotonic())
        # a round is complete when everybody's message is there; and who has sent none yet may be in need of an answer
        if self.plan.together or wait < SHORTEST or len(self.lingers) < len(self.socks):
            return self.poll.poll(wait * 1000)
        return self.others.poll(wait * 1000) or self.poll.poll(0)

    # -- connections

    def accept(self) -> None:
        sock, _ = self.listener.accept()
        self.socks[sock.fileno()] = sock
        self.poll.register(sock, select.POLLIN)

    def drop(self, fd: int) -> None:
        self.poll.unregister(fd)
        sock = self.socks.pop(fd)
        worker = self.names.pop(fd, None)
        if worker is not None and self.lines.get(worker) is sock:
            del self.lines[worker]
            self.lingers.pop(worker, None)
        sock.close()

    def greet(self, fd: int, packet: dict[str, Any]) -> None:
        i, plan = packet["hello"], self.plan
        why = None
        if not isinstance(i, int) or not 0 <= i < self.server.members:
            why = f"there is no worker {i!r} in this run; join it first (`springline join`)."
        elif packet.get("size") != plan.size or packet.get("dtype") != plan.dtype:
            why = (
                f"worker {i} has {packet.get('size')} parameters of {packet.get('dtype')}, but the run trains "
                f"{plan.size} of {plan.dtype}; build the same model in every worker."
            )
        if why is not None:
            wire.send(self.socks[fd], {"refused": why})
            wire.send(self.boss, {"stranger": str(i), "why": why})
            self.drop(fd)
            return
        if i in self.lines:
            self.drop(self.lines[i].fileno())
        self.held.pop(i, None)  # it was sent by a process that is gone, and its box has a new owner
        if not self.held:
            self.closes = NEVER
        self.names[fd], self.lines[i] = i, self.socks[fd]
        wire.send(self.socks[fd], {"welcome": self.server.tallies.last(i)})

    # -- requests

    def hear(self, fd: int, packet: dict[str, Any]) -> None:
        if "hello" in packet:
            self.greet(fd, packet)
        elif fd not in self.names:
            self.drop(fd)
        elif "fetch" in packet:
            i = self.names[fd]
            center = self.server.center._replace(scalars=self.server.record["scalars"])
            box = self.server.box(i)
            box.first.copy_(self.coupling.fetched(center, start=packet["fetch"] == "start"))
            box.buffers.copy_(center.buffers)
            self.reply(i, {"fetched": self.server.record["updates"]})
        elif "push" in packet or "lost" in packet:
            self.attempt(self.names[fd], packet)
        else:
            self.drop(fd)

    def attempt(self, i: int, packet: dict[str, Any]) -> None:
        """A message, or the news that there was none."""
        tallies, lost = self.server.tallies, "lost" in packet
        round = packet["lost"] if lost else packet["push"]
        if round <= tallies.last(i):
            if not lost and self.server.answered(i) == round:
                tally = tallies.read(i)
                tallies.write(i, tally._replace(repeated=tally.repeated + 1))
                self.reply(i, self.server.answer(i))
            else:
                self.reply(i, {"lost" if lost else "reply": round, "behind": tallies.last(i)})
            return
        if lost:
            self.held[i] = Incoming(i, round, False, Note(i, 0, False, 0.0, 0), {}, lost=True)
            return
        try:
            note = Note(*packet["note"])._replace(worker=i)
        except (TypeError, KeyError):
            note = Note(i, 0, False, float("nan"), 0)
        now = time.monotonic()
        begun = float(packet.get("begun", now))
        ease = packet.get("ease") if self.coupling.eases else None
        self.held[i] = Incoming(
            i, round, bool(packet["asked"]), note, packet.get("scalars", {}), begun=begun, ease=ease
        )
        if (deadline := self.server.protocol.deadline) is not None:
            self.closes = min(self.closes, max(now, self.opened + deadline * (now - begun)))
        elif not self.plan.together:
            self.lingers[i] = min(LONGEST, LINGER * self.plan.slack * (now - begun))
            self.closes = min(self.closes, now + min(self.lingers.values()))

    def reply(self, i: int, packet: dict[str, Any] | bytes) -> None:
        if i in self.lines:
            wire.send(self.lines[i], packet)

    # -- serving

    def advance(self) -> None:
        """Serve what may be served now."""
        self.wakes = NEVER
        while not self.over and self.held:
            chosen = self.choose()
            if not chosen:
                return
            for m in chosen:
                del self.held[m.worker]
            self.server.serve(chosen)
            for m in chosen:
                if not m.absent:  # it asked
                    self.reply(m.worker, {"lost": m.round} if m.lost else self.server.answer(m.worker))
            self.tell()

    def choose(self) -> list[Incoming]:
        """Whose turn it is: in a script whom it names, in a round everybody who is there, else whoever came first."""
        lost = next((m for m in self.held.values() if m.lost), None)
        if self.words[PAUSED]:  # nobody exchanges, but the rounds of those who are down go by
            return [lost] if lost is not None else []
        if self.plan.order and not self.plan.together:
            turn = self.plan.order[self.server.resolved % len(self.plan.order)]
            return [self.held[turn]] if turn in self.held else []
        if lost is not None:
            return [lost]
        now = time.monotonic()
        if len(self.held) < self.words[EXPECTED] and now < self.closes:
            self.wakes = self.closes
            return []
        chosen = list(self.held.values()) if self.plan.together else [next(iter(self.held.values()))]
        self.opened, self.closes = now, NEVER if len(chosen) == len(self.held) else now  # the others follow at once
        return chosen

    def tell(self) -> None:
        """Tell the supervisor of every round that is complete, with a copy of the center where it is wanted."""
        plan, resolved = self.plan, self.server.resolved
        while self.words[TOLD] < min(resolved // plan.workers, plan.rounds):
            k = self.words[TOLD] + 1
            due = k % plan.eval_every == 0 or k == plan.rounds
            copied = self.lend() if due or self.words[WANTED] else 0
            if copied:
                self.words[WANTED] = 0
            scalars = self.server.record["scalars"] if copied else None
            wire.send(self.boss, {"row": k, "due": due, "copied": copied, "scalars": scalars, **self.counts()})
            self.words[TOLD] = k
        self.over = resolved >= plan.total

    def lend(self) -> int:
        """Make a copy of the center for the supervisor: its number, or 0 if an earlier one is not given back yet.

        Numbered, because what is said of one may be heard when there is another, made by a successor of this process.
        """
        if self.words[SPARE]:
            return 0
        self.server.copy()
        self.words[SPARE] = number = time.monotonic_ns()
        return number

    def counts(self) -> dict[str, Any]:
        return {"resolved": self.server.resolved, "updates": self.server.record["updates"], "at": time.monotonic()}

    def order(self, packet: dict[str, Any]) -> None:
        """What the supervisor wants."""
        if "absent" in packet:  # this worker's attempt fails, because it is down
            i, round = packet["absent"], packet["round"]
            if i not in self.held and round == self.server.tallies.last(i) + 1:
                self.held[i] = Incoming(i, round, False, Note(i, 0, False, 0.0, 0), {}, lost=True, absent=True)
        elif "members" in packet:
            self.server.grow(packet["members"])
            wire.send(self.boss, {"members": self.server.members})
        elif "copy" in packet:
            copied = self.lend()
            wire.send(self.boss, {"copied": copied, "scalars": self.server.record["scalars"], **self.counts()})


def main(plan: Plan, coupling: Exchange, place: Path, listener: socket.socket, boss: socket.socket) -> int:
    CenterProcess(plan, coupling, place, listener, boss).run()
    return 0
