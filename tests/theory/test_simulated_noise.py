"""Means, variances and growth rates of theory against thousands of chains in one simulated run, T1 to T8.

Every coordinate of the task is a chain with noise of its own. Means are compared within five standard errors of the
sample, variances of Gaussian chains within five times √(2/D) of themselves.
"""

from __future__ import annotations

import numpy as np
import pytest

import springline
from springline import METHODS, Method, load_task
from springline.couplings import Dynamic, Elastic, Fixed, SyncElastic
from springline.engines.job import Job
from springline.engines.simulator import Simulator
from springline.optim.nesterov import Nesterov
from springline.optim.sgd import SGD
from springline.theory import (
    additive,
    elastic,
    multiplicative,
    quadratic,
    round_robin,
    speedup,
    strongly_convex,
    switched,
    trap,
    unification,
)
from springline.theory import multiplicative_elastic as me
from springline.theory.linear import Array, LinearSystem

from .chains import Keep, chains, same_mean

D = 10_000
H, SIGMA = 1.3, 0.7
P = 4
WIDE = 5 * (2 / D) ** 0.5


def additive_noise(x0: float = 1.0, dim: int = D) -> springline.Task:
    return load_task(f"quadratic:h={H},sigma={SIGMA},dim={dim},x0={x0}")


def synchronous(eta: float, alpha: float, beta: float, delta: float = 0.0) -> Method:
    local = Nesterov(lr=eta, momentum=delta) if delta else SGD(lr=eta)
    return Method("sync", SyncElastic(alpha=alpha, beta=beta), local, pull_after=1)


# -- T1: the library's workers step once before the first exchange, so its x is one step ahead of the lemma's


def test_synchronous_easgd_has_the_mean_and_variance_of_lemma_3_1_1() -> None:
    eta, alpha = 0.3, 0.15
    seen = chains(synchronous(eta, alpha, P * alpha), additive_noise(), 60, P)
    for t in (1, 2, 5, 12, 60):
        c = seen.c[t - 1]
        assert same_mean(c, float(quadratic.center_mean(t, eta, alpha, P, 1 - eta * H, 1.0, H)))
        assert np.var(c) == pytest.approx(float(quadratic.center_variance(t + 1, eta, alpha, P, H, SIGMA)), rel=WIDE)
    endless = float(quadratic.asymptotic_variance(eta, alpha, P, H, SIGMA))
    assert np.var(seen.c[-1]) == pytest.approx(endless, rel=WIDE)


def test_the_double_average_has_the_optimal_variance() -> None:
    t, dim = 300, 4000
    seen = chains(synchronous(0.4, 0.2, 0.8), additive_noise(0.0, dim), t, P)
    expected = quadratic.double_average_covariance(np.array([[H]]), np.array([[SIGMA**2]]), P)[0, 0]
    z = seen.c.mean(axis=0) * t**0.5
    assert np.var(z) == pytest.approx(expected, rel=5 * (2 / dim) ** 0.5)  # the bias is of order 1/(ηht) = 1/150
    assert same_mean(z, 0.0)


# -- T2


def test_the_bound_of_theorem_3_2_1_holds() -> None:
    mu, big, dim = 0.5, 2.0, 2000
    eta, alpha, beta = 0.3, 0.2, 0.6
    task = load_task(f"quadratic:h={big},condition={big / mu},sigma={SIGMA},dim={dim}")
    seen = chains(synchronous(eta, alpha, beta), task, 40, P)
    norms = np.stack([(seen.x.mean(axis=1) ** 2).sum(1), (seen.x**2).sum(2).mean(1), (seen.c**2).sum(1)], axis=1)
    start = np.array([norms[0, 0], norms[0, 1], dim])  # x after its first step, c before its first
    bound = strongly_convex.bound_system(eta, alpha, beta, P, mu, big, SIGMA * dim**0.5)
    noise = 5 * (2 / dim) ** 0.5
    for t in range(39):
        a, b, c = bound.after(start, t + 1)
        assert norms[t + 1, 0] <= a * (1 + noise)
        assert norms[t + 1, 1] <= b * (1 + noise)
        assert norms[t, 2] <= c * (1 + noise)
    assert norms[-1, 2] > 0.05 * c  # a bound, but not an empty one


# -- T3


def final(method: Method, rounds: int, workers: int, h: float = 1.0) -> float:
    done = chains(method, load_task(f"quadratic:h={h},sigma=0"), rounds, workers)
    return float(max(np.abs(done.x[-4:]).max(), np.abs(done.c[-4:]).max()))


@pytest.mark.parametrize("eta", [0.5, 1.5])
def test_round_robin_easgd_is_stable_up_to_its_largest_alpha(eta: float) -> None:
    largest = float(round_robin.easgd_largest_alpha(eta))
    at = {f: Method("jacobi", Elastic(Fixed(f * largest)), SGD(lr=eta), pull_after=1) for f in (0.98, 1.02)}
    assert final(at[0.98], 250, 3) < 0.1
    assert final(at[1.02], 250, 3) > 3


def test_admm_takes_the_path_of_its_matrix() -> None:
    p, rho = 3, 2.5
    path = chains(METHODS["admm"].with_(lr=0.001, rho=rho), load_task("quadratic:sigma=0,x0=1000"), 200, p).c[:, 0]
    np.testing.assert_allclose(path, round_robin.admm_path(0.001, rho, p, 200)[1:, -1], rtol=1e-9)
    assert round_robin.admm_radius(0.05, rho, p) < 1
    assert final(METHODS["admm"].with_(lr=0.05, rho=rho), 200, p) < 1e-3


# -- T4


def test_sgd_and_its_mini_batch() -> None:
    eta = 0.6
    seen = chains(METHODS["sgd"].with_(lr=eta), additive_noise(), 40, 1, batch_size=P)
    rate = float(additive.sgd_rate(eta * H))
    for t in (1, 3):
        expected = LinearSystem(np.array([[rate]]), ("x²",), np.array([(eta * SIGMA) ** 2 / P])).after([1.0], t)[0]
        assert same_mean(seen.c[t - 1] ** 2, expected)
    assert np.var(seen.c[-1]) == pytest.approx(float(additive.sgd_variance(eta, H, SIGMA, P)), rel=WIDE)


def test_momentum() -> None:
    eta, delta = 0.4, 0.7
    seen = chains(METHODS["msgd"].with_(lr=eta, momentum=delta), additive_noise(), 60, 1)
    noise, delta_h = (eta * SIGMA) ** 2, delta * (1 - eta * H)
    system = additive.msgd_system(eta * H, delta_h, noise)
    for t in (1, 2, 5, 10):
        assert same_mean(seen.c[t - 1] ** 2, float(system.at(system.after([0, 0, 1], t), "x²")))
    assert np.var(seen.c[-1]) == pytest.approx(float(additive.msgd_variance(eta * H, delta_h, noise)), rel=WIDE)


def test_easgd_moments_with_alpha_and_beta_apart() -> None:
    eta, alpha, beta = 0.35, 0.1, 0.8
    seen = chains(synchronous(eta, alpha, beta), additive_noise(), 60, P)
    noise = (eta * SIGMA) ** 2 / P
    system = elastic.easgd_moments(eta * H, alpha, beta, noise)
    m = 1 - eta * H  # y after the step before the first exchange
    for t in (1, 3, 8):
        y2, yc, c2 = system.after([m * m + noise, m, 1.0], t)
        y, c = seen.x[t].mean(axis=0), seen.c[t - 1]
        assert same_mean(y * y, y2)
        assert same_mean(y * c, yc)
        assert same_mean(c * c, c2)
    center, worker = elastic.easgd_variances(eta * H, alpha, beta, noise)
    assert np.var(seen.c[-1]) == pytest.approx(float(center), rel=WIDE)
    assert np.var(seen.x[-1].mean(axis=0)) == pytest.approx(float(worker), rel=WIDE)


def eamsgd_start(eta: float, u: multiplicative.InputMoments, noise: float) -> dict[str, float]:
    """The nine moments after each worker's first step from x = c = 1: E v = −ηu1, V v = η²V u + noise."""
    m, s = -eta * float(u.u1), eta**2 * float(u.variance) + noise
    own = {"x_i²": (1 + m) ** 2 + s, "v_i²": m * m + s, "v_i x_i": (1 + m) * m + s}
    pair = {"x_i x_j": (1 + m) ** 2, "v_i v_j": m * m, "v_i x_j": (1 + m) * m}
    return own | pair | {"c²": 1.0, "c x_i": 1 + m, "c v_i": m}


def moments(c: Array, x: Array) -> dict[str, Array]:
    """Of those that can be seen in positions alone, one sample for each chain."""
    others = (x.sum(axis=0) ** 2 - (x**2).sum(axis=0)) / (P * (P - 1))
    return {"c²": c * c, "c x_i": c * x.mean(axis=0), "x_i²": (x**2).mean(axis=0), "x_i x_j": others}


def test_eamsgd_moments_and_asymptotic_variance_under_additive_noise() -> None:
    eta, delta, alpha, beta = 0.3, 0.6, 0.2, 0.8
    seen = chains(synchronous(eta, alpha, beta, delta), additive_noise(), 80, P)
    system = me.eamsgd_system(eta, delta, alpha, beta, P, H, 0.0, SIGMA)
    u = multiplicative.InputMoments(np.array(H), np.array(H * H), np.array(0.0))
    start = eamsgd_start(eta, u, (eta * SIGMA) ** 2)
    for t in (1, 2, 6):
        expected = system.after([start[name] for name in system.names], t)
        for name, sample in moments(seen.c[t - 1], seen.x[t]).items():
            assert same_mean(sample, float(system.at(expected, name))), (t, name)
    endless = system.fixed_point()
    assert np.var(seen.c[-1]) == pytest.approx(float(system.at(endless, "c²")), rel=WIDE)


# -- T5


LAM, OMEGA = 1.5, 1.2
U = multiplicative.input_moments(LAM, OMEGA)


def multiplicative_noise() -> springline.Task:
    return load_task(f"quadratic-gamma:lam={LAM},omega={OMEGA},dim={4 * D}")


def test_sgd_and_momentum_under_multiplicative_noise() -> None:
    eta, delta = 0.4, 0.5
    for batch in (1, 3):
        seen = chains(METHODS["sgd"].with_(lr=eta), multiplicative_noise(), 4, 1, batch_size=batch)
        rate = float(multiplicative.sgd_rate(eta, LAM, OMEGA, batch))
        for t in (1, 2, 4):
            assert same_mean(seen.c[t - 1] ** 2, rate**t)
    seen = chains(METHODS["msgd"].with_(lr=eta, momentum=delta), multiplicative_noise(), 4, 1)
    system = multiplicative.msgd_system(eta, delta, LAM, OMEGA)
    for t in (1, 2, 4):
        assert same_mean(seen.c[t - 1] ** 2, float(system.at(system.after([0, 1, 0], t), "x²")))


def test_easgd_and_eamsgd_under_multiplicative_noise() -> None:
    eta, delta, alpha, beta = 0.4, 0.5, 0.2, 0.8
    seen = chains(synchronous(eta, alpha, beta), multiplicative_noise(), 5, P)
    system = me.easgd_system(eta, alpha, beta, P, LAM, OMEGA)
    own, pair = float(multiplicative.sgd_rate(eta, LAM, OMEGA)), float((1 - eta * U.u1) ** 2)
    start = [1.0, own, float(1 - eta * U.u1), own / P + (1 - 1 / P) * pair]
    for t in (1, 2, 4):
        expected, c, x = system.after(start, t), seen.c[t - 1], seen.x[t]
        samples = (c * c, (x**2).mean(axis=0), c * x.mean(axis=0), x.mean(axis=0) ** 2)
        for sample, value in zip(samples, expected, strict=True):
            assert same_mean(sample, float(value))
    seen = chains(synchronous(eta, alpha, beta, delta), multiplicative_noise(), 5, P)
    nine = me.eamsgd_system(eta, delta, alpha, beta, P, float(U.u1), float(U.variance))
    begin = eamsgd_start(eta, U, 0.0)
    for t in (1, 2, 4):
        expected = nine.after([begin[name] for name in nine.names], t)
        for name, sample in moments(seen.c[t - 1], seen.x[t]).items():
            assert same_mean(sample, float(nine.at(expected, name))), (t, name)


# -- T6


@pytest.mark.parametrize(("rho", "trapped"), [(0.3, True), (0.6, True), (0.72, False), (0.9, False)])
def test_the_elastic_force_traps_two_workers_below_two_thirds(rho: float, trapped: bool) -> None:
    """EASGD with α = ηρ, β = 2ηρ is gradient descent on the energy. Two workers are set near the critical point."""
    eta = 0.1
    method = synchronous(eta, eta * rho, 2 * eta * rho)
    job = Job(load_task("double-well:sigma=0"), method, workers=2, rounds=400, batch_size=1, eval_every=400)
    begun = Keep(method)
    Simulator().run(Job(job.task, method, workers=2, rounds=1, batch_size=1), begun)
    assert begun.world is not None
    valley = float(trap.critical_point(rho)[0])
    for seat, x in zip(begun.world.seats, (valley + 0.01, -valley), strict=True):
        seat.me = seat.me._replace(x=seat.me.x * 0 + x)
    kept = Keep(method)
    Simulator().run(job, kept, begun.world)
    x = np.sort(kept.x[-1][:, 0])
    assert (float(trap.smallest_curvature(rho)) > 0) == trapped
    if trapped:
        np.testing.assert_allclose(x, [-valley, valley], atol=1e-3)
    else:
        assert x[0] * x[1] > 0.5  # both on one side, on their way to its minimum


# -- T7


def gauss_seidel(eta: float, alpha: float, beta: float) -> Method:
    return Method("gs", SyncElastic(alpha=alpha, beta=beta, form="gauss-seidel"), SGD(lr=eta))


def test_the_family_of_easgd_and_downpour() -> None:
    for eta, alpha, beta in ((0.5, 0.3, 0.9), (1.9, 0.9, 1.5), (0.7, 1.0, 2.4), (0.2, 0.9, 3.0)):
        stable = bool(unification.is_stable(eta, alpha, beta))
        end = final(gauss_seidel(eta, alpha, beta), 200, 3)
        assert (end < 1e-3) if stable else (end > 1e3), (eta, alpha, beta)


def test_synchronous_downpour_bears_two_over_p_and_not_four() -> None:
    p = 3
    limit = float(unification.downpour_limit(p))
    assert limit == pytest.approx(2 / p)
    assert final(gauss_seidel(0.98 * limit, 1.0, p), 300, p) < 1e-3
    assert final(gauss_seidel(1.02 * limit, 1.0, p), 300, p) > 1e3


@pytest.mark.parametrize("eta", [0.01, 0.1, 1.0, 1.9])
def test_no_eta_is_stable_for_alpha_nine_tenths_and_beta_sixteen(eta: float) -> None:
    assert final(gauss_seidel(eta, 0.9, 16.0), 100, 4) > 1e3


# -- T8


def throughput(method: Method, pace: str, workers: int, rounds: int, seed: int) -> float:
    """Batches per mean batch time, in virtual time."""
    done = springline.train(
        "quadratic:sigma=0", method, pace=pace, workers=workers, rounds=rounds, eval_every=rounds, seed=seed, lr=1e-3
    )
    return workers * rounds / done.rows[-1]["time"]


def test_speed_ups_of_equal_machines() -> None:
    n, rounds, v = 8, 150, 0.1
    expected = speedup.speedups([n], v)
    got = throughput(METHODS["ssgd"], f"gamma:batch=1,v={v}", n, rounds, 0)
    # the longest of n times has a standard deviation below v
    assert got == pytest.approx(float(expected.synchronous[0]), rel=5 * v / rounds**0.5)
    got = throughput(METHODS["asgd"], f"gamma:batch=1,v={v}", n, rounds, 0)
    assert got == pytest.approx(n, rel=5 * v / (n * rounds) ** 0.5 + 1 / rounds)  # and the rounds still under way


def test_speed_ups_of_unequal_machines() -> None:
    """Over 60 draws of the machines, within five standard errors."""
    n, rounds, vm = 4, 5, 0.4
    pace, seeds = f"gamma-heterogeneous:batch=1,v=0.1,vm={vm}", range(60)
    expected = speedup.speedups([n], 0.1, vm)
    slow = np.array([n / throughput(METHODS["ssgd"].with_(deadline=1e6), pace, n, rounds, s) for s in seeds])
    assert same_mean(slow, n / float(expected.synchronous[0]))  # mean time of a round
    machines = [springline.scenario.parse_pace(pace) for _ in seeds]
    rates = np.array(
        [
            sum(24 / sum(machine.step_time(s, i, k) for k in range(24)) for i in range(n))
            for s, machine in zip(seeds, machines, strict=True)
        ]
    )
    assert same_mean(rates, float(expected.asynchronous[0]))
    for s in (0, 1):  # what these machines can do is what the simulator has them do
        got = throughput(METHODS["asgd"], pace, n, 24, s)
        assert got == pytest.approx(rates[s], rel=0.1)


# -- Dynamic weights


def test_dynamic_weights_stay_within_their_joint_bound() -> None:
    eta, alpha, turns = 1.5, 0.1, 120
    method = Method("dynamic", Elastic(Dynamic(alpha)), SGD(lr=eta), pull_after=1)
    seen = chains(method, load_task("quadratic:sigma=0"), turns // 2, 2)
    size = np.maximum(np.abs(seen.c), np.abs(seen.x).max(axis=1))[:, 0]
    growth = (size[-1] / size[10]) ** (1 / (turns - 22))
    assert growth <= switched.joint_bounds(switched.trust_and_reset(eta, alpha, 2, pull_after=1)).upper
