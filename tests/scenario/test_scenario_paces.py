"""Paces: who goes next, and how long steps take."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from springline import UsageError
from springline.scenario import PACES, BlockRandom, Constant, Gamma, GammaHeterogeneous, Network, RoundRobin, Scenario
from springline.scenario.gamma import BLOCK

DRAWN = (Gamma(batch=128, v=0.1), Gamma(batch=2, v=0.5), GammaHeterogeneous(batch=128, v=0.1, vm=0.6))


def times(pace: Gamma, worker: int, steps: int, seed: int = 0) -> np.ndarray:
    return np.array([pace.step_time(seed, worker, k) for k in range(steps)])


def order(pace: Constant, round: int, workers: int = 5, seed: int = 0) -> tuple[int, ...]:
    return tuple(sorted(range(workers), key=lambda i: pace.priority(seed, i, round)))


def test_round_robin_is_in_order() -> None:
    assert {order(RoundRobin(), r) for r in range(1, 20)} == {(0, 1, 2, 3, 4)}
    assert {RoundRobin(2.5).step_time(0, i, k) for i in range(3) for k in range(5)} == {2.5}


def test_block_random_shuffles_every_block_anew() -> None:
    orders = [order(BlockRandom(), r) for r in range(1, 4001)]
    assert all(sorted(o) == [0, 1, 2, 3, 4] for o in orders)
    assert len(set(orders)) == 120, "every permutation comes up"
    counts = [orders.count(p) for p in itertools.permutations(range(5))]
    chi2 = sum((n - 4000 / 120) ** 2 / (4000 / 120) for n in counts)
    assert chi2 < 180, "as often as every other (119 degrees of freedom; 180 is exceeded once in 4,000 times)"
    assert orders != [order(BlockRandom(), r, seed=1) for r in range(1, 4001)]
    assert max(BlockRandom().priority(0, i, r) for i in range(50) for r in range(50)) < 1 << 63


def test_block_random_refuses_a_center_that_spreads_the_workers_out() -> None:
    scenario = Scenario.of(pace="block-random", network="service=1e6")
    with pytest.raises(UsageError, match="leave service out, or use --pace gamma"):
        scenario.check(4, 100)
    Scenario.of(pace="block-random", network="latency=1,bandwidth=1e6").check(4, 100)


@pytest.mark.parametrize("pace", DRAWN[:2], ids=str)
def test_gamma_has_its_moments(pace: Gamma) -> None:
    n = 20_000
    drawn = np.concatenate([times(pace, i, n // 4) for i in range(4)])
    error = pace.batch * pace.v / np.sqrt(n)
    assert abs(drawn.mean() - pace.batch) < 4 * error
    assert drawn.std() / drawn.mean() == pytest.approx(pace.v, rel=0.03)
    skew = ((drawn - drawn.mean()) ** 3).mean() / drawn.std() ** 3
    assert skew == pytest.approx(2 * pace.v, abs=0.1), "of a gamma distribution: 2/√shape"
    assert pace.tick == pace.batch


def test_each_machine_has_a_mean_of_its_own() -> None:
    pace = GammaHeterogeneous(batch=10, v=0.1, vm=0.6)
    means = np.array([times(pace, i, 60).mean() for i in range(800)])
    assert means.mean() == pytest.approx(10, rel=0.08)
    assert means.std() / means.mean() == pytest.approx(0.6, rel=0.1)
    within = times(pace, 3, 5000)
    assert within.std() / within.mean() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("pace", DRAWN, ids=str)
def test_draws_are_functions_of_seed_worker_and_step(pace: Gamma) -> None:
    steps = 3 * BLOCK
    forward = times(pace, 2, steps)
    backward = np.array([pace.step_time(0, 2, k) for k in reversed(range(steps))])[::-1]
    assert np.array_equal(forward, backward)
    assert np.array_equal(forward, times(type(pace)(**vars(pace)), 2, steps))
    assert len(np.unique(np.concatenate([forward, times(pace, 1, steps), times(pace, 2, steps, seed=1)]))) == 3 * steps


def test_a_step_costs_little() -> None:
    """Measured 0.3 µs a step on one core, beside some 100 µs for the smallest gradient."""
    pace = Gamma()
    start = time.perf_counter()
    for k, i in itertools.product(range(1000), range(16)):
        pace.step_time(5, i, k)
    assert (time.perf_counter() - start) / 16_000 < 20e-6


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gamma:v=0", "pace gamma: v=0.0 is not a finite number above 0.001; the usual"),
        ("gamma:batch=-1", "pace gamma: batch=-1.0 is not"),
        ("gamma:batch=inf", "batch=inf is not"),
        ("gamma-heterogeneous:vm=nan", "pace gamma-heterogeneous: vm=nan is not"),
        ("gamma:vm=0.6", "--pace gamma:vm=0.6: gamma has no key 'vm'; it has batch, v."),
        ("constant:0", "pace constant: seconds=0.0 is not positive"),
        ("block-random:nan", "pace block-random: seconds=nan"),
        ("gama", "unknown pace 'gama'; did you mean gamma"),
        ("gamma:v=x", "--pace gamma:v=x: v=x cannot be read; write a number."),
    ],
)
def test_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        Scenario.of(pace=text)
    assert says in str(error.value)


@pytest.mark.parametrize("name", [n for n in PACES if n != "trace"])
def test_every_pace_fits_any_number_of_workers(name: str) -> None:
    pace = PACES[name]()
    pace.check(256, Network())
    assert pace.tick > 0
    assert pace.line
