"""A center that dies between any two writes: its successor makes every exchange exactly once."""

from __future__ import annotations

import json

import pytest
import torch

from springline.couplings import ASGD, Dynamic, Elastic, Fixed, Guarded, base
from springline.couplings.averaging import Moving
from springline.couplings.base import DIFFERENCE, LANDED, Note
from springline.couplings.dana_zero import DanaZero
from springline.couplings.downpour import Downpour
from springline.couplings.sync_base import SyncCoupling
from springline.couplings.sync_elastic import SyncElastic
from springline.engines.local import plan as planning
from springline.engines.local import server as serving
from springline.engines.local.box import Box, make_box
from springline.engines.local.plan import SPARE, Plan, serve, views
from springline.engines.local.records import Incoming, lay, reply_of
from springline.engines.local.server import Server
from springline.engines.local.sweep import Sweep
from springline.engines.real.codec import decode
from springline.engines.real.tally import Tally

P, B, N = 1000, 70, 3  # parameters, buffers, workers
COUPLINGS = [
    Elastic(Guarded()), Elastic(Fixed()), Elastic(Dynamic()), DanaZero(), Downpour(Moving(0.1)), ASGD(), SyncElastic(),
]  # fmt: skip
SWEPT = {"decided", "committed", "swept", "swapped", "done"}
KEPT = {"decided", "committed", "kept", "marked", "applied", "written", "stepped", "blended", "done"}


EASES = (None, LANDED, DIFFERENCE)
CASES = [(coupling, ease) for coupling in COUPLINGS for ease in (EASES if coupling.eases else EASES[:1])]


def name_of(value) -> str:
    return str(value) if value in EASES else type(getattr(value, "weights", value)).__name__


class Killed(BaseException):
    pass


class Reaper:
    """Kills at the k-th label."""

    def __init__(self, k: int) -> None:
        self.left, self.labels = k, []

    def __call__(self, label: str) -> None:
        self.labels.append(label)
        self.left -= 1
        if self.left == 0:
            raise Killed(label)


@pytest.fixture(autouse=True)
def chunk(request, monkeypatch):
    """Elements in a chunk: the vectors are several, or one."""
    size = getattr(request, "param", 256)
    monkeypatch.setattr(base, "BLOCK", size)
    for module in (planning, serving):
        monkeypatch.setattr(module, "CHUNK", size)
    return size


several_or_one = pytest.mark.parametrize("chunk", [256, 2 * P], indirect=True)


class Bench:
    """A center in shared memory, and the same one held by the reference."""

    def __init__(self, coupling, place, ease=None) -> None:
        generator = torch.Generator().manual_seed(1)
        self.draw = lambda n: torch.randn(n, generator=generator)
        self.coupling, self.place, self.ease = coupling, place, ease
        x0, b0 = self.draw(P), self.draw(B).double()
        self.reference = coupling.center(x0, b0, N)
        probe = coupling.push(coupling.worker(x0), x0, Note(0, 0, False, 1.0, 1), b0)[1]
        replies = serve(coupling, coupling.center(x0, b0, N), [probe])[1]
        self.plan = Plan(
            P, B, "float32", "float64", N, N, 10, 1, tuple(self.reference.shared), tuple(self.reference.rows),
            tuple(probe.vectors), tuple(replies[0].vectors), together=isinstance(coupling, SyncCoupling),
            apart=isinstance(coupling, Elastic) and coupling.by_sums == "rarely" and P > planning.CHUNK,
        )  # fmt: skip
        lay(self.plan, place, coupling.center(x0, b0, N), [Tally()] * N)
        for i in range(N):
            make_box(self.plan, place, i)
        self.boxes = [Box(self.plan, place, i) for i in range(N)]
        self.link = coupling.worker(x0)
        self.pushed = {}
        self.told = {}  # what messages say instead of the truth

    def messages(self, round: int, workers):
        """Messages in the boxes, and the same ones for the reference."""
        incoming, messages = [], []
        for i in workers:
            note = Note(i, 0, False, 1.0 + i, 1)
            link, message = self.coupling.push(self.link, self.draw(P), note, self.draw(B).double())
            message = message._replace(scalars=message.scalars | self.told)
            self.pushed[i] = link
            self.boxes[i].put(message)
            incoming.append(Incoming(i, round, True, note, message.scalars, ease=self.ease))
            messages.append(message)
        return incoming, messages

    def agree(self, server: Server, replies, workers) -> None:
        """The center, and each worker's reply, are the reference's to the last bit."""
        for name, v in self.reference.shared.items():
            assert torch.equal(server.center.shared[name], v), name
        for name, v in self.reference.rows.items():
            assert torch.equal(server.center.rows[name], v), name
        assert torch.equal(server.center.buffers, self.reference.buffers)
        assert same(server.record["scalars"], self.reference.scalars)
        for i, reply in zip(workers, replies, strict=True):
            told = decode(server.answer(i))
            assert told["accepted"]
            assert same(told["scalars"], reply.scalars)
            expected = reply.vectors
            sent = self.pushed[i].vectors.get("sent")
            if self.ease == LANDED:
                expected = {LANDED: self.coupling.pull(self.pushed[i], sent, reply)[1]}
            elif self.ease == DIFFERENCE:
                expected = {DIFFERENCE: sent - reply.vectors["c"]}
            found = reply_of(told, self.boxes[i]).vectors
            assert set(found) == set(expected)
            for name, v in expected.items():
                assert torch.equal(found[name], v), name


def same(a, b) -> bool:
    return json.dumps(a) == json.dumps(b)  # in which nan is nan


def rounds(coupling):
    """Who is served at once, three times."""
    return [(0, 1, 2), (0, 2), (1,)] if isinstance(coupling, SyncCoupling) else [(0,), (2,), (0,)]


@several_or_one
@pytest.mark.parametrize(("coupling", "ease"), CASES, ids=name_of)
def test_serves_as_the_reference(coupling, ease, tmp_path):
    bench = Bench(coupling, tmp_path, ease)
    server = Server(bench.plan, coupling, tmp_path)
    for round, workers in enumerate(rounds(coupling), 1):
        incoming, messages = bench.messages(round, workers)
        bench.reference, replies = serve(coupling, bench.reference, messages)
        server.serve(incoming)
        bench.agree(server, replies, workers)


def die_everywhere(bench, workers, first):
    """Each exchange is killed at label 1, 2, 3 … and its recovery killed again two labels later. first: its round."""
    coupling, place = bench.coupling, bench.place
    labels = Reaper(-1)
    server = Server(bench.plan, coupling, place, labels)
    incoming, messages = bench.messages(first, workers)
    bench.reference, replies = serve(coupling, bench.reference, messages)
    server.serve(incoming)
    bench.agree(server, replies, workers)
    resolved = server.resolved
    assert set(labels.labels) >= (
        SWEPT | ({"summed", "stepped"} if P > planning.CHUNK else set()) if server.sweep else KEPT
    )
    for k in range(1, len(labels.labels) + 1):
        incoming, messages = bench.messages(first + k, workers)
        bench.reference, replies = serve(coupling, bench.reference, messages)
        with pytest.raises(Killed):
            Server(bench.plan, coupling, place, Reaper(k)).serve(incoming)
        try:
            server = Server(bench.plan, coupling, place, Reaper(2))  # its successor dies too
        except Killed:
            server = Server(bench.plan, coupling, place)
        server.hook = lambda _: None
        if server.tallies.last(workers[0]) < first + k:  # never committed: the workers ask again
            server.serve(incoming)
        bench.agree(server, replies, workers)
        assert server.resolved == resolved + k * len(workers)
        assert sum(server.tallies.read(i).made for i in range(N)) == server.resolved
    return labels.labels


@several_or_one
@pytest.mark.parametrize(("coupling", "ease"), CASES, ids=name_of)
def test_a_death_anywhere_changes_nothing(coupling, ease, tmp_path):
    die_everywhere(Bench(coupling, tmp_path, ease), rounds(coupling)[0], 1)


@several_or_one
@pytest.mark.parametrize("ease", EASES)
def test_a_guess_that_does_not_stand_is_swept_again(ease, chunk, tmp_path):
    """A message from nowhere, which the weights see only when its distance has been measured; killed everywhere too."""
    bench = Bench(Elastic(Guarded()), tmp_path, ease)
    bench.told = {"reach": 0.1}
    labels = die_everywhere(bench, (0,), 1)
    assert labels.count("swept") == 2 * -(-P // chunk)


def test_the_test_would_notice(tmp_path, monkeypatch):
    """Without the old values, a torn chunk is changed twice; a sweep that begins anew finds replies for messages."""
    monkeypatch.setattr(Server, "keep", lambda self, mark, pieces: self.hook("kept"))
    sweep = Sweep.sweep
    monkeypatch.setattr(Sweep, "sweep", lambda self, m, decision, step: sweep(self, m, decision, 0))
    for coupling in (Elastic(Fixed()), Elastic(Dynamic())):
        with pytest.raises(AssertionError):
            test_a_death_anywhere_changes_nothing(coupling, None, tmp_path)


@several_or_one
@pytest.mark.parametrize("ease", EASES)
def test_one_pass_or_two(ease, tmp_path):
    """While the spare copy is lent exchanges take two passes and leave it alone; their bytes are the same."""
    bench = Bench(COUPLINGS[0], tmp_path, ease)
    labels = Reaper(-1)
    server = Server(bench.plan, COUPLINGS[0], tmp_path, labels)
    for round in range(1, 9):
        labels.labels.clear()
        lent = round % 4 in (2, 3)
        if lent and not server.words[SPARE]:
            server.copy()
            kept = bench.reference.shared["c"].clone()
        server.words[SPARE] = lent
        incoming, messages = bench.messages(round, (1,))
        bench.reference, replies = serve(COUPLINGS[0], bench.reference, messages)
        server.serve(incoming)
        bench.agree(server, replies, (1,))
        assert ("swept" in labels.labels) != lent
        assert ("kept" in labels.labels) == lent
        if lent:
            assert torch.equal(views(bench.plan, server.region, N, spare=True).shared["c"], kept)


@pytest.mark.parametrize("coupling", [Elastic(Guarded()), Elastic(Dynamic())], ids=name_of)
def test_refuses_what_is_not_finite(coupling, tmp_path):
    bench = Bench(coupling, tmp_path)
    server = Server(bench.plan, coupling, tmp_path)
    for where, spoil in (("message", bench.boxes[1].message["x"]), ("buffers", bench.boxes[1].buffers)):
        incoming, _ = bench.messages(server.tallies.last(1) + 1, (1,))
        spoil[-1] = float("inf")
        before = server.center.shared["c"].clone()
        server.serve(incoming)
        assert not decode(server.answer(1))["accepted"], where
        assert torch.equal(server.center.shared["c"], before)
    assert server.tallies.read(1).refused == server.tallies.read(1).lost == 2
    assert server.resolved == 2


def test_refuses_scalars_that_make_no_sense(tmp_path):
    bench = Bench(COUPLINGS[0], tmp_path)
    server = Server(bench.plan, COUPLINGS[0], tmp_path)
    incoming, _ = bench.messages(1, (1,))
    server.serve([Incoming(1, 1, True, incoming[0].note, {"u": "?"})])
    assert not decode(server.answer(1))["accepted"]


@pytest.mark.parametrize("coupling", COUPLINGS, ids=name_of)
def test_grows(coupling, tmp_path):
    """A center that one more worker joins at its start is the one that begins with one more."""
    bench = Bench(coupling, tmp_path)
    x0 = coupling.readout(bench.reference).clone()
    lay(bench.plan, tmp_path, coupling.center(x0, bench.reference.buffers, N - 1), [Tally()] * (N - 1))
    server = Server(bench.plan, coupling, tmp_path)
    server.grow(N)
    expected = coupling.center(x0, bench.reference.buffers, N)
    assert server.members == N
    assert same(server.record["scalars"], expected.scalars)
    for name, v in expected.rows.items():
        assert torch.equal(server.center.rows[name], v)
