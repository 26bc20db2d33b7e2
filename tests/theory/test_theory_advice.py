"""Advice tested by running: at 0.9 of the limit a run converges, at 1.1 it diverges."""

import numpy as np
import pytest

from springline.errors import UsageError
from springline.theory import FAMILIES, Setting, advise, round_factor, round_robin, tree, warning
from springline.theory import exchange as ex
from springline.theory import pushing as pu
from springline.theory.linear import Array
from springline.theory.star import Star, run

N, H = 4, 2.5
TAUS = (1, 3)


def _star(method: str, e: float, s: Setting) -> Star | None:
    builders = {
        "easgd": lambda: ex.elastic(e, s.alpha, tau=s.tau, momentum=False),
        "eamsgd": lambda: ex.elastic(e, s.alpha, delta=s.delta, tau=s.tau),
        "downpour": lambda: pu.downpour(e, s.tau),
        "downpour-momentum": lambda: pu.downpour(e, s.tau, s.delta, momentum=True),
        "staleness-aware": lambda: pu.staleness_aware(e, s.workers),
        "mdownpour": lambda: pu.mdownpour(e, s.delta),
        "asgd": lambda: pu.asgd(e),
        "nag-asgd": lambda: pu.nag_asgd(e, s.delta),
        "multi-asgd": lambda: pu.multi_asgd(e, s.delta),
        "dana": lambda: pu.dana(e, s.delta),
        "dana-zero": lambda: pu.dana_zero(e, s.delta),
    }
    return builders[method]() if method in builders else None


def _center(method: str, e: float, s: Setting, rounds: int) -> float:
    """The center's distance after some rounds, by running the method as its definition says."""
    star = _star(method, e, s)
    if star is not None:
        own, shared = [1.0] + [0.0] * (len(star.worker) - 1), [1.0] + [0.0] * (len(star.center) - 1)
        return float(np.abs(run(star, s.workers, rounds, own, shared)[-8:]).max())
    x, v, c = np.linspace(1, 2, s.workers), np.zeros(s.workers), 1.0
    delta = s.delta if method in ("msgd", "heavy-ball") or method.startswith("eamsgd") else 0.0
    seen = []
    for _ in range(rounds):
        if not np.abs(x).max() < 1e100:
            break
        pull = 0.0 * x
        if method.startswith("ea"):
            old, c = c, c + s.beta * (x.mean() - c)
            pull = s.alpha * (x - (c if method.endswith("seidel") else old))
        if method == "downpour-sync":
            c = c + s.workers * ((1 - e) ** s.tau - 1) * c
        for k in range(s.tau + 1):
            if k > 0:
                v = delta * v - e * (x + (0.0 if method == "heavy-ball" else delta * v))
                x = x + v
            if k == s.pull_after:
                x = x - pull
        seen.append(abs(c) if method == "downpour-sync" else np.abs(x).max())
    return float(max(seen[-8:]))


@pytest.mark.parametrize("method", [m for m in FAMILIES if m not in ("admm", "tree")])
@pytest.mark.parametrize("tau", TAUS)
def test_below_the_limit_runs_converge_and_above_they_diverge(method: str, tau: int) -> None:
    given = Setting(workers=N, tau=tau, curvature=H, delta=0.8, pull_after=int("sync" in method))
    advice = advise(method, given)
    assert advice.limit > 0
    start = 0.5
    converged = _center(method, 0.9 * advice.limit * H, advice.setting, 800)
    diverged = _center(method, 1.1 * advice.limit * H, advice.setting, 800)
    assert converged < start < 10 < diverged
    assert warning(method, 0.9 * advice.limit, advice.setting) is None
    text = warning(method, 1.1 * advice.limit, advice.setting)
    assert text is not None
    assert f"use η < {advice.limit:.3g}" in text


def test_tree_and_admm_have_their_own_runs() -> None:
    s = Setting(curvature=H, arity=3, depth=2, scheme=1, tau_up=2, tau_down=6, delta=0.5)
    advice = advise("tree", s)
    assert advice.alpha == pytest.approx(0.9 / 4)
    for factor, stable in ((0.9, True), (1.1, False)):
        period = tree.full_period(factor * advice.limit * H, 0.9 / 4, 3, tree.scheme1(2, 2, 6), 0.5)
        end = np.abs(np.linalg.matrix_power(period, 300) @ np.ones(len(period))).max()
        assert (end < 1e-2) == stable
    admm = advise("admm", Setting(workers=3, rho=2.5))
    assert admm.limit == 0
    assert admm.eta is None
    low, high = admm.intervals[0]
    assert round_robin.admm_radius(1.1 * low, 2.5, 3) < 1 < round_robin.admm_radius(0.9 * low, 2.5, 3)
    assert high > 1
    assert "no small η is stable" in str(warning("admm", 0.001, Setting(workers=3, rho=2.5)))


@pytest.mark.parametrize("method", FAMILIES)
def test_closed_forms_agree_with_bisection_and_curvature_only_scales(method: str) -> None:
    for s in (Setting(workers=5, tau=3), Setting(workers=1, pull_after=1), Setting(workers=3, delta=0.0)):
        a = advise(method, s)
        if a.intervals and a.intervals[0][0] == 0:
            assert a.limit == pytest.approx(a.intervals[0][1], rel=1e-6)
        b = advise(method, Setting(**{**vars(s), "curvature": 10.0, "rho": 10.0}))
        assert b.limit == pytest.approx(a.limit / 10)
        if a.eta is not None:
            assert round_factor(method, a.eta, a.setting) < 1
            assert a.eta <= a.limit / 2 * (1 + 1e-9)
        assert a.reason
        assert a.reference


@pytest.mark.parametrize("setting", [Setting(workers=64, delta=0.99), Setting(workers=64, delta=0.995, curvature=1e-4)])
def test_a_limit_is_found_however_small(setting: Setting) -> None:
    late = advise("nag-asgd", setting)
    assert 0 < late.limit * setting.curvature < 6e-4
    assert late.intervals == ((0.0, late.limit),)
    for factor, stable in ((0.01, True), (0.99, True), (1.01, False)):
        assert (round_factor("nag-asgd", factor * late.limit, setting) < 1) == stable
    assert f"use η < {late.limit:.3g}" in str(warning("nag-asgd", 0.01 / setting.curvature, setting))


def test_a_closed_form_holds_below_the_grid_too() -> None:
    s = Setting(workers=64, tau=50)
    a = advise("downpour", s)
    assert a.limit == float(pu.asgd_limit(64, 50)) < 6e-4
    assert a.formula
    assert a.intervals[0] == pytest.approx((0.0, a.limit))
    assert a.eta is not None
    assert f"use η < {a.limit:.3g}" in str(warning("downpour", 0.01, s))


@pytest.mark.parametrize("eta", [0.6, 3.0, 1e30])
def test_a_remedy_is_not_the_end_of_an_interval_away_from_0(eta: float) -> None:
    s = Setting(workers=3, rho=2.5)
    assert advise("admm", s).intervals[0][0] > 1e-3
    assert round_factor("admm", eta, s) < 1 or "no small η is stable" in str(warning("admm", eta, s))
    assert f"use η < {advise('nag-asgd', s).limit:.3g}" in str(warning("nag-asgd", eta, s))


def test_a_warning_takes_a_few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its matrices can be large, and somebody waits for the run."""
    looked: list[int] = []
    usual = FAMILIES["eamsgd"]

    def radius(eta_h: Array, s: Setting) -> Array:
        looked.append(np.size(eta_h))
        return usual.radius(eta_h, s)

    monkeypatch.setitem(FAMILIES, "eamsgd", usual._replace(radius=radius))
    text = warning("eamsgd", 3.0, Setting(workers=8))
    assert sum(looked) <= 32
    assert f"use η < {advise('eamsgd', Setting(workers=8), recommend_rates=False).limit:.3g}" in str(text)


def test_recommended_rates_and_given_ones() -> None:
    assert advise("easgd", Setting(workers=9)).alpha == pytest.approx(0.1)
    kept = advise("easgd", Setting(workers=9, alpha=0.3, pull_after=1), recommend_rates=False)
    assert kept.alpha == pytest.approx(0.3)
    assert kept.limit == pytest.approx((4 - 4 * 0.3) / (2 - 0.3), rel=1e-6)  # (4−2ηh)/(4−ηh) = α, N odd
    assert advise("downpour", Setting(workers=16)).limit == pytest.approx(2 * np.sin(np.pi / 62))
    assert advise("downpour-sync", Setting(workers=16)).limit == pytest.approx(2 / 16)


def test_bad_input_says_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"unknown method of the theory 'easdg'; did you mean easgd"):
        advise("easdg")
    for match, s in [
        ("curvature = 0 must be positive", Setting(curvature=0.0)),
        ("curvature = -1", Setting(curvature=-1.0)),
        ("workers = 0", Setting(workers=0)),
        ("pull_after = 2 of sgd is above tau = 1", Setting(pull_after=2)),
        (r"delta = 1 of sgd must be in \[0, 1\)", Setting(delta=1.0)),
        ("scheme = 3", Setting(scheme=3)),
    ]:
        with pytest.raises(UsageError, match=match):
            advise("sgd", s)


def test_a_warning_calls_the_knobs_what_they_are_called() -> None:
    text = str(warning("nag-asgd", 1.0, Setting(workers=8, delta=0.9)))
    assert "nag-asgd with η = 1, workers = 8, momentum = 0.9 diverges" in text
    tree = str(warning("tree", 100.0, Setting(arity=2, depth=2, tau_up=3, tau_down=30)))
    assert "d = 2, depth = 2, scheme = 2, tau = 3, tau2 = 30, alpha" in tree
