"""The MNIST network of the failure experiments."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from springline.models import _batch_last

AT_ONCE = 64  # samples whose intermediate results fit a core's cache


class MnistNet(nn.Module):
    """PyTorch's MNIST example of η = 0.01, δ = 0.5, without its dropout; returns logits.

    ::

        x [B, 1, 28, 28]
        conv 10, 5×5 → [10, 24, 24]   max-pool 2, relu → [10, 12, 12]
        conv 20, 5×5 → [20,  8,  8]   max-pool 2, relu → [20,  4,  4]
        fc 320 → 50, relu             fc 50 → num_classes

    21,840 parameters for 10 classes. Weights start at PyTorch's defaults, as in the example.

    On a CPU it is computed otherwise, to the same numbers but for rounding, where it is compiled and where nobody asks
    for gradients; both then take about half the time (``benchmarks/mnist_network.py``).

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
        logits: Tensor = self.fc2(F.relu(self.fc1(self.features(x))))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """What the two convolutions make of images: ``[B, 320]``."""
        if x.device.type == "cpu" and torch.compiler.is_compiling():
            return self._differentiable(x)
        if x.device.type == "cpu" and not torch.is_grad_enabled():
            return torch.cat([self._direct(part) for part in torch.split(x, AT_ONCE)])
        for conv in (self.conv1, self.conv2):
            x = F.relu(F.max_pool2d(conv(x), 2))
        return x.flatten(1)

    def _differentiable(self, x: Tensor) -> Tensor:
        x = x.permute(1, 2, 3, 0).contiguous()
        for conv in (self.conv1, self.conv2):
            x = F.relu(_batch_last.differentiable(x, conv))
        return x.flatten(0, 2).t()

    def _direct(self, x: Tensor) -> Tensor:
        x = x.permute(2, 1, 3, 0).contiguous()
        for conv in (self.conv1, self.conv2):
            x = F.relu(_batch_last.direct(x, conv))
        return x.permute(3, 1, 0, 2).flatten(1)
