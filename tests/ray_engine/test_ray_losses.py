"""What the driver makes of losses, in this process: what is counted, restored, kept, and when it gives up."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from types import SimpleNamespace

import pytest
import ray
import torch
from ray.exceptions import ActorDiedError, OutOfMemoryError

from springline import METHODS, RunError
from springline.couplings.base import Note
from springline.couplings.elastic import Elastic
from springline.engines.job import Job
from springline.engines.ray import keeper as keeping
from springline.engines.ray import staff as staffing
from springline.engines.ray.arrays import pack
from springline.engines.ray.crew import Member, Needs
from springline.engines.ray.driver import Driver
from springline.engines.ray.keeper import Keeper
from springline.engines.ray.lead import Lead
from springline.engines.ray.news import beginning, grown, known_of, ledger_of, packed, plan_of
from springline.engines.ray.shard import Shard
from springline.engines.ray.staff import Staff
from springline.engines.ray.writer import Writer
from springline.engines.real.news import LocalState
from springline.engines.real.pauses import Pauses
from springline.engines.real.words import TRIES

from .support import task

X = torch.linspace(-1, 1, 100)


def job(method: str = "easgd") -> Job:
    return Job(task(), METHODS[method], workers=2, batch_size=16, rounds=10**6)


def state_of(job: Job, rounds: int = 0) -> LocalState:
    return beginning(job, X, X[:0])._replace(resolved=rounds * job.workers)


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


def test_a_life_that_is_said_again_is_watched_once(staff):
    member = begun(staff)
    watching, calls = member.watching, len(staff.calls)
    staff.greeted(member, 100)
    assert (member.watching, len(staff.calls)) == (watching, calls)
    die(staff, member, 101)
    assert member.watching is not watching
    assert (member.state, member.pid) == ("up", 101)


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


# -- a center that is restored


class Sent(list):
    """What the lead of a center was told to restore."""

    def __init__(self) -> None:
        self.restore, self.news = SimpleNamespace(remote=self.put), SimpleNamespace(remote=lambda *_: object())

    def put(self, told, *pieces):
        self.append((told, *[ray.get(p) if isinstance(p, ray.ObjectRef) else p for p in pieces]))
        return object()


@pytest.fixture
def keeper(cluster):
    """Of a center without other parts, and with a snapshot of the run's beginning."""
    keeper, mine = object.__new__(Keeper), job()
    boss = SimpleNamespace(job=mine, wanted=2, calls={}, pauses=Pauses(), zero=0.0, begun=True)
    boss.tallies, boss.writer = known_of(state_of(mine)), SimpleNamespace(saved=lambda: state_of(mine))
    boss.writer.settle = lambda: None
    keeper.boss, keeper.plan, keeper.run, keeper.actors = boss, plan_of(mine, X, X[:0], 1, ()), "a run", [Sent()]
    keeper.state, keeper.why, keeper.epoch, keeper.restarts, keeper.down = "absent", "", -1, 0, False
    keeper.tries, keeper.progress = 0, 0
    return keeper


def test_a_center_that_is_restored_knows_who_has_joined(keeper):
    """Also from a snapshot of the time before: whoever says hello just then is not refused."""
    keeper.boss.wanted = 3
    keeper.restore()
    lead = Lead()

    async def scenario():
        await lead.restore(*keeper.lead[0])
        return await lead.hello(2, "a life", "a start", len(X), keeper.plan.dtype, 100)

    known = asyncio.run(asyncio.wait_for(scenario(), 60))
    assert known["last"] == 0
    driver = object.__new__(Driver)
    driver.crew, driver.wanted, driver.tallies = [Member(i, Needs(1, 0)) for i in range(2)], 3, lead.ledger
    driver.needs, driver.center = Needs(1, 0), SimpleNamespace(tell=lambda: None)
    for event in lead.events:
        driver.happened(event)
    assert [(m.i, m.rejoin) for m in driver.crew[2:]] == [(2, "join")]


@pytest.mark.parametrize("method", ["easgd", "geahes-o", "dana-zero", "ssgd"])
def test_room_in_a_snapshot_is_the_room_that_a_center_makes(method):
    mine = job(method)
    state, lead = state_of(mine), Lead()
    told = {"run": "a run", "plan": plan_of(mine, X, X[:0], 1, ()), "coupling": mine.method.coupling, "shards": []}
    told |= {"epoch": 0, "seconds": 0.0, "ledger": ledger_of(state, [{}, {}]), "paused": False, "begun": True}

    async def make_room():
        await lead.restore(told, *packed(state, told["plan"])[0], pack({"b": X[:0]}))
        await lead.make_room(4)

    asyncio.run(asyncio.wait_for(make_room(), 60))
    found = grown(state, mine.method.coupling, 4)
    assert (found.tallies, found.steps) == ([list(t) for t in lead.ledger.tallies], [0] * 4)
    assert found.center.scalars == lead.ledger.scalars
    assert found.center.rows.keys() == lead.center.part.rows.keys()
    assert all(torch.equal(v, lead.center.part.rows[name]) for name, v in found.center.rows.items())


def lose(keeper: Keeper, *, wanted: bool = False) -> None:
    """And restore it."""
    keeper.state = "up"
    keeper.lose("ActorDiedError", wanted=wanted)
    keeper.look()


def test_a_center_that_is_lost_again_and_again(keeper):
    keeper.look()
    for _ in range(TRIES - 1):
        lose(keeper)
    assert (keeper.restarts, len(keeper.lead)) == (TRIES - 1, TRIES)
    with pytest.raises(
        RunError, match=rf"the center ended {TRIES} times in a row before its next .* \(ActorDiedError\)"
    ):
        lose(keeper)


def test_a_center_that_comes_further_each_time(keeper, monkeypatch):
    keeper.look()
    for resolved in range(1, 3 * TRIES):
        news = ledger_of(state_of(job())._replace(resolved=resolved), [{}, {}]) | {"epoch": keeper.epoch, "events": []}
        monkeypatch.setattr(keeping, "get", lambda ref, news=news: news)
        keeper.hear(keeper.epoch, object())
        lose(keeper)
    assert keeper.tries == 1


def test_losses_of_the_center_that_the_scenario_wants_do_not_count(keeper):
    keeper.look()
    for _ in range(3 * TRIES):
        lose(keeper, wanted=True)
    assert keeper.restarts == 3 * TRIES


class Failing(Elastic):
    def measure(self, *_: object) -> list[float]:
        raise RuntimeError("no sums")


def test_an_error_of_the_methods_in_a_part_of_the_center(cluster):
    """It would come again after a restoration, so the run ends with it, as if the center were one."""
    x, mine = torch.zeros(3 << 16), job()
    coupling, state, plan = mine.method.coupling, beginning(mine, x, X[:0]), plan_of(mine, x, X[:0], 2, ())
    bad = Failing(**{f.name: getattr(coupling, f.name) for f in fields(coupling)})
    shard, lead = ray.remote(Shard).options(num_cpus=0).remote(), Lead()
    first, second = packed(state, plan)
    ray.get(shard.restore.remote(1, plan, bad, 0, *second, 2))
    told = {"run": "a run", "plan": plan, "coupling": coupling, "shards": [shard], "epoch": 0, "seconds": 0.0}
    told |= {"ledger": ledger_of(state, [{}, {}]), "paused": False, "begun": True}
    _, message = coupling.push(coupling.worker(x), x + 1, Note(0, 0, False, 1.0, 1), X[:0])
    said = {"round": 1, "note": tuple(message.note), "scalars": message.scalars, "vitals": {}, "took": 0.0}
    halves = [{name: v[a:b] for name, v in message.vectors.items()} for a, b in plan.cuts]

    async def scenario():
        await lead.restore(told, *first, pack({"b": X[:0]}))
        lead.events.clear()
        lead.news_came.clear()
        unheard = asyncio.ensure_future(
            lead.attempt(0, "a life", said, halves[0], None, [pack(halves[1])], X[:0], message.nbytes)
        )
        while not any("failed" in event for event in lead.events):
            assert not unheard.done()
            await lead.news_came.wait()
            lead.news_came.clear()

    asyncio.run(asyncio.wait_for(scenario(), 60))
    ray.kill(shard)
    assert not lead.whole.is_set()
    [event] = [event for event in lead.events if "failed" in event]
    with pytest.raises(RunError, match=r"the center could not go on \(RuntimeError: no sums\)"):
        object.__new__(Driver).happened(event)


# -- what is written


@pytest.fixture
def writer(tmp_path, monkeypatch):
    """Of a run of which five rounds are written. kept: how many attempts were resolved in each checkpoint; asked: how
    often the center was asked for a copy.
    """
    writer = object.__new__(Writer)
    writer.kept, writer.asked, writer.told, writer.looked, writer.held = [], 0, 5, 0.0, None

    def ask() -> object:
        writer.asked += 1
        return object()

    center = SimpleNamespace(state="up", epoch=1, heard=0, lead=SimpleNamespace(copy=SimpleNamespace(remote=ask)))
    writer.boss = SimpleNamespace(job=job(), center=center, zero=0.0, calls={}, resolved=10)
    writer.sink = SimpleNamespace(where=tmp_path, due=lambda: True)
    writer.scribe = SimpleNamespace(error=None, keep=lambda state, done: writer.kept.append(state().resolved))
    monkeypatch.setattr(writer, "_center", lambda copy: state_of(job()).center)
    return writer


def copy_of(resolved: int) -> dict:
    return ledger_of(state_of(job())._replace(resolved=resolved), [{}, {}]) | {"epoch": 1, "said": 0}


@pytest.mark.parametrize(("resolved", "kept"), [(9, []), (10, [10]), (11, [11])])
def test_no_checkpoint_is_older_than_the_rows_it_covers(writer, resolved, kept):
    """The center was restored from the fourth round: a run that is resumed would write the fifth again."""
    writer.held = copy_of(resolved)
    writer.settle()
    assert (writer.kept, writer.held) == (kept, None)


@pytest.mark.parametrize(("resolved", "asked"), [(9, 0), (10, 1)])
def test_no_copy_is_asked_for_that_would_not_be_kept(writer, resolved, asked):
    writer.boss.resolved = resolved
    writer.look()
    assert writer.asked == asked


def test_a_run_without_a_folder_remembers_what_the_center_is(writer):
    """No row is written twice there: it ends with this program."""
    writer.sink.where = None
    writer.held = copy_of(2)
    writer.settle()
    assert writer.state.resolved == 2
