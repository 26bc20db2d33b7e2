"""Methods whose center waits for a round of messages, and goes on at a deadline with those it has."""

from __future__ import annotations

from springline.couplings import SSGD, SyncElastic
from springline.methods.base import Method
from springline.optim.gradient import Gradient
from springline.optim.sgd import SGD

SYNCHRONOUS = (
    Method(
        "sync-easgd",
        SyncElastic(beta=0.9, form="jacobi"),
        SGD(lr=0.05),
        pull_after=1,
        summary="elastic averaging of all workers at once, Jacobi form",
        when=(
            "When all workers are equally fast and reliable and runs must be comparable with the theory; "
            "everybody waits for the slowest, up to the deadline."
        ),
        equation="x_i ← x_i − ηg(x_i) − α(x_i − c), c ← (1−β)c + β·mean(x_i), both with the old c and x_i; α = β/N",
        reference="Zhang, Distributed stochastic optimization for deep learning, eqs. 2.3, 2.4",
        cite="thesis",
    ),
    Method(
        "sync-easgd-gs",
        SyncElastic(beta=0.9, form="gauss-seidel"),
        SGD(lr=0.05),
        summary="elastic averaging of all workers at once, Gauss–Seidel form",
        when="As sync-easgd, in the form that contains synchronous DOWNPOUR (α = 1, β = N).",
        equation="x_i ← x_i − α(x_i − c), x_i ← x_i − ηg(x_i), then c ← (1−β)c + β·mean(x_i); α = β/N",
        reference="Zhang, Distributed stochastic optimization for deep learning, eq. 6.3",
        cite="thesis",
    ),
    Method(
        "ssgd",
        SSGD(lr=0.05),
        Gradient(),
        summary="synchronous SGD: one step with the mean gradient of all workers",
        when=(
            "The baseline of data-parallel training: equal workers, a fast network. Its large batch wants η "
            "scaled with N and a warm-up."
        ),
        equation="θ ← θ − η·mean_i g_i, reply θ",
        reference="Chen et al., Revisiting Distributed Synchronous SGD, 2016",
        cite="ssgd",
    ),
)
