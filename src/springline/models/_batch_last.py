"""Small convolutions on a CPU, as products of matrices with the batch innermost.

    conv(x) = W P(x) + b

    W     the kernels, [C', C k k]
    P(x)  what each element of a kernel meets at the h × w places of B samples

The CPU's own convolutions do poorly on one or ten channels, the gradient of the kernels first of all, and its
max-pooling takes one number after the other. Here all that is no product works on whole rows of B numbers.

There are two forms, each followed by max-pooling of 2×2 windows, for convolutions of stride 1 without padding. One is
for a compiler that shall differentiate it, perhaps twice. The other is for who only wants the answer: rows of P overlap
there and are in memory once, which only a view can say, and a view that overlaps has no cheap gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def differentiable(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """`max_pool2d(conv(x), 2)`: x [C, H, W, B] → [C', (H−k+1)/2, (W−k+1)/2, B]. P(x) is [C k k, h w B].

    Patches are taken by rows and then by columns: the gradient then sums k pieces twice, instead of k² pieces once.
    """
    (c, height, width, b), k = x.shape, conv.kernel_size[0]
    h, w = height - k + 1, width - k + 1
    rows = torch.stack([x[:, i : i + h] for i in range(k)], 1)
    p = torch.stack([rows[:, :, :, j : j + w] for j in range(k)], 2)
    y = (conv.weight.flatten(1) @ p.view(c * k * k, h * w * b)).view(conv.out_channels, h // 2, 2, w, b)
    y = torch.maximum(y[:, :, 0], y[:, :, 1]).view(conv.out_channels, h // 2, w // 2, 2, b)
    y = torch.maximum(y[:, :, :, 0], y[:, :, :, 1])
    return _biased(y, conv, (-1, 1, 1, 1))


def direct(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """The same, not for gradients: x [H, C, W, B] → [(H−k+1)/2, C', (W−k+1)/2, B]. P(x) is [h, k C k, w B]."""
    (height, c, width, b), k = x.shape, conv.kernel_size[0]
    h, w = height - k + 1, width - k + 1
    columns = torch.stack([x[:, :, j : j + w] for j in range(k)], 2)
    row = c * k * w * b
    p = columns.as_strided((h, k * c * k, w * b), (row, w * b, 1))
    kernels = conv.weight.transpose(1, 2).flatten(1)
    y = torch.bmm(kernels.expand(h, -1, -1), p).view(h // 2, 2, conv.out_channels, w, b)  # matmul would copy P
    y = torch.maximum(y[:, 0], y[:, 1]).view(h // 2, conv.out_channels, w // 2, 2, b)
    y = torch.maximum(y[:, :, :, 0], y[:, :, :, 1])
    return _biased(y, conv, (-1, 1, 1))


def _biased(y: Tensor, conv: nn.Conv2d, shape: tuple[int, ...]) -> Tensor:
    """Of the maxima, because there are four times fewer of them."""
    return y if conv.bias is None else y + conv.bias.view(shape)
