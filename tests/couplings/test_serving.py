"""What every engine relies on: the center's step can be cut, refuses what is damaged, and shares no memory."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import springline
from springline.checkpoint import load_state, save_state
from springline.couplings import Downpour, Dynamic, Elastic
from springline.couplings.base import BLOCK, DIFFERENCE, LANDED, Note, Reply, cut, measure_in_blocks
from springline.couplings.gradient_base import GradientCoupling

from .states import ALL, STAR, B, N, content, message, normal, note, seasoned, serve_, tensors


@pytest.mark.parametrize("name", STAR)
def test_cut_into_uneven_blocks_gives_the_bytes_of_the_whole(name: str) -> None:
    coupling, size = ALL[name], BLOCK + 1234
    whole = seasoned(coupling, size)
    cuts, m = copy.deepcopy(whole), message(coupling, 0, size, 50)
    whole, reply = coupling.serve_(whole, m)

    row = cuts.row(0)
    measured = measure_in_blocks(coupling, cuts.shared, row, m)
    assert measured is not None
    scalars, decision = coupling.decide(cuts.scalars, m, measured)
    edges = [0, 1, 7, 1000, 4096, BLOCK - 3, size]
    pieces = [
        coupling.apply_(*(cut(v, a, b) for v in (cuts.shared, row, m.vectors)), decision) for a, b in pairwise(edges)
    ]
    assert content(cuts.shared, cuts.rows, scalars) == content(whole.shared, whole.rows, whole.scalars)
    assert set(reply.vectors) == set(pieces[0])
    for key, v in reply.vectors.items():
        assert torch.equal(torch.cat([piece[key] for piece in pieces]), v)


@pytest.mark.parametrize("name", STAR)
def test_one_pass_gives_the_bytes_of_two(name: str) -> None:
    """A coupling that can be guessed, asked before anything is measured, applies the same if its guess stands; and what
    it sweeps is what it measures and applies."""
    coupling, size = ALL[name], 300
    center, m = seasoned(coupling, size), message(coupling, 0, size, 50)
    row, before = center.row(0), copy.deepcopy(center)
    measured = coupling.measure(center.shared, row, m.vectors)
    _, decision = coupling.decide(center.scalars, m, measured)
    if coupling.by_sums == "yes":
        assert isinstance(coupling, Elastic), name
        assert isinstance(coupling.weights, Dynamic), name
        return
    _, guess = coupling.decide(center.scalars, m, [float("nan")] * len(measured))
    assert coupling.stands(guess, decision)
    reply = coupling.apply_(center.shared, row, m.vectors, decision)
    second = copy.deepcopy(before)
    assert content(coupling.apply_(second.shared, second.row(0), m.vectors, guess)) == content(reply)
    assert content(second.shared, second.rows) == content(center.shared, center.rows)
    if center.rows:
        return
    new, place = copy.deepcopy(before.shared), {key: torch.empty(size) for key in reply}
    for v in new.values():
        v.fill_(7.0)
    old = content(before.shared)
    assert coupling.sweep_(before.shared, m.vectors, guess, new, place) == measured
    assert content(before.shared) == old
    assert content(new, place) == content(center.shared, reply)


@pytest.mark.parametrize("name", ALL)
def test_a_pull_in_place_gives_the_bytes_of_the_other(name: str) -> None:
    coupling, size = ALL[name], 50
    center, x = seasoned(coupling, size), normal(size, 60)
    pushed, m = coupling.push(coupling.worker(normal(size, 61)), x, note(0), normal(B, 62))
    center, reply = serve_(coupling, center, m)
    expected = content(coupling.pull(pushed, x, reply))
    eased = {}
    for how in (LANDED, DIFFERENCE) if coupling.eases else ():
        there = copy.deepcopy(reply.vectors)
        coupling.ease_(how, m.vectors, reply.scalars, there)
        eased[how] = reply._replace(vectors={how: there["c"]})
    if coupling.eases:
        moved = normal(size, 63)
        late = content(coupling.pull(pushed, moved, reply))
        assert content(coupling.pull_(pushed, moved.clone(), eased[DIFFERENCE])) == late
        assert content(coupling.pull_(pushed, x, eased[LANDED])) == expected
    assert content(coupling.pull_(pushed, x, reply)) == expected


@pytest.mark.parametrize("h1", [0.0, 0.1, 1 / 3, 0.499, 0.5, 0.9, 1.0])
def test_a_worker_that_has_not_moved_is_pulled_to_the_same_bytes(h1: float) -> None:
    """A resumed worker's x and what it had sent are equal, but no longer one tensor."""
    coupling = Elastic()
    for size in (1, 7, 50, 1000, BLOCK + 3):
        x, c = normal(size, 70), normal(size, 71)
        pushed, _ = coupling.push(coupling.worker(c), x, note(0), normal(B, 62))
        apart = pushed._replace(vectors={"sent": x.clone()})
        decision = {"h1": h1, "h2": 0.1, "distance": 1.0, "served": 1}
        reply, landed = Reply({"c": c}, decision, True), {"c": c.clone()}
        coupling.ease_(LANDED, {"x": x}, decision, landed)
        swept, new = {"c": torch.empty(size)}, {"c": torch.empty(size)}
        coupling.sweep_({"c": c}, {"x": x}, decision, new, swept, LANDED)
        expected = x - h1 * (x.double() - c.double())
        for worker in (pushed, apart):
            _, moved = coupling.pull(worker, x, reply)
            assert torch.allclose(moved.double(), expected, rtol=1e-5, atol=1e-6)
            assert torch.equal(moved, coupling.pull(apart, x, reply)[1])
            assert torch.equal(moved, landed["c"])
            assert torch.equal(moved, swept["c"])
            own = x.clone()
            again = worker if worker is apart else worker._replace(vectors={"sent": own})
            assert torch.equal(coupling.pull_(again, own, reply)[1], moved)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("h1", [0.0, 0.1, 1 / 3, 0.499, 0.5, 0.9, 1.0])
def test_landed_in_one_pass_or_two_it_is_the_same_x(h1: float, kind: torch.dtype) -> None:
    coupling, x, c = Elastic(), normal(3000, 70).to(kind), normal(3000, 71).to(kind)
    landed, swept, new = {"c": c.clone()}, {"c": torch.empty_like(c)}, {"c": torch.empty_like(c)}
    coupling.ease_(LANDED, {"x": x}, {"h1": h1}, landed)
    coupling.sweep_({"c": c}, {"x": x}, {"h1": h1, "h2": 0.1}, new, swept, LANDED)
    assert torch.equal(swept["c"], landed["c"])


@pytest.mark.parametrize("name", ALL)
def test_the_verbs_change_nothing_but_the_center(name: str) -> None:
    coupling, size = ALL[name], 50
    center, x = seasoned(coupling, size), normal(size, 60)
    worker = coupling.worker(normal(size, 61))
    before = content(worker, x)
    pushed, m = coupling.push(worker, x, note(0), normal(B, 62))
    sent, numbers, held = content(pushed, m), center.scalars, content(center.scalars)
    center, reply = serve_(coupling, center, m)
    assert content(numbers) == held, "the center's numbers are replaced, not changed"
    assert content(pushed, m) == sent, "serving changed the message"
    heard = content(reply)
    landed, moved = coupling.pull(pushed, x, reply)
    coupling.missed(pushed, x, note(0), coupling.readout(center))
    assert content(reply) == heard
    assert content(pushed, m) == sent
    assert content(worker, x) == before

    kept = content(m, reply, landed, moved)
    for _ in range(3):
        center, _ = serve_(coupling, center, message(coupling, 0, size, 70))
    assert content(m, reply, landed, moved) == kept, "something shares the center's memory"


@pytest.mark.parametrize("name", ALL)
def test_a_center_begins_with_memory_of_its_own(name: str) -> None:
    coupling, x0, b0 = ALL[name], normal(20, 0), normal(B, 1)
    center = coupling.center(x0, b0, coupling.most_workers or N)
    assert torch.equal(coupling.readout(center), x0)
    for v in tensors(center).values():
        v.fill_(7.0)
    assert torch.equal(x0, normal(20, 0))
    assert torch.equal(b0, normal(B, 1))


@pytest.mark.parametrize("name", ALL)
def test_a_damaged_message_is_refused_and_leaves_no_trace(name: str) -> None:
    coupling, size = ALL[name], 40
    center = seasoned(coupling, size)
    before, good = copy.deepcopy(center), message(coupling, 0, size, 50)
    for bad in (float("nan"), float("inf")):
        for key in good.vectors:
            v = good.vectors[key].clone()
            v[size // 2] = bad
            center, reply = serve_(coupling, center, good._replace(vectors=good.vectors | {key: v}))
            assert not reply.accepted
        buffers = good.buffers.clone()
        buffers[0] = bad
        center, reply = serve_(coupling, center, good._replace(buffers=buffers))
        assert not reply.accepted
    for vectors in ({}, {"something else": normal(size, 3)}, {key: v[1:] for key, v in good.vectors.items()}):
        center, reply = serve_(coupling, center, good._replace(vectors=vectors))
        assert not reply.accepted
    assert content(center) == content(before)


@pytest.mark.parametrize("name", STAR)
def test_an_exchange_touches_the_rows_of_its_own_worker_only(name: str) -> None:
    coupling = ALL[name]
    center = seasoned(coupling, 40)
    before = copy.deepcopy(center.rows)
    center, _ = coupling.serve_(center, message(coupling, 0, 40, 50))
    for key, rows in center.rows.items():
        assert torch.equal(rows[1:], before[key][1:])
        assert not torch.equal(rows[0], before[key][0])


@pytest.mark.parametrize("name", ALL)
def test_a_saved_center_and_worker_go_on_with_the_same_bytes(name: str, tmp_path: Path) -> None:
    coupling, size = ALL[name], 40
    center = seasoned(coupling, size)
    worker, _ = coupling.push(coupling.worker(normal(size, 3)), normal(size, 4), note(0), normal(B, 5))
    save_state(tmp_path / "state", [center, worker])
    again, back = load_state(tmp_path / "state")
    for t in range(3):
        worker, m = coupling.push(worker, normal(size, 20 + t), note(0), normal(B, 30 + t))
        back, m2 = coupling.push(back, normal(size, 20 + t), note(0), normal(B, 30 + t))
        center, reply = serve_(coupling, center, m)
        again, reply2 = serve_(coupling, again, m2)
        worker, x = coupling.pull(worker, normal(size, 20 + t), reply)
        back, x2 = coupling.pull(back, normal(size, 20 + t), reply2)
        assert torch.equal(x, x2)
    assert content(center) == content(again)


def test_buffers_are_taken_over_by_the_weight_of_the_decision() -> None:
    for name, coupling in ALL.items():
        center = seasoned(coupling, 40)
        before, m = center.buffers.clone(), message(coupling, 0, 40, 50)
        center, reply = serve_(coupling, center, m)
        want = before + reply.scalars["blend"] * (m.buffers - before)
        torch.testing.assert_close(center.buffers, want, msg=name)
        if isinstance(coupling, (GradientCoupling, Downpour)):
            assert reply.scalars["blend"] == 1 / N


def test_the_sum_of_dana_zero_stays_the_sum() -> None:
    """In float32, over 20,000 updates with gradients that do not shrink."""
    coupling, workers, size = ALL["dana-zero"], 16, 64
    center = coupling.center(torch.zeros(size), torch.zeros(0), workers)
    gradients = torch.randn(20_000, size, generator=torch.Generator().manual_seed(0))
    decision = {"eta": 1e-3}
    for t, g in enumerate(gradients):
        coupling.apply_(center.shared, center.row(t % workers), {"g": g}, decision)
    true = center.rows["v"].double().sum(0)
    assert float((center.shared["s"] - true).norm() / true.norm()) < 2e-5


@pytest.mark.parametrize(
    "name",
    ["downpour", "adownpour", "mdownpour", "asgd", "nag-asgd", "dana", "dana-zero", "staleness-aware", "asgd-averaged"],
)
def test_a_worker_that_starts_again_stands_where_the_last_reply_put_its_worker(name: str) -> None:
    coupling = springline.method(name).coupling
    rng = torch.Generator().manual_seed(3)
    x0 = torch.randn(6, generator=rng, dtype=torch.float64)
    center, link, x = coupling.center(x0, x0[:0], 1), coupling.worker(x0), x0
    for _ in range(4):
        y = x + torch.randn(6, generator=rng, dtype=torch.float64)
        link, message = coupling.push(link, y, Note(0, 0, False, 1.0, 1), x0[:0])
        center, reply = coupling.serve_(center, message)
        link, x = coupling.pull(link, y, reply)
    torch.testing.assert_close(coupling.start(center), x, rtol=0, atol=1e-12)
