"""An `nn.Module` as one flat vector x [P] of trained parameters and one of buffers b [B].

x holds the trainable parameters one after the other in the order of `module.parameters()`; b the floating-point
buffers (batch-norm statistics) that begin with finite values. All other buffers, as indices, flags and a causal mask,
are constants and stay in the module. `bind` lets the module look at a vector instead of its own memory, which costs
microseconds and copies nothing, so that one module serves any number of workers. Buffers come to the dtype of the
parameters, but for those that half precision would round: they keep theirs, and b has the widest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from springline.errors import UsageError


class Layout:
    """Where each parameter and buffer of a module stands in the flat vectors.

    shapes: of the trainable parameters, in order; size: P; buffer_size: B; buffer_kind: the dtype of b.
    places: by parameter, the modules that hold it, each with the name it has there, and the parameter.
    Raises UsageError for a module without trainable parameters, with several dtypes among them, with parameters that
    have no shape yet or are complex, or with a batch norm that averages over everything it has seen.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        if not self.parameters:
            raise UsageError(
                f"{type(module).__name__} has no trainable parameters; there is nothing to train: give a module "
                "with at least one parameter whose requires_grad is true."
            )
        if any(map(is_lazy, self.parameters)):
            raise UsageError(
                f"{type(module).__name__} has lazy parameters that have no shape yet; run one sample through it before "
                "model() returns it."
            )
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._NormBase) and part.track_running_stats and part.momentum is None:
                raise UsageError(
                    f"a {type(part).__name__} has momentum=None, an average over all batches that its module has seen, "
                    "but one module serves several workers; give it a momentum, for example 0.1."
                )
        kinds = {(p.dtype, p.device) for p in self.parameters}
        if len(kinds) > 1:
            raise UsageError(
                f"{type(module).__name__} mixes parameters of {sorted(map(str, kinds))}; "
                "bring them to one dtype and device with module.to(...)."
            )
        if self.parameters[0].is_complex():
            raise UsageError(
                f"{type(module).__name__} has complex parameters, and the local steps are made for real ones; "
                "hold their real and imaginary parts (torch.view_as_real)."
            )
        self.places = _places(module, self.parameters)
        self.buffers = [b for b in module.buffers() if b.is_floating_point() and b.isfinite().all()]
        kind = self.parameters[0].dtype
        self.buffer_kinds = [b.dtype if kind.itemsize < 4 <= b.dtype.itemsize else kind for b in self.buffers]
        self.buffer_kind = max(self.buffer_kinds, key=lambda found: found.itemsize, default=kind)
        self.shapes = [tuple(p.shape) for p in self.parameters]
        self.sizes = [p.numel() for p in self.parameters]
        self.size = sum(self.sizes)
        self.buffer_sizes = [b.numel() for b in self.buffers]
        self.buffer_size = sum(self.buffer_sizes)

    def read(self) -> tuple[Tensor, Tensor]:
        """Copies of the module's present parameters x [P] and buffers b [B]."""
        b = torch.empty(self.buffer_size, dtype=self.buffer_kind, device=self.parameters[0].device)
        self._write(b)
        return self.join([p.detach() for p in self.parameters]), b

    def join(self, tensors: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
        """Tensors shaped like the parameters, or sparse (the gradient of an embedding can be) -> one vector [P]."""
        return torch.cat([(t.to_dense() if t.is_sparse else t).reshape(-1) for t in tensors])

    def split(self, x: Tensor) -> list[Tensor]:
        """Views of x [P] (or of each row of [K, P]) shaped like the parameters."""
        lead = x.shape[:-1]
        return [t.view((*lead, *s)) for t, s in zip(x.split_with_sizes(self.sizes, dim=-1), self.shapes, strict=True)]

    def bind(self, x: Tensor) -> None:
        """Let the module's parameters look at x [P]."""
        for p, view in zip(self.parameters, self.split(x), strict=True):
            p.data = view

    def constants(self) -> dict[str, Tensor]:
        """The buffers that have no place in b, by name, as they are now."""
        moving = set(map(id, self.buffers))
        return {name: b for name, b in self.module.named_buffers() if id(b) not in moving}

    def bind_buffers(self, b: Tensor) -> None:
        """Let the module's floating-point buffers look at b [B], which its forward passes will then change.

        Those of another dtype look at copies: `collect_buffers` puts into b what they have become.
        """
        views = b.split_with_sizes(self.buffer_sizes)
        for buffer, kind, view in zip(self.buffers, self.buffer_kinds, views, strict=True):
            buffer.data = view.view(buffer.shape).to(kind)

    def collect_buffers(self, b: Tensor) -> None:
        """Complete b [B], to which the buffers are bound."""
        if any(kind != b.dtype for kind in self.buffer_kinds):
            self._write(b)

    def _write(self, b: Tensor) -> None:
        for buffer, place in zip(self.buffers, b.split_with_sizes(self.buffer_sizes), strict=True):
            place.copy_(buffer.detach().reshape(-1))


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Its state dict, without what modules say of themselves that is no tensor (`get_extra_state`)."""
    return {name: t for name, t in module.state_dict().items() if isinstance(t, Tensor)}


def _places(
    module: nn.Module, parameters: list[nn.Parameter]
) -> list[tuple[list[tuple[nn.Module, str]], nn.Parameter]]:
    found: dict[int, list[tuple[nn.Module, str]]] = {id(p): [] for p in parameters}
    for owner in module.modules():
        for name, p in owner._parameters.items():
            if id(p) in found:
                found[id(p)].append((owner, name))
    return [(found[id(p)], p) for p in parameters]
