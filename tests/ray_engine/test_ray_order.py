"""With the simulator's order of exchanges, workers on Ray give the simulator's weights, bit for bit."""

from __future__ import annotations

import pytest

from springline import METHODS, train
from springline.engines.ray import Ray
from springline.engines.ray.arrays import cuts
from tests.local.test_order import NEEDED, STAR, check

from .support import WIDE, net, normed, task, wide

pytestmark = pytest.mark.usefixtures("hands")


def both(method: str, workers: int = 3, shards: int = 1, **options):
    """The same run on both engines."""
    options = {"batch_size": 16, "rounds": 6, "eval_every": 6} | NEEDED.get(method, {}) | options
    model = options.pop("model", net)
    simulated = train(task(model), method, workers=workers, **options)
    engine = Ray(order=tuple(range(workers)), center_shards=shards)
    return simulated, train(task(model), method, workers=workers, engine=engine, **options)


@pytest.mark.parametrize("method", STAR)
def test_every_method(method):
    coupling = METHODS[method].coupling
    check(*both(method, coupling.most_workers or 3, tau=1 if coupling.single_step else 2))


@pytest.mark.parametrize("method", ["geahes-o", "dana-zero", "dc-asgd", "ssgd", "sync-easgd"])
def test_a_center_in_parts(method):
    """Whose sums are those of the whole, and whose parts of a reply go to the worker without meeting before."""
    assert len(cuts(WIDE, 3)) == 3
    coupling = METHODS[method].coupling
    check(*both(method, shards=3, model=wide, tau=1 if coupling.single_step else 2, rounds=4))


@pytest.mark.parametrize("pull_after", [1, "tau"])
def test_a_pull_that_lands_later(pull_after):
    check(*both("easgd", tau=3, pull_after=pull_after))


def test_statistics_of_batch_norm():
    check(*both("easgd", tau=2, model=normed))


def test_what_happens_to_messages():
    """Lost, damaged and unanswered ones, in the same rounds of the same workers."""
    faults = ["drop:0.3", "lost-reply:0.3", "corrupt:sign,rate=0.2", "script:corrupt,kind=nan,round=6"]
    simulated, real = both("easgd", rounds=12, faults=faults)
    check(simulated, real)
    last = real.rows[-1]
    assert min(last[f"exchanges_{name}"] for name in ("lost", "refused", "unanswered")) > 0


@pytest.mark.parametrize("shards", [1, 3])
def test_who_begins_anew_begins_where_the_method_says(shards):
    simulated, real = both(
        "mdownpour", 1, shards, model=wide, rounds=8, faults=["script:corrupt,worker=0,kind=nan,round=3,rounds=3"]
    )
    check(simulated, real)
    assert real.rows[-1]["exchanges_refused"] == 3
