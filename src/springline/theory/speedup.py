"""T8: how much time waiting for the slowest worker costs.

A batch takes T ~ Γ(1/V², B·V²), of mean B and coefficient of variation V. N workers, free communication:

    asynchronous: E[Σ_i 1/m_i] batches per unit of time       synchronous: E[N / E[max of N times | m]]

Heterogeneous machines: each worker's own mean m_i is drawn once from Γ(1/V_m², B·V_m²), the outer expectation; its
batches then vary by V around it, the inner one. Equal machines: m_i = B. Speed-up is throughput over that of one
average worker, 1/B.
Reference: *DANA: Scalable out-of-the-box distributed ASGD without retuning*, §5.2 and figure 5; the gamma
model is Ali et al., HCW 2000. The integrals are sums on a grid of times; the draws of the machines are a fixed Latin
hypercube, as many as DRAWS.
"""

from math import lgamma
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from springline.theory.assume import at_least, positive, require
from springline.theory.linear import Array

_WHERE = "the gamma model"
_TIMES = 4001
DRAWS = 2048  # of all machines' means: a spread of 30 % of a throughput leaves 0.7 % in its mean


class Speedups(NamedTuple):
    """Expected speed-up over one average worker, by number of workers."""

    workers: Array
    asynchronous: Array
    synchronous: Array


def gamma_density(t: Array, variation: float) -> Array:
    """Density at times t > 0 of a gamma variable of mean 1 and coefficient of variation V."""
    k = 1 / variation**2
    return np.asarray(np.exp(k * np.log(k) + (k - 1) * np.log(t) - k * t - lgamma(k)))


def _times(variation: float) -> Array:  # cell middles that cover all but 1e-12 of the mass
    high = 1 + 9 * variation + 25 * variation**2
    return np.asarray((np.arange(_TIMES) + 0.5) * high / _TIMES)


def _distribution(variation: float) -> tuple[Array, Array]:  # (t, P(T ≤ t)), mean 1
    s = _times(variation)
    mass = gamma_density(s, variation)
    edges = np.concatenate([[0.0], s + (s[1] - s[0]) / 2])
    return edges, np.concatenate([[0.0], np.cumsum(mass / mass.sum())])


def speedups(workers: npt.ArrayLike, variation: float = 0.1, machine_variation: float = 0.0) -> Speedups:
    """Asynchronous and synchronous speed-up for each number of workers.

    Args:
        workers: numbers of workers, [k].
        variation: V of the batches of one machine; the source uses 0.1.
        machine_variation: V_m between machines, 0 for equal machines; below 1, else E[1/mean] is infinite.
    """
    n = np.atleast_1d(np.asarray(workers, dtype=float))
    at_least(_WHERE, 1, workers=n)
    positive(_WHERE, V=variation)
    require(0 <= machine_variation < 1, _WHERE, "0 ≤ V_m < 1", V_m=machine_variation)
    rate = 1 / (1 - machine_variation**2)  # E[1/m]
    if machine_variation > 0:
        return Speedups(n, n * rate, n * rate * _share(n, variation, machine_variation))
    t = _times(variation)
    step, cdf = t[1] - t[0], np.interp(t, *_distribution(variation))
    longest = ((1 - cdf[None] ** n[:, None]).sum(axis=1) + t[0] / step - 0.5) * step
    return Speedups(n, n * rate, n / longest)


def _share(n: Array, variation: float, machine_variation: float) -> Array:
    """Synchronous over asynchronous throughput of N machines, each in the mean over the same draws, for each N.

    What is known of the second in closed form so corrects the first, and one worker alone has a share of 1.
    The grid is one of s = log t, in which a slower machine's distribution is a shifted one.
    """
    most = int(n.max())
    rng = np.random.default_rng(0)
    strata = np.stack([rng.permutation(DRAWS) for _ in range(most)])  # [N, draws]
    times, cdf = _distribution(machine_variation)
    means = np.interp((strata + 0.5) / DRAWS, cdf, times)
    times, cdf = _distribution(variation)
    seen = cdf > 1e-9
    times, cdf = np.log(times[seen]), cdf[seen]
    step = min(variation, 0.1) / 5
    s = np.arange(np.log(means.min()) + times[0], np.log(means.max()) + times[-1], step)
    done = np.ones((DRAWS, len(s)))  # P(the first i machines are done by t | m)
    apart, shares = np.zeros(DRAWS), {}
    for i, mean in enumerate(means, 1):
        done *= np.interp(s - np.log(mean)[:, None], times, cdf, left=0.0)
        apart += 1 / mean
        if i in n:
            together = i / (np.exp(s[0] - step / 2) + (1 - done) @ np.exp(s) * step)
            shares[i] = together.mean() / apart.mean()
    return np.array([shares[int(k)] for k in n])
