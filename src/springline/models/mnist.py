"""The MNIST network of the failure experiments."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MnistNet(nn.Module):
    """PyTorch's MNIST example of η = 0.01, δ = 0.5, without its dropout; returns logits.

    ::

        x [B, 1, 28, 28]
        conv 10, 5×5 → [10, 24, 24]   max-pool 2, relu → [10, 12, 12]
        conv 20, 5×5 → [20,  8,  8]   max-pool 2, relu → [20,  4,  4]
        fc 320 → 50, relu             fc 50 → num_classes

    21,840 parameters for 10 classes. Weights start at PyTorch's defaults, as in the example.

    Args:
        num_classes: number of outputs.

    References:
        The ``mnist`` example of https://github.com/pytorch/examples in its older version, whose
        convolutions have 10 and 20 channels (η = 0.01, δ = 0.5); it also drops out after conv2 and fc1 and
        ends in a log-softmax. Xu & Carr call their network "a simple 2-layer convolutional network from
        PyTorch"; that it is this one, and without the dropout, is our reading.
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, num_classes]`` of images ``[B, 1, 28, 28]``."""
        x = F.relu(halved(self.conv1(x)))
        x = F.relu(halved(self.conv2(x)))
        x = F.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits


def halved(x: Tensor) -> Tensor:
    """Max-pooling of 2×2 windows: ``[…, 2h, 2w]`` → ``[…, h, w]``, every number as ``F.max_pool2d`` gives it.

    Its CPU kernel takes one number after the other and was three fifths of an evaluation. Where nobody asks for
    gradients, the same maxima are taken of whole rows.
    """
    if torch.is_grad_enabled():
        return F.max_pool2d(x, 2)
    x = torch.maximum(x[..., 0::2, :], x[..., 1::2, :])
    return torch.maximum(x[..., 0::2], x[..., 1::2])
