"""The local optimiser's view of a model, a loss and one mini-batch: loss, gradient and curvature at any x."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from springline.errors import UsageError
from springline.tasks.allocator import keep_freed_memory
from springline.tasks.compiled import Compiled
from springline.tasks.double_backward import examine, hessian_product
from springline.tasks.drawing import seed_torch
from springline.tasks.forward_over_reverse import agree, gradient_and_product
from springline.tasks.layout import Layout

if TYPE_CHECKING:
    from springline.tasks.base import Batch, Loss

A = TypeVar("A", bound=tuple[Any, ...])


class ModelOracle:
    """`optim.Oracle` for f(x) = loss(module with parameters x, batch).

    One oracle serves all workers and steps of a process: `see` gives it the next batch and its key.

    begin: lets the generators from which model and loss may draw begin at a number.
    compiled: take derivatives through `torch.compile` (see compiled.py). Where that fails, for want of a C++ compiler
        or because the loss cannot be traced, a warning says why and the oracle goes on without it.

    Raises UsageError for a loss that is not a scalar, does not depend on the parameters, or, asked for curvature, is
    not twice differentiable.
    """

    def __init__(
        self, layout: Layout, loss: Loss, compiled: bool = False, begin: Callable[[int], None] = seed_torch
    ) -> None:
        keep_freed_memory()
        self.layout = layout
        self.shapes = layout.shapes
        self.key = 0
        self._loss, self._begin = loss, begin
        self._bound: Tensor | None = None
        self._batch: Batch = ()
        self._forwards: bool | None = None  # whether curvature comes from forward over reverse; not known yet
        self._compiled = Compiled(layout, loss) if compiled else None

    def see(self, batch: Batch, key: int) -> ModelOracle:
        """Answer for this batch from now on; whatever the model draws (dropout) depends on the key alone."""
        self._batch, self.key = batch, key
        return self

    def forget(self) -> None:
        """Bind again at the next question, because somebody else has used the module."""
        self._bound = None

    def loss(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self._forward(x)

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self._compiled is None:
            return self._gradient(x)
        compiled = self._compiled.gradient
        return self._either(lambda: compiled(x, self._batch), lambda: self._gradient(x))

    def curvature(self, x: Tensor, probes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self._compiled is None:
            return self._curvature(x, probes)
        compiled = self._compiled.curvature
        return self._either(lambda: compiled(x, probes, self._batch), lambda: self._curvature(x, probes))

    def _gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        loss, grads = self._slope(x, create_graph=False)
        return loss.detach(), self.layout.join(grads)

    def _curvature(self, x: Tensor, probes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One probe: forward over reverse, if it was seen to agree; several share one graph of double backward."""
        if self._forwards is None:
            self._forwards = self._try_forwards(x, probes)
        if self._forwards and len(probes) == 1:
            return self._forward_over_reverse(x, probes)
        return self._double_backward(x, probes)

    def _try_forwards(self, x: Tensor, probes: Tensor) -> bool:
        """Whether the first product comes out the same both ways; the buffers are left as they were.

        Raises UsageError for a loss that is not twice differentiable.
        """
        buffers = list(self.layout.module.buffers())
        before = [b.clone() for b in buffers]
        try:
            reference = self._double_backward(x, probes[:1], examined=False)[2]
            try:
                return agree(self._forward_over_reverse(x, probes[:1])[2], reference)
            except (RuntimeError, NotImplementedError):  # an operation without a forward derivative
                return False
        finally:
            for b, old in zip(buffers, before, strict=True):
                b.copy_(old)

    def _forward_over_reverse(self, x: Tensor, probes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self._bind(x)
        loss, g, product = gradient_and_product(self.layout, lambda: self._forward(x), self.layout.split(probes[0]))
        return loss, g, product.unsqueeze(0)

    def _double_backward(self, x: Tensor, probes: Tensor, examined: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        loss, grads = self._slope(x, create_graph=True)
        if not examined:
            examine(grads)
        last, split = len(probes) - 1, self.layout.split
        products = [
            hessian_product(grads, self.layout.parameters, split(z), retain=k < last)
            for k, z in enumerate(probes.unbind())
        ]
        join = self.layout.join
        return loss.detach(), join([g.detach() for g in grads]), torch.stack([join(h) for h in products])

    def _slope(self, x: Tensor, create_graph: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        loss, parameters = self._forward(x), self.layout.parameters
        if not loss.requires_grad:
            raise UsageError(
                "the loss does not depend on the model's parameters; let loss_fn(model, batch) call the model, and "
                "compute its value without detach(), item() or torch.no_grad()."
            )
        # without a one that requires grad the end of a graph would pass for a constant
        one = torch.ones_like(loss, requires_grad=True) if create_graph else None
        grads = torch.autograd.grad(loss, parameters, one, create_graph=create_graph, allow_unused=True)
        if any(g is None for g in grads):  # a parameter that the loss does not look at
            zeros = (torch.zeros_like(p, requires_grad=create_graph) for p in parameters)
            grads = tuple(z if g is None else g for g, z in zip(grads, zeros, strict=True))
        return loss, grads

    def _bind(self, x: Tensor) -> None:
        if self._bound is not x:
            self.layout.bind(x)
            self._bound = x

    def _forward(self, x: Tensor) -> Tensor:
        self._bind(x)
        self._seed(x)
        loss = self._loss(self.layout.module, self._batch)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            what = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise UsageError(f"loss_fn returned {what}, not a scalar; reduce it, for example with .mean().")
        return loss.reshape(()) if loss.dim() else loss

    def _seed(self, x: Tensor) -> None:
        self._begin(self.key)
        if x.is_cuda:
            torch.cuda.default_generators[x.device.index].manual_seed(
                self.key
            )  # this GPU's, be it the current one or not

    def _either(self, compiled: Callable[[], A], eager: Callable[[], A]) -> A:
        self._seed(self.layout.parameters[0])
        try:
            return compiled()
        except Exception as error:
            answer = eager()  # an error of the user's own comes out here, in its own words
            reason = textwrap.shorten(str(error), 200) or type(error).__name__
            warnings.warn(
                f"torch.compile failed ({reason}); going on without it. It needs a C++ compiler (apt install g++) "
                "and a loss it can trace as a whole.",
                stacklevel=2,
            )
            self._compiled = None
            return answer
