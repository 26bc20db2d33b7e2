"""Gradient and curvature through `torch.compile`.

    g = ∇f(x),   H z = ∇(g(x)·z)

as one pure function of (x, z, buffers, batch), compiled whole: what double backward computes in vain is never
computed, and the pieces in between are fused.
"""

from __future__ import annotations

import functools
import importlib
import types
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vjp

from springline.tasks.layout import Layout

if TYPE_CHECKING:
    from springline.tasks.base import Batch, Loss

Buffers = dict[str, Tensor]


class _Objective(nn.Module):
    """loss(module, batch) as a module, so that `functional_call` can put any parameters into it."""

    def __init__(self, module: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.module = module
        self.loss = loss

    def forward(self, batch: Batch) -> Tensor:
        return self.loss(self.module, batch).reshape(())


class Compiled:
    """The oracle's two derivatives for one module and loss.

    The first call compiles, which can take a minute, or seconds where torch still has the code on disk; the first one
    with another batch size compiles once more for all sizes. What the model draws (dropout) depends on the seed set
    before the call, but is not what it would draw uncompiled. Buffers (batch-norm statistics) are updated as they
    would be.
    """

    def __init__(self, layout: Layout, loss: Loss) -> None:
        self._layout = layout
        self._objective = _Objective(layout.module, loss)
        named = layout.module.named_parameters()
        self._names = ["module." + name for name, p in named if p.requires_grad]
        self._family = (type(layout.module), getattr(loss, "__code__", type(loss)), tuple(layout.shapes))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch's, about itself
            importlib.import_module("torch._inductor.compile_fx")

    def gradient(self, x: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        loss, g, buffers = self._compiled(Compiled._gradient)(x, self._buffers(), batch)
        self._keep(buffers)
        return loss, g

    def curvature(self, x: Tensor, probes: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        loss, g, products, buffers = self._compiled(Compiled._curvature)(x, probes, self._buffers(), batch)
        self._keep(buffers)
        return loss, g, products

    def _gradient(self, x: Tensor, buffers: Buffers, batch: Batch) -> tuple[Tensor, Tensor, Buffers]:
        g, (loss, buffers) = grad_and_value(self._loss, has_aux=True)(x, buffers, batch)
        return loss, g, buffers

    def _curvature(
        self, x: Tensor, probes: Tensor, buffers: Buffers, batch: Batch
    ) -> tuple[Tensor, Tensor, Tensor, Buffers]:
        def slope(x: Tensor) -> tuple[Tensor, tuple[Tensor, Buffers]]:
            g, aux = grad_and_value(self._loss, has_aux=True)(x, buffers, batch)
            return g, aux

        g, pull, aux = vjp(slope, x, has_aux=True)  # type: ignore[misc]  # three with has_aux
        loss, buffers = aux
        return loss, g, torch.stack([pull(z)[0] for z in probes.unbind()]), buffers

    def _loss(self, x: Tensor, buffers: Buffers, batch: Batch) -> tuple[Tensor, Buffers]:
        buffers = {name: b.clone() for name, b in buffers.items()}  # the forward pass writes into these
        parameters = dict(zip(self._names, self._layout.split(x), strict=True))
        loss = functional_call(self._objective, {**parameters, **buffers}, (batch,))
        return loss, buffers

    def _buffers(self) -> Buffers:
        return dict(self._objective.named_buffers())

    def _keep(self, buffers: Buffers) -> None:
        for name, b in self._objective.named_buffers():
            b.copy_(buffers[name])

    def _compiled(self, function: Callable[..., Any]) -> Any:
        return _compile(function, self._family, torch.get_num_threads()).__get__(self)


@functools.cache
def _compile(function: Callable[..., Any], family: tuple[Any, ...], threads: int) -> Any:
    """`function` compiled, once for all modules of one family.

    A copy of its code under a name of its own keeps the families apart, of whose sizes torch keeps account by name.
    The number of threads is a constant in compiled code, so it stands among the options: code made for another number
    is then never taken from the cache on disk (it would sum wrongly). With `dynamic_threads` a single thread, too,
    scatters through ATen, which is three times as fast as the loop made otherwise.
    """
    name = f"{function.__name__}_{_compile.cache_info().misses}"
    own = types.FunctionType(function.__code__.replace(co_name=name), function.__globals__, name)
    options: dict[str, str | int | bool | Callable[..., Any]] = {
        "cpp.threads": threads,
        "cpp.dynamic_threads": threads == 1,
    }
    return torch.compile(own, fullgraph=True, options=options)
