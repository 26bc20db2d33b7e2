"""The center, told one thing after the other: whose messages come together, and which are served as they come."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import torch

from springline.couplings import Elastic
from springline.couplings.base import Note
from springline.couplings.sync_elastic import SyncElastic
from springline.engines.local import center as module
from springline.engines.local.box import Box, make_box
from springline.engines.local.center import LONGEST, NEVER, CenterProcess
from springline.engines.local.plan import EXPECTED, Plan
from springline.engines.local.records import lay
from springline.engines.real import wire
from springline.engines.real.tally import Tally

P, N = 8, 3


class Bench:
    """A center without its loop, N workers that have said hello, and a clock that stands."""

    def __init__(self, coupling, slack, place, monkeypatch) -> None:
        self.now = time.monotonic()
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now, monotonic_ns=lambda: 1))
        x0, few = torch.zeros(P), torch.empty(0)
        plan = Plan(
            P, 0, "float32", "float32", N, N, 10, 1, ("c",), (), ("x",), ("c",), together=coupling.protocol == "round",
            slack=slack,
        )  # fmt: skip
        lay(plan, place, coupling.center(x0, few, N), [Tally()] * N)
        for i in range(N):
            make_box(plan, place, i)
        self.coupling, self.link = coupling, coupling.worker(x0)
        self.boxes = [Box(plan, place, i) for i in range(N)]
        self.boss, theirs = wire.pair()
        self.listener = wire.listen(str(place / "center.sock"))
        self.center = CenterProcess(plan, coupling, place, self.listener, theirs)
        self.place = place
        self.socks = [self.hello(i) for i in range(N)]

    def hello(self, i):
        sock = wire.connect(str(self.place / "center.sock"))
        self.center.accept()
        wire.send(sock, {"hello": i, "size": P, "dtype": "float32"})
        self.hear(list(self.center.socks.values())[-1])
        assert wire.receive(sock) == {"welcome": self.center.server.tallies.last(i)}
        return sock

    def hear(self, sock) -> None:
        self.center.hear(sock.fileno(), wire.receive(sock))
        self.center.advance()

    def send(self, i, round, took) -> None:
        """Worker i hands in a message at the end of a round that took so long."""
        _, message = self.coupling.push(self.link, torch.ones(P), Note(i, 0, False, 1.0, 1), torch.empty(0))
        self.boxes[i].put(message)
        packet = {"push": round, "asked": True, "note": list(message.note), "scalars": message.scalars}
        wire.send(self.socks[i], packet | {"begun": self.now - took})

    def push(self, i, round, took) -> None:
        """And the center hears it."""
        self.send(i, round, took)
        self.hear(self.center.lines[i])

    def push_all(self, round, took) -> None:
        """Everybody does, and is answered."""
        for i in range(N):
            self.push(i, round, took)
        assert self.answered() == list(range(N))

    def answered(self) -> list[int]:
        """Whose reply has come."""
        return [i for i, sock in enumerate(self.socks) if wire.waiting(sock) is not None]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = []

    def make(coupling, slack=0.0):
        place = tmp_path / str(len(made))
        place.mkdir()
        made.append(Bench(coupling, slack, place, monkeypatch))
        return made[-1]

    yield make
    for b in made:
        for sock in (*b.socks, *b.center.socks.values(), b.boss, b.center.boss, b.listener):
            sock.close()


def test_a_worker_that_waits_is_served_at_once(bench):
    b = bench(Elastic())
    b.push(0, 1, took=10.0)
    assert b.answered() == [0]
    assert b.center.wakes == NEVER


def test_together_when_time_is_up(bench):
    b = bench(Elastic(), slack=1.0)
    b.push(0, 1, took=0.04)
    b.push(2, 1, took=0.04)
    assert b.answered() == []
    assert b.center.wakes - b.now == pytest.approx(0.02, abs=1e-6)
    b.now = b.center.wakes
    b.center.advance()
    assert b.answered() == [0, 2]
    assert b.center.wakes == NEVER
    b.push(0, 2, took=0.04)  # the next ones have a time of their own
    assert b.answered() == []
    assert b.center.wakes - b.now == pytest.approx(0.02, abs=1e-6)


def test_asleep_for_workers_only(bench):
    """Messages that come meanwhile do not wake the center; its supervisor does, and a worker that knocks."""
    b = bench(Elastic(), slack=1.0)
    b.push_all(1, took=1.0)
    b.push(0, 2, took=1.0)
    b.send(2, 2, took=1.0)
    wire.send(b.boss, {"look": True})
    newcomer = wire.connect(str(b.place / "center.sock"))
    assert sorted(fd for fd, _ in b.center.speaking()) == sorted([b.center.boss.fileno(), b.listener.fileno()])
    b.center.order(wire.receive(b.center.boss))
    b.now = b.center.wakes
    assert b.center.lines[2].fileno() in [fd for fd, _ in b.center.speaking()]
    b.hear(b.center.lines[2])
    assert b.answered() == [0, 2]
    newcomer.close()


def test_awake_while_somebody_may_be_in_need_of_an_answer(bench):
    """Who has sent no message yet may be asking for the center; and for less than a millisecond nobody falls asleep."""
    b = bench(Elastic(), slack=1.0)
    b.center.others = None
    b.push(0, 1, took=1.0)
    wire.send(b.socks[2], {"fetch": "start"})
    assert [fd for fd, _ in b.center.speaking()] == [b.center.lines[2].fileno()]
    b.hear(b.center.lines[2])
    assert "fetched" in wire.receive(b.socks[2])
    b = bench(Elastic(), slack=1.0)
    b.center.others = None
    b.push_all(1, took=0.001)
    b.push(0, 2, took=0.001)
    b.send(1, 2, took=0.001)
    assert [fd for fd, _ in b.center.speaking()] == [b.center.lines[1].fileno()]


def test_the_shortest_rounds_decide(bench):
    """A worker that lags holds up nobody, whether its message is the first or not; what has gone decides nothing."""
    b = bench(Elastic(), slack=1.0)
    b.push(0, 1, took=0.01)
    b.push(1, 1, took=0.04)
    b.push(2, 1, took=0.04)
    assert b.answered() == [0, 1, 2]
    b.push(1, 2, took=0.04)
    assert b.center.wakes - b.now == pytest.approx(0.005, abs=1e-6)
    b.now = b.center.wakes
    b.center.advance()
    assert b.answered() == [1]
    b.center.drop(b.center.lines[0].fileno())
    b.push(1, 3, took=0.04)
    assert b.center.wakes - b.now == pytest.approx(0.02, abs=1e-6)


def test_a_round_is_complete_when_its_last_message_is_there(bench):
    b = bench(SyncElastic(beta=0.9, deadline=2.0))
    b.center.others = None  # it has to wait for everybody
    b.push(0, 1, took=1.0)
    b.send(2, 1, took=1.0)
    assert [fd for fd, _ in b.center.speaking()] == [b.center.lines[2].fileno()]


def test_at_once_when_everybody_has_come(bench):
    b = bench(Elastic(), slack=0.5)
    b.push(0, 1, took=0.04)
    b.push(1, 1, took=0.04)
    assert b.answered() == []
    b.push(2, 1, took=0.04)
    assert b.answered() == [0, 1, 2]


def test_those_who_are_not_there_are_not_waited_for(bench):
    for coupling, slack in ((Elastic(), 1.0), (SyncElastic(beta=0.9, deadline=2.0), 0.0)):
        b = bench(coupling, slack)
        b.push(0, 1, took=0.04)
        b.push(2, 1, took=0.04)
        assert b.answered() == []
        b.center.words[EXPECTED] = 2  # the third has left
        b.center.advance()
        assert b.answered() == [0, 2]


@pytest.mark.parametrize("took", [1e9, float("nan")])
def test_never_for_long(bench, took):
    b = bench(Elastic(), slack=1.0)
    b.push(0, 1, took=took)
    assert b.center.wakes - b.now == pytest.approx(LONGEST, abs=1e-6)


def test_a_round_that_lost_its_only_message_is_not_open_any_more(bench):
    """Its deadline went with the worker that had set it: a later message opens a round of its own."""
    b = bench(SyncElastic(beta=0.9, deadline=2.0))
    b.push(0, 1, took=1.0)
    assert b.answered() == []
    b.socks[0].close()
    b.socks[0] = b.hello(0)
    b.now += 100.0
    b.center.opened = b.now
    b.push(1, 1, took=1.0)
    assert b.answered() == []
    assert b.center.wakes - b.now == pytest.approx(2.0, abs=1e-6)


def test_a_round_that_goes_by_is_counted_once(bench):
    """Whoever says so may not have seen yet that it was heard."""
    b = bench(Elastic())
    for round, lost in ((1, 1), (1, 1), (3, 1), (2, 2)):
        b.center.order({"absent": 0, "round": round})
        b.center.advance()
        assert b.center.server.tallies.read(0).lost == lost
    assert b.answered() == []
