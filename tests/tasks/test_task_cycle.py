"""The shared cycle: what its passes and chunks are, who claims them, and that a resumed run claims the same ones."""

from __future__ import annotations

import pytest
import torch

import springline
from springline import Scenario, Task, UsageError
from springline.data.chunks import Claims, Cycle
from springline.engines.job import Job
from springline.engines.simulator import Simulator
from springline.methods import method
from springline.scenario import Slow
from springline.streams import stream
from springline.tasks.base import InMemory

from .support import broken_off, same


class Watched(InMemory):
    """Notes which samples are asked for."""

    def batch(self, indices):
        asked.append(indices.tolist())
        return super().batch(indices)


asked: list[list[int]] = []


@pytest.fixture
def points():
    asked.clear()
    x = torch.randn(103, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def loss(model, batch):
        return (model(batch[0]) - 1).square().mean()

    return Task("points", lambda: torch.nn.Linear(2, 1, dtype=torch.float64), loss, Watched((x,)))


class Keep:
    def __init__(self):
        self.worlds = []

    def row(self, row, *, ago=0.0):
        pass

    def checkpoint(self, state, **kw):
        self.worlds.append(state())


def test_passes_and_chunks():
    """n = 103, b = 5: 20 batches a pass and 3 to spare; m = 4 batches a chunk, 5 chunks."""
    cycle = Cycle(103, 5, seed=2, chunk=20)
    assert (cycle.per_pass, cycle.per_chunk, cycle.chunks) == (20, 4, 5)
    offsets = []
    for number in range(40):
        chunks = [sorted(cycle.samples(number * 5 + j).tolist()) for j in range(5)]
        offset = chunks[0][0]
        assert [i for chunk in chunks for i in chunk] == list(range(offset, offset + 100))
        offsets.append(offset)
    assert offsets[0] == 0
    assert set(offsets) == {0, 1, 2, 3}
    assert offsets[7] == int(stream(2, "cycle offset", 7).integers(0, 4))


def test_the_last_chunk_of_a_pass_is_what_is_left():
    cycle = Cycle(103, 5, seed=0, chunk=32)  # 6 batches a chunk: 6 + 6 + 6 + 2
    assert [cycle.batches(t) for t in range(8)] == [6, 6, 6, 2] * 2
    assert len(cycle.samples(3)) == 10


def test_a_chunk_is_shuffled_by_its_ticket():
    cycle = Cycle(1000, 5, seed=0, chunk=50)
    assert cycle.samples(1).tolist() != sorted(cycle.samples(1).tolist())
    assert not torch.equal(cycle.samples(0) + 50, cycle.samples(1))
    assert torch.equal(cycle.samples(1), Cycle(1000, 5, seed=0, chunk=50).samples(1))
    assert not torch.equal(cycle.samples(1), Cycle(1000, 5, seed=1, chunk=50).samples(1))


def test_claims_are_used_up_in_order():
    cycle, tickets = Cycle(103, 5, seed=0, chunk=32), iter([2, 3, 9])
    claims = cycle.claim(None, 7, lambda: next(tickets))
    assert claims == Claims((2, 3), 0)
    taken = []
    for step in range(7):
        indices, claims = cycle.take(0, step, claims)
        taken += indices.tolist()
    assert claims == Claims((3,), 1)
    assert taken == [*cycle.samples(2).tolist(), *cycle.samples(3).tolist()[:5]]
    assert cycle.claim(claims, 1, lambda: next(tickets)) == claims
    assert cycle.claim(claims, 2, lambda: next(tickets)) == Claims((3, 9), 1)


def test_batches_larger_than_a_chunk_are_chunks_of_their_own():
    cycle = Cycle(2000, 700, seed=0)
    assert (cycle.per_chunk, cycle.chunks) == (1, 2)


def test_workers_claim_in_the_order_of_virtual_time(points):
    """Worker 1 takes three times as long: of the chunks of 100 samples … it gets every fourth."""
    job = Job(
        points, method("easgd"), Scenario([Slow(3.0, (1,))]), workers=2, tau=1, rounds=8, batch_size=25, seed=3,
        sampler="cycle", eval_every=8,
    )  # fmt: skip
    vars(job)["feed"] = Cycle(103, 25, 3, chunk=25)
    kept = Keep()
    Simulator().run(job, kept)
    # both claim at the beginning of each of their rounds: at 0 both, at 1 and 2 worker 0, at 3 both (1 after 0) …
    assert kept.worlds[-1].tickets == 18
    assert kept.worlds[-1].seats[1].me.claims.tickets == (17,)
    assert kept.worlds[-1].seats[0].me.claims.tickets == (16,)
    assert [s.round for s in kept.worlds[-1].seats] == [13, 5]


def test_nobody_sees_the_same_chunk(points):
    """Over one pass, every sample of it once, whoever trained on it."""
    job = Job(points, method("easgd"), workers=4, rounds=5, batch_size=5, sampler="cycle", eval_every=5)
    Simulator().run(job, Keep())
    trained = [i for batch in asked if len(batch) == 5 for i in batch]
    assert sorted(trained) == list(range(100))


def test_a_worker_that_is_down_claims_nothing(points):
    job = Job(
        points, method("easgd"), Scenario(("script:outage,worker=1,round=1,rounds=50",)), workers=2, rounds=10,
        batch_size=100, sampler="cycle", eval_every=10,
    )  # fmt: skip
    kept = Keep()
    Simulator().run(job, kept)
    assert kept.worlds[-1].seats[1].me.claims is None
    assert kept.worlds[-1].tickets == kept.worlds[-1].seats[0].round


@pytest.mark.parametrize("name", ["easgd", "dana", "sync-easgd"])
def test_resume_gives_the_same_bytes(points, tmp_path, name):
    options = {"workers": 3, "rounds": 9, "batch_size": 10, "sampler": "cycle", "seed": 5, "lr": 0.01, "eval_every": 9}
    options |= {"faults": ["crash:4,down=2,rejoin=initial", "drop:0.2"]}
    whole = springline.train(points, name, **options)
    again = broken_off(3, tmp_path / "run", points, name, **options)
    assert same(whole, again)
    assert again.config.sampler == "cycle"
    assert not same(whole, springline.train(points, name, **options | {"sampler": "partition"}))


def test_on_a_tree(points, tmp_path):
    options = {"workers": 4, "rounds": 6, "batch_size": 10, "sampler": "cycle", "topology": "tree:2", "lr": 0.01}
    whole = springline.train(points, "easgd-tree", **options)
    assert same(whole, broken_off(3, tmp_path / "run", points, "easgd-tree", **options))


def test_a_chunk_survives_the_crash_of_its_worker(points):
    """A worker set back in the middle of a round goes on with the data it has claimed."""
    run = springline.train(
        points, "easgd", workers=2, rounds=12, tau=3, batch_size=5, sampler="cycle", lr=1e-3, eval_every=12,
        faults=["corrupt:nan,rate=1,worker=1"], pull_after=1,
    )  # fmt: skip
    assert run.rows[-1]["workers"]["steps"][1] > 12


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"overlap": 0.25}, "sampler=cycle: easgd shares 0.25 of the samples .* use overlap=0, or sampler=partition"),
        ({"batch_size": 104}, "batch_size=104 is larger than the 103 training samples; use at most 103"),
        ({"batch_size": 0}, "batch_size=0 is less than 1"),
        ({"sampler": "circle"}, "unknown sampler 'circle'; did you mean cycle"),
    ],
)
def test_wrong_input(points, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        springline.train(points, "easgd", **{"sampler": "cycle", "batch_size": 5} | options)


def test_with_the_overlap_of_a_method(points):
    with pytest.raises(UsageError, match=r"sampler=cycle: eahes-o shares 0\.25 of the samples"):
        springline.train(points, "eahes-o", sampler="cycle", batch_size=5)
