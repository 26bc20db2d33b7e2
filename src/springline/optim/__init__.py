"""What a worker does between two exchanges: local optimisers, and how a learning rate changes."""

from springline.optim.adahessian import AdaHessian
from springline.optim.base import Optimiser, Oracle
from springline.optim.gradient import Gradient
from springline.optim.heavy_ball import HeavyBall
from springline.optim.nesterov import Nesterov
from springline.optim.schedule import InverseRoot, Rate, StepDecay, WarmUp
from springline.optim.sgd import SGD
from springline.optim.torch_optimiser import Torch

__all__ = [
    "SGD", "AdaHessian", "Gradient", "HeavyBall", "InverseRoot", "Nesterov", "Optimiser", "Oracle", "Rate", "StepDecay",
    "Torch", "WarmUp",
]  # fmt: skip
