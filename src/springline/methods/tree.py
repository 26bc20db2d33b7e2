"""Elastic averaging over a tree: the leaves train, the inner nodes average."""

from __future__ import annotations

from springline.couplings import TreeCoupling
from springline.methods.base import Method
from springline.optim.nesterov import Nesterov
from springline.optim.sgd import SGD

_REFERENCE = "Zhang, Distributed stochastic optimization for deep learning, 2016, Algorithm 6 and section 6.1"
_EQUATION = "on arrival of y at node i: x_i ← x_i + α(y − x_i), α = 0.9/(d+1)"

TREE = (
    Method(
        "easgd-tree",
        TreeCoupling(),
        SGD(lr=0.01),
        summary="elastic averaging over a tree (--topology tree:D), with SGD at the leaves",
        when=(
            "Hundreds of workers, for which one center is too busy: every node talks to d + 1 others only. "
            "Takes the longest to bring news from leaf to root."
        ),
        equation=f"{_EQUATION}; at the leaves x_i ← x_i − ηg(x_i)",
        reference=_REFERENCE,
        cite="thesis",
    ),
    Method(
        "eamsgd-tree",
        TreeCoupling(),
        Nesterov(lr=0.01, momentum=0.5),
        summary="elastic averaging over a tree (--topology tree:D), with Nesterov momentum at the leaves",
        when="As easgd-tree, for models that want momentum.",
        equation=f"{_EQUATION}; at the leaves v ← δv − ηg(x_i+δv), x_i ← x_i + v",
        reference=_REFERENCE,
        cite="thesis",
    ),
)
