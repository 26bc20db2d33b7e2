"""The center's desk in this process: what comes again while it is being served, and rows that are told again."""

from __future__ import annotations

import asyncio
import time

import torch
from ray.exceptions import RayTaskError

from springline import METHODS
from springline.couplings.base import Note
from springline.engines.job import Job
from springline.engines.ray.arrays import pack
from springline.engines.ray.crew import Member, Needs
from springline.engines.ray.driver import Driver
from springline.engines.ray.lead import Lead
from springline.engines.ray.news import beginning, ledger_of, packed, plan_of
from springline.engines.ray.shard import NotWhole

from .support import task

X = torch.linspace(-1, 1, 100)
COUPLING = METHODS["easgd"].coupling
JOB = Job(task(), METHODS["easgd"], workers=1, batch_size=16, rounds=10**6)
PLAN = plan_of(JOB, X, X[:0], 1, ())


async def center() -> Lead:
    lead, state = Lead(), beginning(JOB, X, torch.empty(0))
    told = {"run": "a run", "plan": PLAN, "coupling": COUPLING, "shards": [], "epoch": 0, "seconds": 0.0}
    told |= {"ledger": ledger_of(state, [{}]), "paused": False, "begun": True}
    await lead.restore(told, *packed(state, PLAN)[0], pack({"b": torch.empty(0)}))
    return lead


def attempt(lead: Lead, round: int):
    _, message = COUPLING.push(COUPLING.worker(X), X + 1, Note(0, 0, False, 1.0, 1), torch.empty(0))
    said = {"round": round, "note": tuple(message.note), "scalars": message.scalars, "asked": True}
    said |= {"vitals": {}, "took": 0.0, "pid": 100}
    return asyncio.ensure_future(lead.attempt(0, "a life", said, message.vectors, None, [], torch.empty(0), 400))


def test_what_comes_again_while_it_is_served_is_applied_once(cluster):
    """As when a call fails on its way back, while the center waits for a part of it on another machine."""

    async def scenario():
        lead = await center()
        under_way, go_on, exchange = asyncio.Event(), asyncio.Event(), lead.center.exchange

        async def slowly(*what):
            under_way.set()
            await go_on.wait()
            return await exchange(*what)

        lead.center.exchange = slowly
        first = attempt(lead, 1)
        await under_way.wait()
        again = attempt(lead, 1)
        await asyncio.sleep(0)  # it has its place at the desk
        go_on.set()
        assert (await first)["over"]  # nobody hears it any more
        assert (await again)["accepted"]
        assert (lead.ledger.updates, lead.ledger.resolved, lead.ledger.tallies[0].repeated) == (1, 1, 1)
        assert (await attempt(lead, 2))["accepted"]
        assert (lead.ledger.updates, lead.ledger.resolved) == (2, 2)

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_a_part_that_has_forgotten_the_center_is_noticed_when_a_message_is_brought_to_it(cluster):
    async def scenario():
        lead = await center()

        async def refused(*_):
            raise RayTaskError("bring", "its traceback", NotWhole("epoch -1, not 0")).as_instanceof_cause()

        lead.center.bring = refused
        assert await lead.push(0, "a life", {"pid": 100}, []) == {"unmet": True}
        assert lead.events[-1]["broken"] == "NotWhole: epoch -1, not 0"
        assert not lead.whole.is_set()

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_who_speaks_first_to_a_center_that_is_restarted_is_told_of_again():
    """What the center knew of its hello may have died with it, before the driver had heard of it."""

    async def scenario():
        lead = await center()
        for round in (1, 2):
            assert (await attempt(lead, round))["accepted"]
        assert [e["pid"] for e in lead.events if e.get("hello") == 0] == [100]

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_what_the_driver_said_first_may_come_last():
    """Calls to an actor like this one do not arrive in their order, and it is used by one run after the other."""

    async def scenario():
        lead = await center()
        assert lead.expected == 1  # nothing is said yet
        for run, number, paused, there in (("a run", 2, False, 3), ("a run", 1, True, 0), ("another", 9, True, 0)):
            await lead.pause(run, number, paused, there)
            assert (lead.paused, lead.expected) == (False, 3)
        await lead.pause("a run", 3, True, 2)
        assert (lead.paused, lead.expected) == (True, 2)
        lead.begin()
        assert lead.expected == 1

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_whom_a_round_waits_for():
    """For those who are there or are on their way, from the first moment on; not for those who are kept away."""

    def member(**fields):
        return Member(0, Needs(1, 0), **fields)

    assert all(member(**there).expected for there in ({}, {"state": "starting"}, {"state": "up"}))
    absent = {"down": True}, {"state": "gone"}, {"state": "starting", "late": True}
    assert not any(member(**fields).expected for fields in absent)


def test_the_copy_of_a_row_that_is_told_again_is_given_back():
    """After a restoration the center tells the rows since its snapshot once more; of these nothing is written."""

    class Writer:
        told, released, written = 5, 0, []

        def release(self) -> None:
            self.released += 1

        def record(self, event) -> None:
            self.written.append(event["row"])

    driver = object.__new__(Driver)
    driver.writer = Writer()
    for row, copy in ((4, None), (5, {"a": "copy"}), (6, {"a": "copy"})):
        driver.happened({"row": row, "copy": copy, "at": time.monotonic()})
    assert driver.writer.released == 1
    assert driver.writer.written == [6]
