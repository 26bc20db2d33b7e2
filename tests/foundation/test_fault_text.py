"""Faults as text, in both directions, and what is said about text that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from springline import Scenario, UsageError, parse_fault
from springline.scenario import (
    FAULTS,
    CenterCrash,
    Corrupt,
    Crash,
    Drop,
    LostReply,
    Outage,
    Script,
    Slow,
    Span,
    write_fault,
)

workers = st.lists(st.integers(0, 99), max_size=3).map(tuple)
rates = st.floats(0, 1)
positive = st.floats(1e-6, 1e6)
rounds = st.floats(1, 1e6).map(lambda length: Span(length, "r"))
seconds = positive.map(lambda length: Span(length, "s"))
lengths = st.one_of(st.tuples(rounds, rounds), st.tuples(seconds, seconds))
rejoins = st.sampled_from(["stale", "initial", "center"])
damages = st.sampled_from(["nan", "scale", "sign"])
finite = st.floats(allow_nan=False, allow_infinity=False)

faults = st.one_of(
    st.builds(Drop, rate=rates, worker=workers),
    st.builds(lambda both, **kw: Outage(*both, **kw), lengths, compute=st.booleans(), worker=workers),
    st.builds(lambda both, **kw: Crash(*both, **kw), lengths, rejoin=rejoins, worker=workers),
    st.builds(Slow, factor=positive, worker=workers),
    st.builds(Corrupt, kind=damages, rate=rates, by=finite, worker=workers),
    st.builds(LostReply, rate=rates, worker=workers),
    st.builds(lambda both: CenterCrash(*both), lengths),
    st.builds(
        Script,
        what=st.sampled_from(["drop", "outage", "crash", "slow", "corrupt", "lost-reply"]),
        round=st.integers(1, 10**6),
        rounds=st.integers(1, 10**6),
        worker=workers,
        compute=st.booleans(),
        rejoin=rejoins,
        factor=positive,
        kind=damages,
        by=finite,
    ),
)


@given(faults)
def test_round_trip(fault):
    assert parse_fault(write_fault(fault)) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop:0.333", Drop(0.333)),
        ("drop:rate=0.5,worker=1", Drop(0.5, (1,))),
        ("outage", Outage(Span(40), Span(20))),
        ("outage:", Outage(Span(40), Span(20))),
        ("outage:up=40,down=20,compute=false", Outage(40, 20, False)),
        ("outage:40r,down=20r,compute=yes", Outage("40r", "20", True)),
        ("outage:up=2.5s,down=0.1s", Outage(Span(2.5, "s"), Span(0.1, "s"))),
        ("crash:mtbf=40,down=20,rejoin=initial", Crash(40, 20, "initial")),
        ("crash:1e2", Crash(100, 5, "center")),
        ("slow:worker=0,factor=4", Slow(4.0, (0,))),
        ("slow:4, worker=0+2", Slow(4.0, (0, 2))),
        ("corrupt:nan,rate=0.01", Corrupt("nan", 0.01)),
        ("corrupt:scale,by=-3", Corrupt("scale", 0.01, -3.0)),
        ("lost-reply:1", LostReply(1.0)),
        ("center-crash:mtbf=30s", CenterCrash("30s", "1s")),
        ("script:crash,worker=1,round=5,rounds=3", Script("crash", 5, 3, (1,))),
    ],
)
def test_reads(text, fault):
    assert parse_fault(text) == fault


def test_every_fault_has_an_entry():
    named = {fault.name: fault for fault in (Drop, Outage, Crash, Slow, Corrupt, LostReply, Script)}
    assert named.items() <= FAULTS.items()
    assert all(fault.main in fault.__dataclass_fields__ and fault.line for fault in FAULTS.values())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("dorp:0.3", r"unknown fault 'dorp'; did you mean drop"),
        ("", r"unknown fault ''; known: .*corrupt, crash, drop, lost-reply, outage, script, slow"),
        ("drop", r"drop needs rate=…"),
        ("crash:down=3", r"crash needs mtbf=…"),
        ("script:drop", r"script needs round=…"),
        ("script", r"script needs what=… and round=…"),
        ("drop:q=0.3", r"drop has no key 'q'; it has rate, worker\."),
        ("drop:0.3,rate=0.4", r"rate is given twice"),
        ("drop:often", r"rate=often cannot be read; write a number"),
        ("drop:0.3,worker=one", r"worker=one cannot be read; write 0 or 0\+2"),
        ("drop:0.3,worker=", r"worker= cannot be read; write 0 or 0\+2"),
        ("outage:compute=maybe", r"compute=maybe cannot be read; write true or false"),
        ("script:drop,round=1.5", r"round=1.5 cannot be read; write a whole number"),
        ("drop:1.3", r"rate=1.3 is outside \[0, 1\]"),
        ("drop:nan", r"rate=nan is outside \[0, 1\]"),
        ("lost-reply:-0.1", r"rate=-0.1 is outside \[0, 1\]"),
        ("corrupt:nan,rate=2", r"rate=2.0 is outside \[0, 1\]"),
        ("corrupt:noise", r"kind='noise' is unknown; choose nan, scale or sign"),
        ("crash:40,rejoin=fresh", r"rejoin='fresh' is unknown; choose stale, initial or center"),
        ("crash:0", r"mtbf=0 is not a length of time"),
        ("crash:0.5", r"mtbf=0.5 is not a length of time; write rounds of at least 1"),
        ("outage:up=0s,down=1s", r"up=0s is not a length of time"),
        ("outage:up=-3", r"up=-3 is not a length of time"),
        ("outage:up=soon", r"up=soon is not a length of time"),
        ("outage:up=1e400", r"up=1e400 is not a length of time"),
        ("outage:up=40,down=20s", r"up=40r and down=20s have different units"),
        ("slow:0", r"factor=0.0 is not a positive number"),
        ("slow:inf", r"factor=inf is not a positive number"),
        ("script:explode,round=1", r"what='explode' is unknown"),
        ("script:drop,round=0", r"rounds count from 1"),
        ("script:drop,round=1,rounds=0", r"last at least one"),
        ("script:crash,round=1,rejoin=fresh", r"rejoin='fresh' is unknown"),
        ("script:corrupt,round=1,kind=noise", r"kind='noise' is unknown"),
        ("script:slow,round=1,factor=0", r"factor=0.0 is not a positive number"),
    ],
)
def test_says_what_is_wrong(text, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        parse_fault(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("worker", [4, -1])
def test_a_worker_that_does_not_exist(worker):
    scenario = Scenario([Drop(0.5, (0, worker))])
    with pytest.raises(UsageError, match=f"fault drop: there is no worker {worker}; with 4 workers they are 0 to 3"):
        scenario.check(4, 100)


def test_a_scenario_takes_one_fault_several_and_text():
    assert Scenario("drop:0.5").faults == Scenario(Drop(0.5)).faults == Scenario(["drop:0.5"]).faults == (Drop(0.5),)
