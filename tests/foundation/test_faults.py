"""What each fault does to a worker and to the center, in whole runs against the recursion by hand.

Two workers, τ = 1, momentum, α = 0.3; worker 0 fails as a script says. When a row is written worker 0 has heard of its
exchange of that round, so its position can be compared too.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import springline
from springline import method
from springline.couplings import Evidence, Fixed, Guarded, Oracle
from springline.engines.simulator import Simulator
from springline.scenario import Constant, Scenario

from .support import START, ByHand, Keep, Witness, elastic, job, momentum, quadratic, simulate

ETA, DELTA, ALPHA, ROUNDS = 0.1, 0.6, 0.3, 9
METHOD = elastic(optimiser=momentum(ETA, DELTA))


def run(*faults: str, **kw: Any) -> Keep:
    return simulate(METHOD, faults=faults, **({"rounds": ROUNDS} | kw))


def expect(kept: Keep, plan: dict[int, str], rejoin: dict[int, str] | None = None, patience: int = 3) -> None:
    """The run is the recursion in which worker 0 meets plan[round], and begins round r as rejoin[r] says."""
    h, strikes = ByHand(2, ETA, DELTA), 0
    for r, world in enumerate(kept.worlds, 1):
        for i in (0, 1):
            what = plan.get(r, "") if i == 0 else ""
            if what != "idle":
                h.step(i)
            sent = {"scale": 100 * h.x[i], "sign": -h.x[i]}.get(what, h.x[i])
            pull = ALPHA * (h.x[i] - h.c)  # the worker knows what it had sent
            if what in ("", "lost-reply", "scale", "sign"):
                h.c = h.c + ALPHA * (sent - h.c)
            if what in ("", "scale", "sign"):
                h.x[i] = h.x[i] - pull
            if i == 1:
                continue
            strikes = strikes + 1 if what == "nan" else 0
            how = (rejoin or {}).get(r + 1)
            if strikes == patience:
                how, strikes = "center", 0
            if how in ("initial", "center"):
                h.x[i], h.v[i] = (START if how == "initial" else h.c).copy(), np.zeros(3)
        np.testing.assert_allclose(world.center.shared["c"], h.c, rtol=1e-12)
        answer = world.seats[0].answer  # one that found the worker down lands when it is up
        me = world.seats[0].me
        x = me.x
        if answer:
            x = x - answer.reply.scalars["h1"] * (me.link.vectors["sent"] - answer.reply.vectors["c"])
        np.testing.assert_allclose(x, h.x[0], rtol=1e-12)
        np.testing.assert_allclose(world.seats[0].me.optimiser.v, h.v[0], rtol=1e-12, atol=1e-15)
        assert world.seats[0].me.steps == h.steps[0]


def counts(kept: Keep, worker: int = 0) -> dict[str, Any]:
    row = kept.rows[-1]["workers"]
    return {name: row[name][worker] for name in ("made", "lost", "steps")}


def test_nothing_fails():
    kept = run()
    expect(kept, {})
    assert counts(kept) == counts(kept, 1) == {"made": 9, "lost": 0, "steps": 9}


def test_drop_the_exchange_does_not_happen_and_the_worker_goes_on():
    kept = run("script:drop,worker=0,round=3,rounds=4")
    expect(kept, dict.fromkeys(range(3, 7), "drop"))
    assert counts(kept) == {"made": 5, "lost": 4, "steps": 9}
    assert kept.rows[-1]["exchanges_lost"] == 4


def test_outage_without_computing_freezes_the_worker():
    kept = run("script:outage,worker=0,round=3,rounds=4")
    expect(kept, dict.fromkeys(range(3, 7), "idle"))
    assert counts(kept) == {"made": 5, "lost": 4, "steps": 5}


def test_outage_with_computing_is_a_row_of_drops():
    outage, drops = (
        run("script:outage,worker=0,round=3,rounds=4,compute=true"),
        run("script:drop,worker=0,round=3,rounds=4"),
    )
    assert outage.rows == drops.rows


def test_crash_stale_comes_back_as_it_went():
    """The batches go on with the steps made, so nothing but the round differs from an outage."""
    kept = run("script:crash,worker=0,round=3,rounds=4,rejoin=stale")
    expect(kept, dict.fromkeys(range(3, 7), "idle"))
    seats = [world.seats[0] for world in kept.worlds]
    assert torch.equal(seats[2].me.x, seats[4].me.x)
    assert seats[5].me.optimiser.v.abs().sum() > 0
    assert not seats[5].me.reborn


@pytest.mark.parametrize("how", ["initial", "center"])
def test_crash_comes_back_with_other_weights_and_a_new_optimiser(how):
    kept = run(f"script:crash,worker=0,round=3,rounds=4,rejoin={how}")
    expect(kept, dict.fromkeys(range(3, 7), "idle"), {7: how})
    back = kept.worlds[5].seats[0].me
    assert back.reborn
    assert back.optimiser.t == 0
    assert back.optimiser.v.tolist() == [0.0] * 3
    assert back.missed == 4
    assert back.steps == 2, "it does not see its first batches again"
    if how == "initial":
        assert back.x.tolist() == START.tolist()
    assert not kept.worlds[-1].seats[0].me.reborn, "the first exchange that succeeds ends it"


def test_crash_in_the_middle_of_an_outage_is_remembered():
    """Whoever crashed while he was cut off comes back from the crash when the outage ends."""
    kept = run("script:outage,worker=0,round=3,rounds=4", "script:crash,worker=0,round=4,rounds=1,rejoin=initial")
    expect(kept, dict.fromkeys(range(3, 7), "idle"), {7: "initial"})


def test_lost_reply_moves_the_center_and_not_the_worker():
    kept = run("script:lost-reply,worker=0,round=3,rounds=2")
    expect(kept, dict.fromkeys((3, 4), "lost-reply"))
    assert counts(kept) == {"made": 7, "lost": 2, "steps": 9}
    assert kept.rows[-1]["exchanges_unanswered"] == 2


@pytest.mark.parametrize("kind", ["scale", "sign"])
def test_corrupt_values_reach_the_center_but_not_their_sender(kind):
    kept = run(f"script:corrupt,worker=0,round=4,kind={kind}")
    expect(kept, {4: kind})
    assert counts(kept) == {"made": 9, "lost": 0, "steps": 9}


@pytest.mark.parametrize("length", [1, 2, 3, 5, 6])
def test_corrupt_nan_is_refused_and_after_three_the_worker_starts_from_the_center(length):
    kept = run(f"script:corrupt,worker=0,round=2,rounds={length},kind=nan")
    expect(kept, dict.fromkeys(range(2, 2 + length), "nan"))
    assert counts(kept) == {"made": 9 - length, "lost": length, "steps": 9}
    assert kept.rows[-1]["exchanges_refused"] == length
    assert [world.seats[0].tally.strikes for world in kept.worlds] == [
        (r - 1) % 3 if 2 <= r < 2 + length else 0 for r in range(1, ROUNDS + 1)
    ]


@pytest.mark.parametrize("kind", ["scale", "sign"])
def test_guarded_does_not_believe_a_message_from_nowhere(kind):
    """Its sender is told to start again from the center, which stays where it is."""
    rule = Guarded(ALPHA, r0=0.1, r1=0.5)
    kept = simulate(
        elastic(rule, momentum(ETA, DELTA)), faults=[f"script:corrupt,worker=1,round=4,kind={kind}"], rounds=4
    )
    fine = simulate(elastic(rule, momentum(ETA, DELTA)), faults=["script:drop,worker=1,round=4"], rounds=4)
    assert kept.column("h1", 1)[-1] == 1.0
    assert kept.column("h2", 1)[-1] == 0.0
    assert kept.centers()[-1].tobytes() == fine.centers()[-1].tobytes()


def test_a_worker_that_has_not_heard_of_its_exchange_slept_all_the_same():
    """Worker 0 of three sleeps in rounds 3 to 10, and the reply to its first message is lost: both are counted from
    the pull in round 2, and so is how far it can have come."""
    seen: list[Evidence] = []
    faults = ["script:outage,worker=0,round=3,rounds=8", "script:lost-reply,worker=0,round=11"]
    simulate(elastic(Witness((seen,), back=0)), faults=faults, rounds=12, workers=3)
    mine = [e for e in seen if e.worker == 0]
    assert [e.idle for e in mine[2:]] == pytest.approx([18 / 3 - 1, 21 / 3 - 2])
    assert 0.5 * mine[1].distance < mine[2].reach < mine[3].reach


@pytest.mark.parametrize("pull_after", [0, 1, 2])
def test_a_refused_message_is_one_round(pull_after):
    """Whenever the worker hears of it, its round of two steps counts once, and their losses are told once."""
    seen: list[Evidence] = []
    faults = [f"script:corrupt,kind=nan,worker=0,round={r}" for r in (3, 4)]
    here = replace(elastic(Witness((seen,), back=0), momentum(ETA, DELTA)), pull_after=pull_after)
    simulate(here, faults=faults, rounds=6, workers=1, tau=2)
    assert [e.idle for e in seen] == [-1.0, -1.0, -3.0, -1.0]


@pytest.mark.parametrize("pull_after", [0, 1, 2])
def test_no_worker_is_further_away_than_it_can_have_come(pull_after):
    """The triangle inequality, where the only worker is the only one to move the center; damage alone breaks it."""
    faults = ["drop:0.2", "lost-reply:0.2", "outage:up=9,down=3,compute=true", "crash:mtbf=9,down=2,rejoin=center"]
    faults += ["script:crash,worker=0,round=30,rounds=2,rejoin=stale"]
    seen: list[Evidence] = []
    here = elastic(Witness((seen,), back=0), momentum(ETA, DELTA))
    simulate(replace(here, pull_after=pull_after), faults=faults, rounds=80, workers=1, tau=2)
    assert len(seen) > 20
    assert all(e.distance <= e.reach * (1 + 1e-9) for e in seen)
    assert any(e.distance > 0.5 * e.reach for e in seen)
    simulate(here, faults=["script:corrupt,worker=0,round=4,kind=scale"], rounds=4, workers=1)
    assert seen[-1].distance > 2 * seen[-1].reach


@pytest.mark.parametrize("fault", ["outage,compute=true", "drop"])
def test_guarded_keeps_the_work_of_a_worker_that_was_only_cut_off(fault):
    """Its distance is what its steps have made, and what its first exchanges left of that; one that slept is reset."""
    faults = [f"script:{fault},worker=0,round=3,rounds=12"]
    kept = [
        simulate(elastic(rule, momentum(ETA, DELTA)), faults=faults, rounds=24, workers=4)
        for rule in (Guarded(ALPHA), Fixed(ALPHA))
    ]
    assert kept[0].centers()[-1].tobytes() == kept[1].centers()[-1].tobytes()
    asleep = ["script:outage,worker=0,round=3,rounds=12"]
    woken = simulate(elastic(Guarded(ALPHA), momentum(ETA, DELTA)), faults=asleep, rounds=24, workers=4)
    assert woken.column("h1", 0)[14] == 1.0


@pytest.mark.parametrize(("rejoin", "h1"), [("initial", 1.0), ("stale", 1.0), ("center", ALPHA)])
def test_guarded_listens_to_a_worker_that_comes_back_if_it_has_been_at_the_center(rejoin, h1):
    faults = [f"script:crash,worker=0,round=4,rounds=6,rejoin={rejoin}"]
    kept = simulate(elastic(Guarded(ALPHA), momentum(ETA, DELTA)), faults=faults, rounds=10, workers=4)
    assert kept.column("h1", 0)[-1] == h1


@pytest.mark.parametrize("pull_after", [0, 1])
@pytest.mark.parametrize(
    "fault", ["drop", "outage", "outage,compute=true", "lost-reply", "crash,rejoin=stale", "crash,rejoin=initial",
              "crash,rejoin=center", "corrupt"],
)  # fmt: skip
def test_oracle_is_told_of_every_failure_once(fault, pull_after):
    """h1 = 1, h2 = 0 at the first exchange after rounds 3 and 4 were lost, whatever it was that failed."""
    what, _, more = fault.partition(",")
    text = f"script:{what},worker=0,round=3,rounds=2" + (f",{more}" if more else "")
    kept = simulate(elastic(Oracle(ALPHA), pull_after=pull_after), faults=[text], rounds=7)
    decided = [world.seats[0].tally.decision for world in kept.worlds]
    assert [d["h1"] for d in decided[4:]] == [1.0, ALPHA, ALPHA]
    assert [d["h2"] for d in decided[4:]] == [0.0, ALPHA, ALPHA]
    assert [d["h1"] for d in decided[:2]] == [ALPHA, ALPHA]
    assert kept.column("h1", 1) == [ALPHA] * 7, "the other worker never failed"


@pytest.mark.parametrize(
    ("fault", "late"),
    [
        ("outage", 10 / 3 - 1),
        ("outage,compute=true", 10 / 3 - 5),
        ("drop", 10 / 3 - 5),
        ("crash,rejoin=stale", 10 / 3 - 1),
        ("crash,rejoin=initial", 17 / 3 - 1),
        ("crash,rejoin=center", math.nan),
    ],
)
def test_rounds_slept_through_are_those_that_the_others_made_without_it(fault, late):
    """Worker 0 of three, rounds 4 to 7. The center counts the others' exchanges; what it computed itself is taken off.

    Both others exchange five times from its round 3 to its round 8, and it has computed in the last of these. Initial
    parameters are those of before the first exchange of all. Since when the center was where it began it does not know.
    """
    what, _, more = fault.partition(",")
    seen: list[Evidence] = []
    rule = Witness((seen,), back=0)
    text = f"script:{what},worker=0,round=4,rounds=4" + (f",{more}" if more else "")
    simulate(elastic(rule), faults=[text], rounds=9, workers=3)
    idle = {i: [e.idle for e in seen if e.worker == i] for i in range(3)}
    assert idle[0] == pytest.approx([-1, 2 / 3 - 1, 2 / 3 - 1, late, 2 / 3 - 1], nan_ok=True)
    missing = range(4, 8)
    assert idle[1] == pytest.approx([1 / 3 - 1] + [(1 + (r not in missing)) / 3 - 1 for r in range(2, 10)])


def test_dynamic_with_equal_weights_is_fixed_bit_for_bit(blobs):
    """k → −∞ makes h1 = h2 = α whatever the score; a power of two, so that no rounding stands in between."""
    common = {"alpha": 0.25, "lr": 0.05, "overlap": 0.25}
    methods = method("deahes-o", k=-(2.0**1000), **common), method("eahes-o", **common)
    runs = [springline.train(blobs, m, rounds=20, batch_size=8, faults=["drop:0.3"]) for m in methods]
    assert all(torch.equal(runs[0].center[name], runs[1].center[name]) for name in runs[0].center)
    assert min(s for s in runs[0].rows[-1]["workers"]["score"]) < 0, "some score would have changed the weights"


# -- the same failures for all

EVERYTHING = ["drop:0.2", "outage:6,down=3", "crash:9,down=2,rejoin=initial", "corrupt:nan,rate=0.1", "lost-reply:0.1"]


@pytest.mark.parametrize("faults", [["drop:0.333"], EVERYTHING, ["crash:9s,down=3s"]], ids=["drop", "all", "seconds"])
def test_two_methods_meet_the_same_failures(blobs, faults):
    """Which worker loses which attempt, round by round."""
    patterns = []
    for name in ("easgd", "eamsgd", "eahes-om", "deahes-o", "geahes-o"):
        run = springline.train(blobs, name, rounds=30, batch_size=8, faults=faults, eval_every=30)
        patterns.append([(row["workers"]["made"], row["workers"]["lost"]) for row in run.rows])
    assert all(p == patterns[0] for p in patterns)
    made, lost = patterns[0][-1]
    assert min(made) > 0
    assert min(lost) > 0


def test_another_seed_meets_others(blobs):
    lost = [springline.train(blobs, rounds=30, faults=["drop:0.333"], batch_size=8, seed=s).rows[-1]["workers"]["lost"]
            for s in (0, 1)]  # fmt: skip
    assert lost[0] != lost[1]


def test_every_attempt_is_counted_once(blobs):
    run = springline.train(blobs, rounds=40, batch_size=8, faults=[*EVERYTHING, "slow:2,worker=1"], eval_every=40)
    for number, row in enumerate(run.rows, 1):
        workers = row["workers"]
        assert row["round"] == number
        assert row["exchanges_made"] + row["exchanges_lost"] == 4 * number
        assert row["exchanges_made"] == sum(workers["made"])
        assert row["exchanges_lost"] == sum(workers["lost"])
    assert 0 < row["exchanges_refused"] + row["exchanges_unanswered"] < row["exchanges_lost"]


def test_all_workers_at_once_can_fail(blobs):
    """Nothing ever reaches the center: it stays at its initial value, and the run ends."""
    run = springline.train(blobs, rounds=5, batch_size=8, faults=["drop:1"])
    assert run.rows[-1]["exchanges_lost"] == 20
    assert run.rows[0]["train_loss"] == run.rows[-1]["train_loss"]
    assert run.rows[-1]["workers"]["h1"] == [None] * 4
    initial = blobs.build(0).state_dict()
    assert all(torch.equal(run.center[name], initial[name]) for name in initial)


def test_faults_in_seconds_follow_the_virtual_clock():
    """Rounds of 10 s and an outage of mean 20 s: about two rounds each; the same in rounds of 1 s: about twenty."""

    def stretches(seconds: float) -> float:
        scenario = Scenario(["outage:up=200s,down=20s"], pace=Constant(seconds))
        what = job(METHOD, quadratic(), scenario=scenario, rounds=400, eval_every=400)
        kept = Keep()
        Simulator().run(what, kept)
        lost = np.diff([0, *kept.column("lost", 0)])
        return lost.sum() / max(1, (np.diff([0, *lost]) > 0).sum())

    assert 1 <= stretches(10.0) < 5
    assert stretches(1.0) > 8
