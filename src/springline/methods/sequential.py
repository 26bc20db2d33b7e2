"""One worker alone: what every parallel method is compared with."""

from __future__ import annotations

from springline.couplings import Mean, Moving, Sequential
from springline.methods.base import Method
from springline.optim.nesterov import Nesterov
from springline.optim.sgd import SGD

SEQUENTIAL = (
    Method(
        "sgd",
        Sequential(),
        SGD(lr=0.05),
        summary="SGD, one worker",
        when="One worker: the baseline without momentum.",
        equation="x ← x − ηg(x)",
        reference="Robbins & Monro, A stochastic approximation method, 1951",
        cite="sgd",
    ),
    Method(
        "msgd",
        Sequential(),
        Nesterov(lr=0.01, momentum=0.9),
        summary="SGD with Nesterov momentum, one worker",
        when="One worker with Nesterov momentum: the baseline that parallel methods should reach.",
        equation="v ← δv − ηg(x+δv), x ← x + v",
        reference="Nesterov, A method of solving a convex programming problem with convergence rate O(1/k²), 1983",
        cite="nesterov",
    ),
    Method(
        "asgd-averaged",
        Sequential(Mean()),
        SGD(lr=0.05),
        summary="SGD, one worker, read out as the mean of all iterates",
        when="One worker, read out as the mean of its whole path: convex problems, long runs.",
        equation="x ← x − ηg(x); z ← (1−a)z + a·x, a = 1/(t+1)",
        reference="Polyak & Juditsky, Acceleration of stochastic approximation by averaging, 1992",
        cite="averaging",
    ),
    Method(
        "mvasgd",
        Sequential(Moving(0.001)),
        SGD(lr=0.05),
        summary="SGD, one worker, read out as a moving average of the iterates",
        when="One worker, read out as a moving average: less noise at the end without decaying η.",
        equation="x ← x − ηg(x); z ← (1−a)z + a·x",
        reference="Zhang, Distributed stochastic optimization for deep learning, 2016",
        cite="thesis",
    ),
)
