"""The verbs of the elastic coupling: one exchange at a time, in exact numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from springline.couplings import (
    Center,
    Dynamic,
    Elastic,
    Evidence,
    Fixed,
    Guarded,
    Message,
    Note,
    Oracle,
    Weighting,
    Weights,
    Worker,
)  # fmt: skip
from springline.couplings.base import BLOCK

from .support import Witness

C0 = torch.tensor([1.0, 2.0, -4.0], dtype=torch.float64)
X = torch.tensor([3.0, 2.0, 4.0], dtype=torch.float64)  # d = (2, 0, 8)
NO_BUFFERS = torch.empty(0)


@dataclass(frozen=True)
class Told(Weights):
    """The two weights it is told to give."""

    h1: float = 0.5
    h2: float = 0.25

    def weigh(self, evidence: Evidence) -> Weighting:
        return Weighting(self.h1, self.h2, math.nan)


def note(worker: int = 0, missed: int = 0, reborn: bool = False, loss: float = math.nan, steps: int = 0) -> Note:
    return Note(worker, missed, reborn, loss, steps)


def exchange(
    coupling: Elastic, center: Center, worker: Worker, x: torch.Tensor, about: Note | None = None
) -> tuple[Center, Worker, torch.Tensor, Any]:
    worker, message = coupling.push(worker, x, about or note(), NO_BUFFERS)
    center, reply = coupling.serve_(center, message)
    assert reply.accepted
    worker, x = coupling.pull(worker, x, reply)
    return center, worker, x, reply


def test_sign_and_size_of_both_moves():
    """d = x − c: the worker moves by −h1·d, the center by +h2·d."""
    coupling = Elastic(Told(h1=0.5, h2=0.25))
    center, _, x, _ = exchange(coupling, coupling.center(C0, NO_BUFFERS, 2), coupling.worker(C0), X)
    assert x.tolist() == [2.0, 2.0, 0.0]
    assert coupling.readout(center).tolist() == [1.5, 2.0, -2.0]
    assert C0.tolist() == [1.0, 2.0, -4.0], "the center keeps a copy"
    assert X.tolist() == [3.0, 2.0, 4.0], "a worker's x is not written into"


def test_second_exchange_meets_the_moved_center():
    coupling = Elastic(Told(h1=0.5, h2=0.5))
    center = coupling.center(C0, NO_BUFFERS, 2)
    for i, (x, c) in enumerate([([2.0, 2.0, 0.0], [2.0, 2.0, 0.0]), ([2.5, 2.0, 2.0], [2.5, 2.0, 2.0])]):
        center, _, pulled, _ = exchange(coupling, center, coupling.worker(C0), X, note(worker=i))
        assert pulled.tolist() == x
        assert coupling.readout(center).tolist() == c


@pytest.mark.parametrize("alpha", [0.125, 0.5, 1.0])
def test_equal_weights_conserve_the_sum(alpha):
    coupling = Elastic(Fixed(alpha))
    center, _, x, _ = exchange(coupling, coupling.center(C0, NO_BUFFERS, 1), coupling.worker(C0), X)
    assert torch.equal(x + coupling.readout(center), X + C0)


def test_center_is_untouched_by_a_worker_without_weight():
    coupling = Elastic(Told(h1=1.0, h2=0.0))
    center, _, x, _ = exchange(coupling, coupling.center(C0, NO_BUFFERS, 1), coupling.worker(C0), X)
    assert torch.equal(coupling.readout(center), C0)
    assert torch.equal(x, C0), "h1 = 1 sets the worker on the center"


def test_pull_lands_where_the_worker_is_by_then():
    """The reply is a difference: steps made while it was under way are kept."""
    coupling = Elastic(Told(h1=0.5, h2=0.25))
    worker, message = coupling.push(coupling.worker(C0), X, note(), NO_BUFFERS)
    _, reply = coupling.serve_(coupling.center(C0, NO_BUFFERS, 1), message)
    assert coupling.pull(worker, X + 10.0, reply)[1].tolist() == [12.0, 12.0, 10.0]


def test_reply_says_what_was_measured_and_decided():
    coupling = Elastic(Told(h1=0.5, h2=0.25))
    *_, reply = exchange(coupling, coupling.center(C0, NO_BUFFERS, 1), coupling.worker(C0), X)
    assert (reply.scalars["h1"], reply.scalars["h2"]) == (0.5, 0.25)
    assert reply.scalars["distance"] == math.sqrt(68)


# -- history


def witness(back: int = 3) -> tuple[Elastic, list[Evidence]]:
    rule = Witness(([],), back)
    return Elastic(rule), rule.shown[0]


def at(distance: float) -> torch.Tensor:
    """A position this far from C0."""
    return C0 + torch.tensor([distance, 0.0, 0.0], dtype=torch.float64)


def test_history_holds_the_log_distances_of_the_latest_attempts():
    coupling, shown = witness(back=2)
    worker, distances = coupling.worker(C0), [1.0, 2.0, 4.0, 8.0, 16.0]
    for distance in distances:
        _, worker, _, _ = exchange(coupling, coupling.center(C0, NO_BUFFERS, 1), worker, at(distance))
    assert [e.distance for e in shown] == distances
    assert shown[-1].log_distances == pytest.approx([math.log(4), math.log(8), math.log(16)])
    assert [len(e.log_distances) for e in shown] == [1, 2, 3, 3, 3]


def test_a_zero_distance_gives_no_score():
    coupling, shown = witness()
    worker = coupling.worker(C0)
    for distance in (2.0, 0.0, 8.0):
        _, worker, _, _ = exchange(coupling, coupling.center(C0, NO_BUFFERS, 1), worker, at(distance))
    assert [list(e.log_distances) for e in shown] == [
        [math.log(2)], [math.log(2)], [math.log(2), math.log(8)],
    ]  # fmt: skip


@pytest.mark.parametrize(("estimate", "missed_distance"), [("peers", 5.0), ("last", 3.0)])
def test_missed_attempts_enter_the_history_by_estimate(estimate, missed_distance):
    """`peers`: against the center its peers know; `last`: against the center of the worker's last reply."""
    coupling = Elastic(Dynamic(0.5, -0.3, (1.0,), estimate=estimate))
    # the last reply told of a center at 2 (its distance was 2 − 1 = 1); since then the center has moved to 0
    _, worker, _, _ = exchange(coupling, coupling.center(at(2.0), NO_BUFFERS, 1), coupling.worker(C0), at(1.0))
    worker = coupling.missed(worker, at(5.0), note(missed=0), at(0.0))
    assert worker.scalars["u"] == pytest.approx([0.0, math.log(missed_distance)])
    *_, reply = exchange(coupling, coupling.center(at(0.0), NO_BUFFERS, 1), worker, at(4.0), note(missed=1))
    assert reply.scalars["score"] == pytest.approx(math.log(4) - math.log(missed_distance))


def test_peers_fall_back_to_the_last_reply_where_nobody_knows():
    coupling = Elastic(Dynamic(0.5, -0.3, (1.0,), estimate="peers"))
    _, worker, _, _ = exchange(coupling, coupling.center(at(2.0), NO_BUFFERS, 1), coupling.worker(C0), at(1.0))
    assert coupling.missed(worker, at(5.0), note(), None).scalars["u"][-1] == pytest.approx(math.log(3))


def test_a_worker_that_never_heard_measures_itself_against_its_start():
    coupling = Elastic(Dynamic())
    assert coupling.missed(coupling.worker(C0), at(7.0), note(), None).scalars["u"] == [math.log(7)]


@pytest.mark.parametrize("late", [0.0, 100.0])
def test_the_center_of_the_last_reply_is_known_though_the_pull_lands_late(late):
    coupling = Elastic(Dynamic(0.25, -0.3, (1.0,), estimate="last"))
    worker, message = coupling.push(coupling.worker(C0), at(1.0), note(), NO_BUFFERS)
    _, reply = coupling.serve_(coupling.center(at(3.0), NO_BUFFERS, 1), message)
    worker, _ = coupling.pull(worker, at(1.0 + late), reply)
    assert torch.equal(worker.vectors["seen"], at(3.0))


@pytest.mark.parametrize(("rule", "kept"), [(Fixed(), set()), (Oracle(), set()), (Guarded(), {"last"})])
def test_rules_without_a_history_keep_none(rule, kept):
    coupling = Elastic(rule)
    _, worker, _, _ = exchange(coupling, coupling.center(C0, NO_BUFFERS, 3), coupling.worker(C0), X)
    assert worker.vectors.keys() == kept
    assert worker.scalars["u"] == []


# -- reach


def test_the_center_knows_how_far_a_worker_can_have_come():
    """What an exchange left of its distance, half as h1 = 1/2, and the way from attempt to attempt since."""
    coupling, shown = witness(back=0)
    center, worker = coupling.center(C0, NO_BUFFERS, 2), coupling.worker(C0, served=0)
    center, worker, x, _ = exchange(coupling, center, worker, at(8.0), note(steps=1, loss=1.0))
    assert torch.equal(x, at(4.0))
    for place in (10.0, 1.0):
        worker = coupling.missed(worker, at(place), note(steps=1, loss=1.0), None)
    exchange(coupling, center, worker, at(16.0), note(steps=1, loss=1.0))
    first, second = shown
    assert (first.distance, first.reach, first.idle) == (8.0, 8.0, 0 / 2 - 1)
    assert (second.distance, second.reach, second.idle) == (12.0, 4.0 + 6.0 + 9.0 + 15.0, (1 - 1) / 2 - 3)


@pytest.mark.parametrize("verb", ["pull", "pull_"])
def test_reach_counts_the_way_gone_while_the_reply_was_under_way(verb):
    coupling, shown = witness(back=0)
    center = coupling.center(C0, NO_BUFFERS, 1)
    worker, message = coupling.push(coupling.worker(C0), at(8.0), note(), NO_BUFFERS)
    center, reply = coupling.serve_(center, message)
    worker, x = getattr(coupling, verb)(worker, at(11.0), reply)
    assert torch.equal(x, at(7.0))
    exchange(coupling, center, worker, at(9.0))
    assert shown[1].reach == 4.0 + 3.0 + 2.0


def test_reach_is_taken_of_all_the_blocks():
    coupling, shown = witness(back=0)
    far = torch.zeros(BLOCK + 2)
    far[[0, -1]] = torch.tensor([3.0, 4.0])
    exchange(coupling, coupling.center(far, far[:0], 1), coupling.worker(torch.zeros_like(far)), far)
    assert shown[0].reach == 5.0


@pytest.mark.parametrize("verb", ["pull", "pull_"])
def test_a_message_that_was_damaged_does_not_mislead_its_sender_about_its_reach(verb):
    coupling, shown = witness(back=0)
    worker, message = coupling.push(coupling.worker(C0), at(8.0), note(), NO_BUFFERS)
    damaged = message._replace(vectors={"x": at(2.0)})
    center, reply = coupling.serve_(coupling.center(C0, NO_BUFFERS, 1), damaged)
    worker, x = getattr(coupling, verb)(worker, at(8.0), reply)
    exchange(coupling, center, worker, x)
    assert shown[1].reach == 4.0


def test_reach_is_unknown_to_a_center_that_was_put_back():
    """To a snapshot: the worker was told of a later center than this one."""
    coupling, shown = witness(back=0)
    center, worker, x = coupling.center(C0, NO_BUFFERS, 1), coupling.worker(C0, served=0), at(8.0)
    snapshot = center._replace(shared={"c": center.shared["c"].clone()})
    for _ in range(2):
        center, worker, x, _ = exchange(coupling, center, worker, x + 1)
    snapshot, worker, x, _ = exchange(coupling, snapshot, worker, x)
    exchange(coupling, snapshot, worker, x + 1)
    assert math.isnan(shown[2].reach)
    assert [math.isnan(e.reach) for e in (shown[0], shown[1], shown[3])] == [False] * 3


def test_nobody_knows_since_when_a_worker_that_begins_at_the_center_has_slept():
    coupling, shown = witness(back=0)
    exchange(coupling, coupling.center(C0, NO_BUFFERS, 1), coupling.worker(C0), X)
    assert math.isnan(shown[0].idle)


# -- what is said


def test_evidence_says_what_the_note_said():
    coupling, shown = witness()
    center = coupling.center(C0, NO_BUFFERS, 3)
    exchange(coupling, center, coupling.worker(C0), X, note(1, missed=4, reborn=True))
    assert (shown[0].worker, shown[0].missed, shown[0].reborn) == (1, 4, True)


# -- messages that cannot be used


def message(buffers: torch.Tensor = NO_BUFFERS, **vectors: torch.Tensor) -> Message:
    return Message(vectors, note(), {"u": [], "rounds": 0, "served": math.nan, "reach": 0.0}, buffers)


def poisoned(value: float, k: int = 1) -> torch.Tensor:
    x = X.clone()
    x[k] = value
    return x


BUFFERS = torch.tensor([1.0, 3.0])


@pytest.mark.parametrize(
    "damaged",
    [
        message(BUFFERS, x=poisoned(math.nan)),
        message(BUFFERS, x=poisoned(math.inf)),
        message(BUFFERS, x=poisoned(-math.inf)),
        message(BUFFERS, x=poisoned(1e200)),  # its square is not a number any more
        message(BUFFERS, x=X[:2]),
        message(BUFFERS, x=torch.cat([X, X])),
        message(BUFFERS, x=X.reshape(1, 3)),
        message(BUFFERS),
        message(BUFFERS, y=X),
        message(torch.tensor([1.0, math.nan]), x=X),
        message(torch.tensor([1.0]), x=X),
        message(x=X),
    ],
    ids=["nan", "inf", "-inf", "overflow", "short", "long", "2-d", "empty", "misnamed", "nan buffer", "short buffers",
         "no buffers"],
)  # fmt: skip
def test_refusal_leaves_the_center_as_it_was(damaged):
    coupling = Elastic(Fixed(0.5))
    center = coupling.center(C0, BUFFERS, 1)
    after, reply = coupling.serve_(center, damaged)
    assert not reply.accepted
    assert reply.vectors == {}
    assert after.scalars == center.scalars
    assert torch.equal(coupling.readout(after), C0)
    assert torch.equal(after.buffers, BUFFERS)


def test_a_bad_element_is_found_in_any_block(monkeypatch):
    monkeypatch.setattr("springline.couplings.base.BLOCK", 2)
    coupling = Elastic(Fixed(0.5))
    for k in range(3):
        assert not coupling.serve_(coupling.center(C0, NO_BUFFERS, 1), message(x=poisoned(math.nan, k)))[1].accepted


def test_blocks_measure_the_same_distance(monkeypatch):
    coupling, distances = Elastic(Fixed(0.5)), []
    for block in (1, 2, 3, 100):
        monkeypatch.setattr("springline.couplings.base.BLOCK", block)
        _, reply = coupling.serve_(coupling.center(C0, NO_BUFFERS, 1), message(x=X))
        distances.append(reply.scalars["distance"])
    assert distances == [math.sqrt(68)] * 4


# -- buffers


def test_buffers_are_blended_with_the_centers_weight():
    """b ← b + h2·(b_i − b): the center takes over the worker's statistics as far as it takes over the worker."""
    coupling = Elastic(Told(h1=0.5, h2=0.25))
    center = coupling.center(C0, BUFFERS, 1)
    center, _ = coupling.serve_(center, message(torch.tensor([5.0, -1.0]), x=X))
    assert center.buffers.tolist() == [2.0, 2.0]
    assert BUFFERS.tolist() == [1.0, 3.0]


def test_buffers_of_an_unheard_worker_stay_out():
    coupling = Elastic(Told(h1=1.0, h2=0.0))
    center, _ = coupling.serve_(coupling.center(C0, BUFFERS, 1), message(torch.tensor([5.0, -1.0]), x=X))
    assert torch.equal(center.buffers, BUFFERS)
