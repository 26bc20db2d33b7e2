"""What the driver makes of losses, in this process: what is counted, restored, kept, and when it gives up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError, OutOfMemoryError

from springline import RunError
from springline.engines.ray import staff as staffing
from springline.engines.ray.crew import TRIES, Member, Needs
from springline.engines.ray.staff import Staff


class Actor:
    """Whatever is asked of it is under way."""

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=lambda *_: object())


@pytest.fixture
def staff(monkeypatch):
    """Of workers that die whenever they are asked. last: the round that each of them has come to."""

    def dies(ref):
        raise ActorDiedError

    monkeypatch.setattr(staffing, "get", dies)
    staff = object.__new__(Staff)
    staff.calls, staff.pulses, staff.last = {}, {}, 0
    staff.tallies = SimpleNamespace(last=lambda i: staff.last)
    return staff


def begun(staff: Staff, i: int = 3) -> Member:
    member = Member(i, Needs(1, 0), actor=Actor(), state="starting")
    member.count_start(staff.last)
    staff.greeted(member, 100)
    return member


def die(staff: Staff, member: Member, pid: int) -> None:
    """And begin another life."""
    staff.calls[member.watching](member.watching)
    assert (member.state, member.pid) == ("starting", 0)
    staff.greeted(member, pid)


def test_a_worker_that_dies_again_and_again(staff, caplog):
    """Ray would start it again for ever."""
    member = begun(staff)
    for life in range(1, TRIES):
        die(staff, member, 100 + life)
        assert "worker 3 has ended (ActorDiedError) and is started again." in caplog.text
        assert (member.restarts, caplog.text.count("worker 3 has ended")) == (life, life)
    with pytest.raises(RunError, match=rf"worker 3 ended {TRIES} times in a row before its next .* \(ActorDiedError\)"):
        die(staff, member, 200)


def test_a_worker_that_takes_too_much_memory(staff, monkeypatch, caplog):
    """Ray has an error of its own for that, which is none of an actor's."""

    def full(ref):
        raise OutOfMemoryError("the node is full")

    monkeypatch.setattr(staffing, "get", full)
    member = begun(staff)
    die(staff, member, 101)
    assert "worker 3 has ended (OutOfMemoryError)" in caplog.text
    member.running, member.actor = "its life", None
    staff.ended(member, "its life")
    assert member.state == "absent"


def test_a_worker_that_dies_between_its_exchanges(staff):
    member = begun(staff)
    for life in range(1, 3 * TRIES):
        staff.last += 1
        die(staff, member, 100 + life)
    assert (member.tries, member.restarts) == (1, 3 * TRIES - 1)


def test_deaths_that_the_scenario_wants_do_not_count(staff):
    member = begun(staff)
    for _ in range(3 * TRIES):
        member.actor, watching = None, member.watching  # there is no process to end
        member.kill()
        staff.calls[watching](watching)
        assert member.state == "absent"
        member.actor, member.state = Actor(), "starting"
        member.count_start(staff.last)
        staff.greeted(member, 100)
    assert member.tries == 1
