"""Messages and replies reach every part of the center, on this machine or another, and are the coupling's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import ray
import torch
from ray.exceptions import ObjectLostError

from springline import METHODS
from springline.couplings.base import Note
from springline.engines.job import Job
from springline.engines.ray.arrays import pack
from springline.engines.ray.box import Box, Boxes
from springline.engines.ray.lead import Lead
from springline.engines.ray.line import Line
from springline.engines.ray.news import beginning, ledger_of, packed, plan_of
from springline.engines.ray.pulse import Pulse
from springline.engines.ray.shard import NotWhole, Shard

from .support import task, until

X = torch.linspace(-1, 1, 3 << 16)
COUPLING = METHODS["easgd"].coupling
JOB = Job(task(), METHODS["easgd"], workers=1, batch_size=16, rounds=10**6)
PLAN = plan_of(JOB, X, X[:0], 2, ())


@pytest.fixture(scope="module")
def lead(cluster):
    """A center in two parts, without a driver."""
    lead = ray.remote(Lead).options(num_cpus=0, max_concurrency=100).remote()
    shard = ray.remote(Shard).options(num_cpus=0).remote()
    state = beginning(JOB, X, torch.empty(0))
    told = {"run": "a run", "plan": PLAN, "coupling": COUPLING, "shards": [shard], "epoch": 0, "seconds": 0.0}
    told |= {"ledger": ledger_of(state, [{}]), "paused": False, "begun": True}
    first, second = packed(state, PLAN)
    ray.get(shard.restore.remote(1, PLAN, COUPLING, 0, *second, 1))
    ray.get(lead.restore.remote(told, *first, pack({"b": torch.empty(0)})))
    yield lead
    for actor in (lead, shard):
        ray.kill(actor)


@pytest.mark.parametrize("near", [None, [True, True], [True, False], [False, True], [False, False]])
def test_an_exchange(lead, near):
    """near: which parts find the message in the worker's box; None where there is none."""
    line = Line(PLAN, lead, 0, f"life {near}", Pulse())
    line.hello("start")
    if near is None:
        line._box = None
    else:
        assert ray.get(lead.meet.remote(0, line._box.place)) == (0, [True, True])
        line._met, line._near = 0, near  # as of actors elsewhere
    before, _ = line.fetch()
    _, message = COUPLING.push(COUPLING.worker(X), X + 1, Note(0, 0, False, 1.0, 1), torch.empty(0))
    _, expected = COUPLING.serve_(center := COUPLING.center(before, torch.empty(0), 1), message)
    line.push(line.last + 1, message)
    reply = line.settle()
    assert reply.accepted
    assert torch.equal(reply.vectors["c"], expected.vectors["c"])
    assert line.loan.own(reply.vectors["c"]) is not reply.vectors["c"]
    assert torch.equal(line.fetch()[0], center.shared["c"])
    if near == [False, False]:
        assert not line._box.views.message["x"].any(), "it was copied for nobody"


class Giver:
    """What it puts into shared memory is lost with it."""

    def give(self, piece):
        return [ray.put(piece)]


def gone(parcel) -> bool:
    try:
        ray.get(parcel)
    except ObjectLostError:
        return True
    return False


def test_a_worker_that_dies_while_its_message_is_on_the_way(lead):
    """The center stays whole, and serves the next one."""
    line = Line(PLAN, lead, 0, "a short life", Pulse())
    line.hello("start")
    line._box = None
    giver = ray.remote(Giver).options(num_cpus=0).remote()
    pieces = [pack({"x": X}, a, b) for a, b in PLAN.cuts]
    lost = [ray.get(giver.give.remote(piece))[0] for piece in pieces]
    kept = [ray.put(piece) for piece in pieces]
    ray.kill(giver)
    for parcel in lost:
        until("it is lost", lambda parcel=parcel: gone(parcel))
    for parcels in ([lost[0], kept[1]], [kept[0], lost[1]]):
        said = {"round": line.last + 1, "met": None, "vitals": {}}
        assert ray.get(lead.push.remote(0, "a short life", said, parcels)) == {"unmet": True}
    assert not [e for e in ray.get(lead.news.remote("a run", 0.0))["events"] if "broken" in e]
    _, message = COUPLING.push(COUPLING.worker(X), X, Note(0, 0, False, 1.0, 1), torch.empty(0))
    line.push(line.last + 1, message)
    assert line.settle().accepted


def test_a_worker_that_dies_before_its_turn(lead):
    """Its message is there, and is served, as is every other."""
    line = Line(PLAN, lead, 0, "a shorter life", Pulse())
    line.hello("start")
    giver = ray.remote(Giver).options(num_cpus=0).remote()
    center, _ = line.fetch()
    pieces = [pack({"x": center + 1}, a, b) for a, b in PLAN.cuts]
    *parcels, other = [ray.get(giver.give.remote(piece))[0] for piece in [*pieces, pieces[0]]]
    ray.get(lead.pause.remote("a run", 1, True, 1))
    _, message = COUPLING.push(COUPLING.worker(X), X, Note(0, 0, False, 1.0, 1), torch.empty(0))
    said = {"round": line.last + 1, "met": None, "note": tuple(message.note), "asked": True, "took": 0.0, "size": 0}
    said |= {"scalars": message.scalars, "buffers": pack({"b": torch.empty(0)}), "vitals": {"loss": 7.0}}
    answer = lead.push.remote(0, "a shorter life", said, parcels)

    def news():
        return ray.get(lead.news.remote("a run", 0.0))

    until("it waits for its turn", lambda: news()["vitals"][0].get("loss") == 7.0)
    ray.kill(giver)
    until("what it had is lost", lambda: gone(other))
    ray.get(lead.pause.remote("a run", 2, False, 1))
    assert ray.get(answer, timeout=60)["accepted"]
    assert not [e for e in news()["events"] if "broken" in e]
    assert torch.allclose(line.fetch()[0], center + 0.1)


def test_a_center_that_has_moved_is_met_again(lead):
    line = Line(PLAN, lead, 0, "a life", Pulse())
    line.hello("start")
    line._met, line._near = -1, [True, True]
    _, message = COUPLING.push(COUPLING.worker(X), X, Note(0, 0, False, 1.0, 1), torch.empty(0))
    line.push(line.last + 1, message)
    assert line.settle().accepted
    assert (line._met, line._near) == (0, [True, True])


def test_a_piece_that_was_on_its_way_while_the_center_was_restored():
    """Its number is of before, when more may have been brought than since."""
    shard, state = Shard(), beginning(JOB, X, torch.empty(0))
    _, second = packed(state, PLAN)
    for epoch in (0, 1):
        shard.restore(1, PLAN, COUPLING, epoch, *second, 1)
    piece = pack({"x": X}, *PLAN.cuts[1])
    with pytest.raises(NotWhole):
        shard.bring(0, 0, 7, piece)
    shard.bring(1, 0, 1, piece)
    assert shard.brought[0][0] == 1


def test_a_box_that_is_elsewhere():
    box, boxes = Box(PLAN), Boxes(PLAN, *PLAN.cuts[1])
    message, reply = boxes.of(0, box.place)
    message["x"][0] = 7.0
    reply["c"][-1] = 8.0
    assert box.views.message["x"][PLAN.cuts[1][0]] == 7.0
    assert box.views.reply["c"][-1] == 8.0
    assert boxes.of(0, replace(box.place, boot="another machine")) is None
    assert boxes.of(0, replace(box.place, inode=box.place.inode + 1)) is None
    assert boxes.of(0, replace(box.place, fd=10**6)) is None
    place = box.place
    del box
    assert boxes.of(0, place) is None
