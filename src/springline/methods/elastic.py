"""Elastic averaging: worker and center move towards each other."""

from __future__ import annotations

from springline.couplings import Dynamic, Elastic, Fixed, Guarded, Oracle
from springline.methods.base import Method
from springline.optim.adahessian import AdaHessian
from springline.optim.nesterov import Nesterov
from springline.optim.sgd import SGD

XC = "Xu & Carr, A Dynamic Weighting Strategy to Mitigate Worker Node Failure in Distributed Deep Learning, 2024"
_ADAHESSIAN = AdaHessian(lr=0.01)
_NESTEROV = Nesterov(lr=0.01, momentum=0.5)
_ELASTIC = "x_i ← x_i − h1(x_i − c), c ← c + h2(x_i − c)"

ELASTIC = (
    Method(
        "easgd",
        Elastic(Fixed(0.1)),
        SGD(lr=0.01),
        summary="elastic averaging with SGD on the workers",
        when=(
            "The first thing to try when workers are uneven or unreliable and SGD suits the model: nobody "
            "waits, the center moves slowly, and any worker may be lost. Raise τ until communication no "
            "longer shows."
        ),
        equation=f"{_ELASTIC}, h1 = h2 = α; x_i ← x_i − ηg(x_i)",
        reference="Zhang, Choromanska & LeCun, Deep learning with Elastic Averaging SGD, 2015",
        cite="easgd",
    ),
    Method(
        "eamsgd",
        Elastic(Fixed(0.1)),
        _NESTEROV,
        summary="elastic averaging with Nesterov momentum on the workers",
        when=(
            "As easgd, for models that want momentum. With long periods and a high δ workers can settle in "
            "different valleys; let η decay, or shorten τ."
        ),
        equation=f"{_ELASTIC}, h1 = h2 = α; v ← δv − ηg(x_i+δv), x_i ← x_i + v",
        reference="Zhang, Choromanska & LeCun, Deep learning with Elastic Averaging SGD, 2015",
        cite="easgd",
    ),
    Method(
        "eahes",
        Elastic(Fixed(0.1)),
        _ADAHESSIAN,
        summary="elastic averaging with AdaHessian on the workers",
        when=(
            "When curvature helps (ill-conditioned losses, no wish to tune η) and a step may cost two to "
            "three gradients. No data in common: the paper's baseline for overlap."
        ),
        equation=f"{_ELASTIC}, h1 = h2 = α; AdaHessian on x_i",
        reference=XC,
        cite="dynamic-weighting",
    ),
    Method(
        "eahes-o",
        Elastic(Fixed(0.1)),
        _ADAHESSIAN,
        overlap="1/N",
        summary="EAHES with a share of the data that all workers have in common",
        when=(
            "As eahes, when some of the data may lie on every worker: overlap keeps the workers' losses alike "
            "and makes up for a worker that is away."
        ),
        equation=f"{_ELASTIC}, h1 = h2 = α; AdaHessian on x_i; D_i = O ∪ S_i",
        reference=XC,
        cite="dynamic-weighting",
    ),
    Method(
        "eahes-om",
        Elastic(Oracle(0.1)),
        _ADAHESSIAN,
        overlap="1/N",
        summary="EAHES-O that is told of failures and sets a returning worker back to the center",
        when=(
            "As a yardstick: no real system is told of every failure. It resets whoever missed an exchange, "
            "which helps where a failure makes a worker worse and throws good work away where it does not."
        ),
        equation=f"{_ELASTIC}, (h1, h2) = (1, 0) after a failure, else (α, α)",
        reference=XC,
        cite="dynamic-weighting",
    ),
    Method(
        "deahes-o",
        Elastic(Dynamic(0.1)),
        _ADAHESSIAN,
        overlap="1/N",
        summary="EAHES-O with weights that follow how a worker's distance to the center changes",
        when=(
            "To reproduce the paper's dynamic weighting. It judges a worker by how its distance to the center changes, "
            "which cannot tell a worker that lags from one that is wrong."
        ),
        equation=f"{_ELASTIC}, (h1, h2) from a_t = Σ c_j (u_t−j − u_t−j−1), u = log‖x_i − c‖",
        reference=XC,
        cite="dynamic-weighting",
    ),
    Method(
        "geahes-o",
        Elastic(Guarded(0.1)),
        _ADAHESSIAN,
        overlap="1/N",
        summary="EAHES-O with weights that see who has slept, and what was damaged on its way",
        when=(
            "The default for workers that crash or freeze and come back with old or fresh weights, and for messages "
            "that arrive damaged: it needs three numbers more per message than eahes-o, and only pulls in those whose "
            "distance their steps cannot explain, or who slept while the others went on."
        ),
        equation=f"{_ELASTIC}, h1 = α+(1−α)f, h2 = α(1−f), f = max(ramp(log d_i/ρ_i), "
        "ramp(rounds slept through)), ρ_i = how far it can have come since its last pull",
        reference="this library (docs/methods/geahes-o.md)",
        cite="springline",
    ),
    Method(
        "geamsgd-o",
        Elastic(Guarded(0.1)),
        _NESTEROV,
        overlap="1/N",
        summary="EAMSGD with geahes-o's weights and overlap",
        when=(
            "As geahes-o, where a step may cost one gradient only, or the run is long: AdaHessian begins faster, "
            "and on MNIST Nesterov momentum is ahead after a few hundred local steps."
        ),
        equation=f"{_ELASTIC}, h1 = α+(1−α)f, h2 = α(1−f) as in geahes-o; v ← δv − ηg(x_i+δv), x_i ← x_i + v",
        reference="this library (docs/methods/geahes-o.md)",
        cite="springline",
    ),
)
