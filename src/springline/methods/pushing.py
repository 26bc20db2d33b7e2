"""Methods whose workers push what they have learned: DOWNPOUR its steps, the others single gradients.

Where the center steps, η counts the center's updates, N of which make a round. The papers' η = 0.1 with momentum 0.9
belongs to networks with batch normalisation; the values here train the MNIST network with 4 to 8 workers.
"""

from __future__ import annotations

from springline.couplings import (
    ADMM,
    ASGD,
    DCASGD,
    Dana,
    DanaZero,
    Downpour,
    MDownpour,
    Mean,
    Moving,
    MultiASGD,
    NagASGD,
    StalenessAware,
)
from springline.methods.base import Method
from springline.optim.gradient import Gradient
from springline.optim.sgd import SGD

Z = "Zhang, Distributed stochastic optimization for deep learning, 2016"
D = "Hakimi, Barkai, Gabel & Schuster, DANA: Scalable out-of-the-box distributed ASGD without retuning, 2018"
_DOWNPOUR = "x ← x − ηg(x), v ← v − ηg(x); every τ steps: c ← c + v, x ← c, v ← 0"

PUSHING = (
    Method(
        "downpour",
        Downpour(),
        SGD(lr=0.01),
        summary="workers add their steps to the center and start again from it",
        when=(
            "Few workers and short periods. The center takes every worker's steps in full, so η must shrink "
            "as N and τ grow; the thesis finds it unstable from τ = 16 on."
        ),
        equation=_DOWNPOUR,
        reference="Dean et al., Large Scale Distributed Deep Networks, 2012",
        cite="downpour",
    ),
    Method(
        "adownpour",
        Downpour(Mean()),
        SGD(lr=0.01),
        summary="DOWNPOUR, read out as the mean of all values the center has had",
        when="As downpour, when a convex or late-stage problem gains from the mean over the whole run.",
        equation=f"{_DOWNPOUR}; z ← (1−a)z + a·c, a = 1/(t+1)",
        reference=Z,
        cite="thesis",
    ),
    Method(
        "mvadownpour",
        Downpour(Moving(0.001)),
        SGD(lr=0.01),
        summary="DOWNPOUR, read out as a moving average of the center",
        when="As downpour, with the noise of the last few hundred updates averaged out of the read-out.",
        equation=f"{_DOWNPOUR}; z ← (1−a)z + a·c",
        reference=Z,
        cite="thesis",
    ),
    Method(
        "mdownpour",
        MDownpour(lr=0.005, momentum=0.9),
        Gradient(),
        summary="gradients at the center's look-ahead, one Nesterov momentum at the center",
        when="To compare with the thesis. One momentum for all workers ages with N: keep N and η small.",
        equation="g = g(c + δv); v ← δv − ηg, c ← c + v",
        reference=Z,
        cite="thesis",
    ),
    Method(
        "asgd",
        ASGD(lr=0.05),
        Gradient(),
        summary="asynchronous SGD: every gradient is applied as it comes",
        when=(
            "The plainest asynchronous method: one gradient, one update. Robust up to moderate N, slow "
            "without momentum."
        ),
        equation="θ ← θ − ηg_i, reply θ",
        reference=D,
        cite="dana",
    ),
    Method(
        "nag-asgd",
        NagASGD(lr=0.005, momentum=0.9),
        Gradient(),
        summary="asynchronous SGD with one Nesterov buffer for all workers",
        when=("To see what one Nesterov buffer does when many write to it: fine for a few workers, unstable for many."),
        equation="v ← γv + g_i, θ ← θ − η(γv + g_i), reply θ",
        reference=D,
        cite="dana",
    ),
    Method(
        "multi-asgd",
        MultiASGD(lr=0.005, momentum=0.9),
        Gradient(),
        summary="asynchronous SGD with a Nesterov momentum for each worker, which looks ahead over its own alone",
        when=("As nag-asgd with a momentum per worker; better, but its look-ahead knows nothing of the other workers."),
        equation="v_i ← γv_i + g_i, θ ← θ − ηv_i, reply θ − ηγv_i",
        reference=D,
        cite="dana",
    ),
    Method(
        "dana-zero",
        DanaZero(lr=0.005, momentum=0.9),
        Gradient(),
        summary="a momentum for each worker at the center, replies that look ahead over all of them",
        when=(
            "When momentum must survive many asynchronous workers and the center has memory for a vector per worker."
        ),
        equation="v_i ← γv_i + g_i, θ ← θ − ηv_i, reply θ − ηγΣ_j v_j",
        reference=D,
        cite="dana",
    ),
    Method(
        "dana",
        Dana(lr=0.005, momentum=0.9),
        Gradient(),
        summary="DANA-Zero's trajectory with the momentum at the workers and a plain center",
        when=(
            "The same trajectory as dana-zero with a plain center: the gradient-pushing method to choose when "
            "workers are many and reliable and η, γ of one worker are to be kept."
        ),
        equation="v ← γv + g, sends γv + g; Θ ← Θ − η(γv + g), reply Θ",
        reference=D,
        cite="dana",
    ),
    Method(
        "dc-asgd",
        DCASGD(lr=0.05),
        Gradient(),
        summary="asynchronous SGD that corrects late gradients for how far the center has moved (needs lam)",
        when=("When gradients are late and a first-order correction is affordable; λ has to be found for each task."),
        equation="θ ← θ − η(g_i + λ g_i⊙g_i⊙(θ − θ_i)), θ_i ← θ, reply θ",
        reference="Zheng et al., Asynchronous Stochastic Gradient Descent with Delay Compensation, 2017",
        cite="dc-asgd",
    ),
    Method(
        "staleness-aware",
        StalenessAware(lr=0.05),
        Gradient(),
        summary="asynchronous SGD with smaller steps for later gradients",
        when=(
            "When lags differ widely between workers: a late gradient gets a smaller step instead of being thrown away."
        ),
        equation="θ ← θ − η/max(1, lag_i)·g_i, reply θ",
        reference="Zhang, Gupta, Lian & Liu, Staleness-aware Async-SGD for Distributed Deep Learning, 2016",
        cite="staleness-aware",
    ),
    Method(
        "admm",
        ADMM(lr=0.05, rho=1.0),
        Gradient(),
        summary="linearised ADMM with a worker at a time",
        when=(
            "To compare elastic averaging with a method that keeps multipliers; its round-robin form has "
            "unstable regions that EASGD has not."
        ),
        equation="λ_i ← λ_i − (x_i − c), x_i ← (x_i − ηg_i + ηρ(λ_i + c))/(1 + ηρ), c ← mean_j(x_j − λ_j)",
        reference=Z,
        cite="thesis",
    ),
)
