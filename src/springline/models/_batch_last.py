"""Small convolutions on a CPU, as products of matrices with the batch innermost.

    max_pool2d(conv2d(x, W) + b, 2) = max over 2×2 (W P(x)) + b

    W     the kernels, [C', C k k]
    P(x)  what each element of a kernel meets at the h × w places of B samples, h = H − k + 1, w = W − k + 1

The CPU's own convolutions do poorly on one or ten channels, the gradient of the kernels first of all, and its
max-pooling takes one number after the other. Here all that is no product works on whole rows of B numbers.

There are two forms. One is for a compiler that shall differentiate it, perhaps twice. The other is for who only wants
the answer: rows of P overlap there and are in memory once, which only a view can say, and a view that overlaps has no
cheap gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def differentiable(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """x [C, H, W, B] → [C', h/2, w/2, B], for a convolution with bias, stride 1 and no padding.

    P(x) is [C k k, h w B]. It is made by rows and then by columns: the gradient then sums k pieces twice, instead of k²
    pieces once.
    """
    (c, height, width, b), k = x.shape, conv.kernel_size[0]
    h, w = height - k + 1, width - k + 1
    rows = torch.stack([x[:, i : i + h] for i in range(k)], 1)
    p = torch.stack([rows[:, :, :, j : j + w] for j in range(k)], 2)
    y = (conv.weight.flatten(1) @ p.view(c * k * k, h * w * b)).view(-1, h, w, b)
    return _larger(_larger(y, 1), 2) + _bias(conv, 4)


def direct(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """The same, not for gradients: x [H, C, W, B] → [h/2, C', w/2, B]. P(x) is [h, k C k, w B]."""
    (height, c, width, b), k = x.shape, conv.kernel_size[0]
    h, w = height - k + 1, width - k + 1
    columns = torch.stack([x[:, :, j : j + w] for j in range(k)], 2)
    p = columns.as_strided((h, k * c * k, w * b), (c * k * w * b, w * b, 1))
    by_rows = conv.weight.transpose(1, 2).flatten(1).expand(h, -1, -1)
    y = torch.bmm(by_rows, p).view(h, conv.out_channels, w, b)  # matmul would copy P
    return _larger(_larger(y, 0), 2) + _bias(conv, 3)


def _larger(y: Tensor, dim: int) -> Tensor:
    """Of every two neighbours along `dim`."""
    pairs = y.view(*y.shape[:dim], y.shape[dim] // 2, 2, *y.shape[dim + 1 :])
    return torch.maximum(pairs.select(dim + 1, 0), pairs.select(dim + 1, 1))


def _bias(conv: nn.Conv2d, dims: int) -> Tensor:
    """[C', 1, …], for adding to what has the channels first of so many dimensions."""
    assert conv.bias is not None
    return conv.bias.view(-1, *[1] * (dims - 1))
