"""The user's module as flat vectors, and back: in place, so that optimizers and wrappers keep their parameters."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn

from springline.engines.real.kinds import kind_of, written
from springline.errors import UsageError
from springline.tasks.layout import Layout

Entry = tuple[str, str, int, list[int], str]  # name in the state dict, "x" or "b", offset, shape, dtype


class Model:
    """x [P], the trained parameters; b [B], the floating-point buffers."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.layout = module, Layout(module)
        self.device = self.layout.parameters[0].device

    def wait(self) -> None:
        """Until its device has done what it was given. Raises UsageError for a module that has been moved."""
        if self.layout.parameters[0].device != self.device:
            raise UsageError(
                f"the model was moved to {self.layout.parameters[0].device} after springline.tie; move it before, as "
                "buffers that are moved are others than those that were tied."
            )
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def read(self) -> tuple[Tensor, Tensor]:
        """Copies of x and b."""
        return self.layout.read()

    @torch.no_grad()
    def write(self, x: Tensor) -> None:
        """Change the parameters' values."""
        for p, view in zip(self.layout.parameters, self.layout.split(x), strict=True):
            p.copy_(view)

    @torch.no_grad()
    def write_buffers(self, b: Tensor) -> None:
        for buffer, view in zip(self.layout.buffers, b.split_with_sizes(self.layout.buffer_sizes), strict=True):
            buffer.copy_(view.view(buffer.shape))

    def gradient(self) -> Tensor:
        """[P]; zero where a parameter has none."""
        return self.layout.join([torch.zeros_like(p) if p.grad is None else p.grad for p in self.layout.parameters])

    @property
    def kind(self) -> str:
        return written(self.layout.parameters[0].dtype)

    def fingerprint(self) -> str:
        """Of the names and shapes of what is trained."""
        names = [(name, list(p.shape)) for name, p in self.module.named_parameters() if p.requires_grad]
        return sha256(json.dumps(names).encode()).hexdigest()

    def digest(self) -> str:
        """Of the present values of x."""
        found = sha256()
        for p in self.layout.parameters:
            found.update(p.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return found.hexdigest()

    # -- the state dict

    def entries(self) -> list[Entry]:
        """Where in x or b each tensor of the state dict stands, for those that do."""
        places: dict[int, tuple[str, int]] = {}
        for which, tensors in (("x", self.layout.parameters), ("b", self.layout.buffers)):
            at = 0
            for t in tensors:
                places[id(t)] = which, at
                at += t.numel()
        found: list[Entry] = []
        for name, t in self.module.state_dict(keep_vars=True).items():
            if id(t) in places:
                which, at = places[id(t)]
                found.append((name, which, at, list(t.shape), written(t.dtype)))
        return found

    def constants(self) -> dict[str, Tensor]:
        """What else is in the state dict, as it is now."""
        moving = {name for name, *_ in self.entries()}
        return {name: t.detach() for name, t in self.module.state_dict().items() if name not in moving}


def state_dict(entries: list[Any], constants: dict[str, Tensor], x: Tensor, b: Tensor) -> dict[str, Tensor]:
    """The state dict of the module with parameters x and buffers b."""
    found = {name: t.clone() for name, t in constants.items()}
    for name, which, at, shape, dtype in entries:
        flat = x if which == "x" else b
        size = torch.Size(shape).numel()
        found[name] = flat[at : at + size].reshape(shape).to(kind_of(dtype), copy=True)
    return found
