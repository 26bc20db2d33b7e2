"""T6 (trap), T7 (unification), T8 (speed-up)."""

import numpy as np
import pytest

from springline.errors import UsageError
from springline.theory import speedup, trap, unification


def test_trap_critical_point_and_hessian_are_those_of_the_energy() -> None:
    for rho in (0.1, 0.5, 0.9):
        at, step = trap.critical_point(rho), 1e-4

        def value(d: np.ndarray, at: np.ndarray = at, rho: float = rho) -> float:
            return float(trap.energy(*(at + d), rho))

        eye = step * np.eye(3)
        gradient = [(value(e) - value(-e)) / (2 * step) for e in eye]
        np.testing.assert_allclose(gradient, 0, atol=1e-7)
        second = [
            [(value(a + b) - value(a - b) - value(b - a) + value(-a - b)) / (4 * step**2) for b in eye] for a in eye
        ]
        np.testing.assert_allclose(second, trap.hessian(rho), atol=1e-5)


def test_trap_ends_at_two_thirds_and_holds_gradient_descent_inside() -> None:
    low, high = trap.trap_interval()
    assert low == 0
    assert high == pytest.approx(trap.LARGEST_TRAP, abs=1e-8)
    for rho, stays in ((0.6, True), (0.72, False)):
        s = trap.critical_point(rho) + np.array([1e-3, 1e-3, 2e-3])
        for _ in range(4000):
            x, y, c = s
            s = s - 0.05 * np.array([x**3 - x + rho * (x - c), y**3 - y + rho * (y - c), rho * (2 * c - x - y)])
        assert (np.abs(s - trap.critical_point(rho)).max() < 1e-6) == stays
    with pytest.raises(UsageError, match="ρ < 1"):
        trap.critical_point(1.0)


def test_unification_region_and_radius_are_those_of_the_recursion() -> None:
    rng = np.random.default_rng(0)
    e, al, be = rng.uniform([0, 0, 0], [2.5, 1.2, 4], size=(400, 3)).T
    system = unification.reduced_system(e, al, be)
    np.testing.assert_allclose(system.spectral_radius(), unification.radius(e, al, be), rtol=1e-6)
    assert (unification.is_stable(e, al, be) == (system.spectral_radius() < 1)).all()
    x, c = np.array([1.0, -2.0, 0.5]), 0.3
    for _ in range(3):
        x = x - al[0] * (x - c)
        x = x - e[0] * x
        c = c + be[0] * (x.mean() - c)
    end = unification.reduced_system(e[0], al[0], be[0]).after([-0.5 / 3, 0.3], 3)
    np.testing.assert_allclose(end, [x.mean(), c])


def test_synchronous_downpour_is_stable_up_to_two_over_p_not_four() -> None:
    for p in (3, 16):
        limit = unification.downpour_limit(p)
        for eta, stable in ((0.999 * limit, True), (1.001 * limit, False), (1.5 * limit, False)):
            c, x = 1.0, np.ones(p)
            for _ in range(8000):
                x = c + 0 * x  # every worker starts from the center,
                c = c + (-eta * x).sum()  # and all gradients are added to it
                if abs(c) > 1e6:
                    break
            assert (abs(c) < 0.1) == stable
            assert bool(unification.is_stable(eta, 1.0, p)) == stable
    assert not unification.is_stable(np.linspace(0.001, 2, 2000), 0.9, 16).any()


@pytest.mark.parametrize("machine", [0.0, 0.3])
def test_speedups_are_those_of_simulated_clocks(machine: float) -> None:
    rng, n, v = np.random.default_rng(0), 8, 0.2
    draws, rounds = (2000, 50) if machine else (1, 100_000)
    means = rng.gamma(1 / machine**2, machine**2, size=(draws, n)) if machine else np.ones((draws, n))
    longest = sum((means * rng.gamma(1 / v**2, v**2, size=means.shape)).max(axis=1) for _ in range(rounds)) / rounds
    s = speedup.speedups([1, n], v, machine)
    together, apart = n / longest, (1 / means).sum(axis=1)
    for ours, clocks in ((s.synchronous[1], together), (s.asynchronous[1], apart)):
        assert ours == pytest.approx(clocks.mean(), abs=4.5 * clocks.std() / np.sqrt(draws), rel=0.002)


@pytest.mark.parametrize("machine", [0.0, 0.3, 0.6, 0.9])
def test_one_worker_waits_for_nobody(machine: float) -> None:
    s = speedup.speedups([1], 0.1, machine)
    assert s.asynchronous[0] == 1 / (1 - machine**2)
    assert s.synchronous[0] == pytest.approx(s.asynchronous[0], rel=1e-4)


def test_the_source_setting_gives_about_a_fifth() -> None:
    s = speedup.speedups([24, 32, 64])
    np.testing.assert_allclose(s.asynchronous / s.synchronous, [1.2, 1.22, 1.25], atol=0.02)
    with pytest.raises(UsageError, match="V_m < 1"):
        speedup.speedups([4], 0.1, 1.0)
