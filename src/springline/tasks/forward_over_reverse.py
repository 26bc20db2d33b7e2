"""Hessian-vector products by differentiating forwards through a gradient taken backwards.

    H z = ∂/∂ε g(x + ε z) at ε = 0

Every parameter carries its part of z as a tangent through the forward and the backward pass, so g and H z come out
together. Double backward makes more: the gradient with respect to every layer's input, the first one's included.

Reference: Pearlmutter 1994, Fast exact multiplication by the Hessian (there: R{·} of both passes).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from springline.tasks.layout import Layout

_make_dual: Callable[[Tensor, Tensor], Tensor] = forward_ad.make_dual
_unpack_dual: Callable[[Tensor], Any] = forward_ad.unpack_dual  # (primal, tangent or None)

AGREE = 1e-3  # of the norm; single precision leaves about 1e-6


def gradient_and_product(layout: Layout, loss: Callable[[], Tensor], z: list[Tensor]) -> tuple[Tensor, ...]:
    """(f, g [P], H z [P]) of loss() at the module's present parameters.

    Raises RuntimeError or NotImplementedError where an operation has no derivative of this kind.
    """
    _load()
    with forward_ad.dual_level():
        duals = [_make_dual(p.detach().requires_grad_(), v) for p, v in zip(layout.parameters, z, strict=True)]
        with _in_place_of_parameters(layout, duals):
            value = loss()
            grads = torch.autograd.grad(value, duals, materialize_grads=True)
        parts = [_unpack_dual(g) for g in grads]
        products = [torch.zeros_like(p.primal) if p.tangent is None else p.tangent.detach() for p in parts]
        f = _unpack_dual(value).primal.detach()
        return f, layout.join([p.primal.detach() for p in parts]), layout.join(products)


@functools.cache
def _load() -> None:
    """What torch loads at the first dual tensor comes with a warning of torch's about itself."""
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.simplefilter("ignore", DeprecationWarning)
        _make_dual(torch.zeros(1), torch.ones(1))


def agree(product: Tensor, reference: Tensor) -> bool:
    """Whether H z is the one that double backward gives.

    It is not where a loss uses its parameters under `torch.no_grad`, which holds back gradients but not tangents.
    """
    return bool(torch.linalg.vector_norm(product - reference) <= AGREE * torch.linalg.vector_norm(reference))


@contextmanager
def _in_place_of_parameters(layout: Layout, tensors: list[Tensor]) -> Iterator[None]:
    """Let the module compute with these tensors, wherever each of its parameters stands in it."""
    for (places, _), tensor in zip(layout.places, tensors, strict=True):
        for owner, name in places:
            owner._parameters[name] = tensor  # type: ignore[assignment]  # not a Parameter, as in torch.func
    try:
        yield
    finally:
        for places, parameter in layout.places:
            for owner, name in places:
                owner._parameters[name] = parameter
