"""What a bad worker can do to the center: be refused, counted and named. A center without a driver is asked here."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import ray
import torch

from springline import METHODS, UsageError
from springline.couplings.base import Note
from springline.engines.job import Job
from springline.engines.ray.arrays import pack
from springline.engines.ray.lead import Lead
from springline.engines.ray.line import Line, Refused, Superseded
from springline.engines.ray.news import beginning, plan_of
from springline.engines.ray.pulse import Pulse
from springline.engines.ray.staff import Staff

from .support import task

X = torch.linspace(-1, 1, 1000)
COUPLING = METHODS["easgd"].coupling
JOB = Job(task(), METHODS["easgd"], workers=2, batch_size=16, rounds=10**6)
PLAN = plan_of(JOB, X, X[:0], 1, ())


class Center:
    """Of a run with two workers."""

    def __init__(self) -> None:
        self.lead = ray.remote(Lead).options(num_cpus=0, max_concurrency=100).remote()
        self.restore(beginning(JOB, X, torch.empty(0)), 0)

    def restore(self, state, epoch) -> None:
        counts = {"resolved": state.resolved, "updates": state.updates, "tickets": 0, "forgotten": 0}
        ledger = counts | {"tallies": state.tallies, "vitals": [{}, {}], "scalars": state.center.scalars}
        told = {"run": "a run", "plan": PLAN, "coupling": COUPLING, "shards": [], "epoch": epoch, "ledger": ledger}
        told |= {"seconds": 0.0, "paused": False, "begun": True}
        vectors = pack(state.center.shared), pack(state.center.rows), pack({"b": torch.empty(0)})
        ray.get(self.lead.restore.remote(told, *vectors))

    def line(self, i: int, life: str = "a life", plan=PLAN) -> Line:
        return Line(plan, self.lead, i, life, Pulse())

    def told(self) -> dict:
        return ray.get(self.lead.news.remote("a run", 0.0))

    def x(self) -> torch.Tensor:
        return self.line(0).fetch()[0]


@pytest.fixture(scope="module")
def actor(cluster):
    center = Center()
    yield center
    ray.kill(center.lead)


@pytest.fixture
def center(actor):
    actor.restore(beginning(JOB, X, torch.empty(0)), 0)
    return actor


def exchange(line: Line, round: int, x: torch.Tensor):
    message = COUPLING.push(COUPLING.worker(x), x, Note(line.worker, 0, False, 1.0, 1), torch.empty(0))[1]
    line.push(round, message, begun=time.monotonic())
    return line.settle()


def test_somebody_else_by_a_workers_number(center):
    center.line(1).hello("start")
    with pytest.raises(Superseded, match="a message came from worker 1, which is another one or none"):
        exchange(center.line(1, "another life"), 1, X + 1)
    assert [e["stranger"] for e in center.told()["events"] if "stranger" in e] == ["1"]
    assert torch.equal(center.x(), X)


@pytest.mark.parametrize("worker", [2, -1])
def test_one_who_does_not_exist(center, worker):
    with pytest.raises(Refused, match=f"there is no worker {worker} in this run; join it first"):
        center.line(worker).hello("start")
    with pytest.raises(Superseded, match=f"a message came from worker {worker}"):
        exchange(center.line(worker), 1, X + 1)


def test_another_model(center):
    with pytest.raises(Refused, match=r"worker 1 has 1001 parameters .* build the same model in every worker"):
        center.line(1, plan=replace(PLAN, size=1001)).hello("start")


def test_messages_that_do_not_fit(center):
    line = center.line(1)
    line.hello("start")
    wrong = [X[:-1], torch.cat([X, X]), torch.full_like(X, torch.nan), torch.full_like(X, torch.inf)]
    for round, x in enumerate(wrong, 1):
        reply = exchange(line, round, x)
        assert reply is not None
        assert not reply.accepted
    assert torch.equal(center.x(), X)
    tally = center.told()["tallies"][1]
    assert tally[:5] == [4, 0, 4, 4, 0]  # last, made, lost, refused, unanswered


def test_a_message_that_comes_again(center):
    line = center.line(1)
    line.hello("start")
    first = exchange(line, 1, X + 1)
    c, x = first.vectors["c"].clone(), center.x()
    again = exchange(line, 1, X + 1)
    assert again.accepted
    assert torch.equal(again.vectors["c"], c)
    assert torch.equal(center.x(), x)
    assert center.told()["tallies"][1][:6] == [1, 1, 0, 0, 0, 1]  # … repeated


def test_a_message_whose_reply_went_down_with_the_center(center):
    """It was applied before the snapshot that the center was restored from; nobody knows its reply any more."""
    line = center.line(1)
    line.hello("start")
    exchange(line, 1, X + 1)
    told, x = center.told(), center.x()
    state = beginning(JOB, x, torch.empty(0))._replace(tallies=told["tallies"], resolved=1, updates=1)
    center.restore(state, 1)
    assert exchange(line, 1, X + 1) is None
    assert exchange(line, 1, X + 1) is None
    assert torch.equal(center.x(), x)
    assert center.told()["tallies"][1][:5] == [1, 0, 1, 0, 1]


def test_a_join_is_checked_as_a_run_is():
    """240 samples are batches of 16 for 15 workers; whoever would be the 16th is told so, and nothing has changed."""
    driver = SimpleNamespace(wanted=15, job=JOB)
    with pytest.raises(UsageError, match=r"worker 15 cannot join, .*: batch_size=16 is larger than the 15 samples"):
        Staff.join(driver)
    assert driver.wanted == 15


def test_attempts_that_are_forgotten_are_counted_when_their_worker_comes(center):
    line = center.line(1)
    line.hello("start")
    for round in (1, 2, 3):
        exchange(line, round, X)
    center.restore(beginning(JOB, X, torch.empty(0)), 1)
    assert exchange(line, 4, X).accepted
    told = center.told()
    assert told["forgotten"] == 3
    assert told["resolved"] == 4
    assert told["tallies"][1][:3] == [4, 1, 3]
