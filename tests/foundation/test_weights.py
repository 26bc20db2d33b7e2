"""The rules for (h1, h2), as functions of their evidence."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from springline.couplings import Dynamic, Evidence, Fixed, Guarded, Oracle
from springline.errors import UsageError

NAN, INF = math.nan, math.inf
ALPHA, K = 0.25, -0.5  # dyadic, so that the corner values are exact


def evidence(*u: float, worker: int = 0, missed: int = 0, reborn: bool = False) -> Evidence:
    return Evidence(worker, math.exp(u[-1]) if u else 0.0, u, missed, reborn)


def one_difference(a: float) -> Evidence:
    return evidence(0.0, a)


@pytest.mark.parametrize(
    ("a", "h1", "h2"),
    [
        (-9.0, 1.0, 0.0),
        (-0.5000001, 1.0, 0.0),
        (-0.5, 1.0, 0.0),  # a = k
        (-0.49609375, 0.994140625, 0.001953125),  # k + 1/256
        (-0.25, 0.625, 0.125),  # half way
        (-0.125, 0.4375, 0.1875),
        (0.0, ALPHA, ALPHA),
        (0.0000001, ALPHA, ALPHA),
        (3.0, ALPHA, ALPHA),
    ],
)
def test_dynamic_is_piecewise_linear(a, h1, h2):
    w = Dynamic(ALPHA, K, (1.0,)).weigh(one_difference(a))
    assert (w.h1, w.h2, w.score) == (h1, h2, a)


@given(st.floats(-2, 2), st.floats(0.01, 1), st.floats(-3, -0.01))
def test_dynamic_keeps_its_weights_in_range(a, alpha, k):
    w = Dynamic(alpha, k, (1.0,)).weigh(one_difference(a))
    assert alpha - 1e-12 <= w.h1 <= 1
    assert -1e-12 <= w.h2 <= alpha + 1e-12


def test_dynamic_without_a_difference_is_fixed():
    for seen in (evidence(), evidence(0.7)):
        w = Dynamic(ALPHA, K).weigh(seen)
        assert (w.h1, w.h2) == (ALPHA, ALPHA)
        assert math.isnan(w.score)


def test_dynamic_score_is_a_weighted_sum_of_the_latest_differences():
    rule = Dynamic(ALPHA, K, (0.5, 0.25, 0.25))
    assert rule.score((9.0, 1.0, 3.0, 2.0, 2.5)) == 0.5 * 0.5 + 0.25 * -1.0 + 0.25 * 2.0
    assert rule.history == 3


def test_dynamic_score_renormalises_the_coefficients_that_exist():
    rule = Dynamic(ALPHA, K, (0.5, 0.25, 0.25))
    assert rule.score((3.0, 2.0, 2.5)) == pytest.approx((0.5 * 0.5 + 0.25 * -1.0) / 0.75, rel=1e-15)
    assert rule.score((2.0, 2.5)) == 0.5
    # so a steady fall scores the same however many of its steps are known
    falling = [1.0, 0.8, 0.6, 0.4]
    assert [rule.score(tuple(falling[:n])) for n in (2, 3, 4)] == pytest.approx([-0.2] * 3)


def test_dynamic_coefficients_need_not_sum_to_one():
    u = (0.0, 0.3, -0.4, 0.1)
    assert Dynamic(c=(4.0, 2.0, 1.0)).score(u) == pytest.approx(Dynamic(c=(4 / 7, 2 / 7, 1 / 7)).score(u), rel=1e-15)


def test_oracle():
    rule = Oracle(ALPHA)
    assert rule.weigh(evidence(0.0))[:2] == (ALPHA, ALPHA)
    assert rule.weigh(evidence(0.0, missed=1))[:2] == (1.0, 0.0)
    assert rule.weigh(evidence(0.0, reborn=True))[:2] == (1.0, 0.0)


@pytest.mark.parametrize(("r", "f"), [(-3.0, 0.0), (1.0, 0.0), (1.5, 0.5), (2.0, 1.0), (9.0, 1.0)])
def test_guarded_ramps_between_r0_and_r1_of_how_far_it_can_have_come(r, f):
    far = Evidence(2, 10 * math.exp(r), (), 0, False, reach=10.0)
    w = Guarded(ALPHA, r0=1.0, r1=2.0).weigh(far)
    assert (w.h1, w.h2) == pytest.approx((ALPHA + (1 - ALPHA) * f, ALPHA * (1 - f)))
    assert w.score == pytest.approx(r)


@pytest.mark.parametrize("reach", [NAN, 0.0, INF])
def test_guarded_does_not_judge_a_distance_without_a_reach(reach):
    """As where the worker has not moved at all, and only the center has."""
    far = evidence(9.0)._replace(reach=reach)
    assert Guarded(ALPHA).weigh(far)[:2] == (ALPHA, ALPHA)


@pytest.mark.parametrize(("q", "f"), [(-9.0, 0.0), (2.0, 0.0), (3.0, 0.25), (6.0, 1.0), (40.0, 1.0), (NAN, 0.0)])
def test_guarded_ramps_between_q0_and_q1_of_the_rounds_slept_through(q, f):
    w = Guarded(ALPHA, q0=2.0, q1=6.0).weigh(evidence(0.0)._replace(idle=q))
    assert (w.h1, w.h2) == (ALPHA + (1 - ALPHA) * f, ALPHA * (1 - f))


def test_guarded_follows_the_worse_of_its_two_scores():
    rule = Guarded(ALPHA, r0=0.0, r1=1.0, q0=0.0, q1=1.0)
    for r, q in ((0.4, 0.75), (0.75, 0.4), (NAN, 0.75)):
        found = rule.weigh(evidence(r)._replace(reach=1.0, idle=q))
        assert (found.h1, found.h2) == pytest.approx((ALPHA + (1 - ALPHA) * 0.75, ALPHA * 0.25))
        assert found.score == pytest.approx(r, nan_ok=True)


def test_guarded_without_anything_to_go_by_is_fixed():
    assert Guarded(ALPHA).weigh(evidence(0.0))[:2] == (ALPHA, ALPHA)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Fixed(0.0), r"alpha=0.0 is outside \(0, 1\]"),
        (lambda: Fixed(1.01), r"alpha=1.01 is outside \(0, 1\]"),
        (lambda: Oracle(-0.1), r"alpha=-0.1 is outside \(0, 1\]"),
        (lambda: Dynamic(NAN), r"alpha=nan is outside \(0, 1\]"),
        (lambda: Guarded(2.0), r"alpha=2.0 is outside \(0, 1\]"),
        (lambda: Dynamic(k=0.0), r"k=0.0 is not negative"),
        (lambda: Dynamic(k=0.3), r"k=0.3 is not negative"),
        (lambda: Dynamic(c=()), r"must hold positive coefficients"),
        (lambda: Dynamic(c=(0.2, 0.8)), r"that do not grow"),
        (lambda: Dynamic(c=(1.0, 0.0)), r"must hold positive coefficients"),
        (lambda: Dynamic(estimate="guess"), r"choose 'peers' or 'last'"),
        (lambda: Guarded(r0=2.0, r1=1.0), r"r0=2.0 is not below r1=1.0"),
        (lambda: Guarded(q0=4.0), r"q0=4.0 is not below q1=4.0"),
    ],
)
def test_ranges(make, sentence):
    with pytest.raises(UsageError, match=sentence):
        make()


def test_the_ends_of_the_ranges_are_allowed():
    assert Fixed(1.0).weigh(evidence(0.0))[:2] == (1.0, 1.0)
    Dynamic(1.0, -1e-9, (1.0, 1.0))
