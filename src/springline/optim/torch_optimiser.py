"""Any `torch.optim.Optimizer` as a local optimiser.

(x, state) ↦ the optimiser's own step on parameters shaped like the model's
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from springline.errors import UsageError
from springline.optim.base import Optimiser, Oracle
from springline.optim.checks import check_lr
from springline.optim.schedule import Rate, at
from springline.state import state

Factory = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


@state
class TorchState(NamedTuple):
    t: int
    per_parameter: dict[str, Any]  # number of the parameter -> what the optimiser holds for it
    groups: list[dict[str, Any]]  # each parameter group's options, without its parameters


@dataclass(frozen=True)
class Torch(Optimiser):
    """An optimiser made anew for each step and given its state back, so that it serves any number of workers.

    factory: factory(parameters) -> `torch.optim.Optimizer`, for example `functools.partial(torch.optim.Adam, lr=1e-3)`
        or, with parameter groups of its own, any function of the list of parameters.
    lr: replaces the learning rate of every group; None leaves it to the factory.

    Raises UsageError if the factory makes no optimiser, or one whose state a checkpoint cannot hold. Optimisers that
    ask for the loss again (LBFGS) are answered on the same batch; the loss reported is the one at x. The gradient at x
    is there before `step` is called, for those that do not ask, or move before they do.
    """

    late = ("torch._dynamo",)

    factory: Factory
    lr: Rate | float | None = None

    def __post_init__(self) -> None:
        if self.lr is not None:
            check_lr(self.lr)
        if not callable(self.factory):
            raise UsageError(
                f"Torch was given a {type(self.factory).__name__}, not a function that makes an optimiser; "
                "write Torch(lambda parameters: torch.optim.Adam(parameters, lr=1e-3))."
            )

    def init(self, x: Tensor) -> TorchState:
        return TorchState(t=0, per_parameter={}, groups=[])

    def step(self, x: Tensor, state: TorchState, oracle: Oracle) -> tuple[Tensor, TorchState, Tensor]:
        new = x.clone()
        parameters = [nn.Parameter(view) for view in _split(new, oracle.shapes)]  # they share the memory of `new`
        optimiser = self._make(parameters)
        _load(optimiser, parameters, state)
        if self.lr is not None:
            for group in optimiser.param_groups:
                group["lr"] = at(self.lr, state.t)
        first = oracle.gradient(x)

        def see(g: Tensor) -> None:
            for p, view in zip(parameters, _split(g.clone(), oracle.shapes), strict=True):  # it may write into them
                p.grad = view

        @torch.enable_grad()
        def closure() -> Tensor:
            loss, g = first if torch.equal(new, x) else oracle.gradient(new)
            see(g)
            return loss

        see(first[1])
        if _asks(type(optimiser).step):
            optimiser.step(closure)  # type: ignore[arg-type]  # LBFGS wants the tensor, the base class a float
        else:
            optimiser.step()
        return new, _save(optimiser, parameters, state.t + 1), first[0]

    def _make(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        optimiser = self.factory(parameters)
        if not isinstance(optimiser, torch.optim.Optimizer):
            raise UsageError(
                f"the factory given to Torch returned {type(optimiser).__name__}, not a torch.optim.Optimizer; "
                "let it return one over the parameters it is given."
            )
        given = {id(p) for p in parameters}
        if not all(id(p) in given for group in optimiser.param_groups for p in group["params"]):
            raise UsageError(
                f"the {type(optimiser).__name__} made for Torch holds parameters other than those the factory was "
                "given, and would step those; build it over the factory's argument."
            )
        return optimiser


@functools.cache
def _asks(step: Callable[..., Any]) -> bool:
    """Whether a class's `step` takes a closure."""
    return len(inspect.signature(step).parameters) > 1


def _split(x: Tensor, shapes: list[tuple[int, ...]]) -> list[Tensor]:
    return [part.view(s) for part, s in zip(torch.split(x, [prod(s) for s in shapes]), shapes, strict=True)]


def _load(optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter], state: TorchState) -> None:
    for i, held in state.per_parameter.items():
        optimiser.state[parameters[int(i)]] = _copy(held)
    for group, options in zip(optimiser.param_groups, state.groups, strict=False):
        group.update(_copy(options))


def _save(optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter], t: int) -> TorchState:
    held = {}
    for i, p in enumerate(parameters):
        if p in optimiser.state:
            if not _is_plain(optimiser.state[p]):
                raise UsageError(
                    f"{type(optimiser).__name__} keeps more than tensors, numbers, lists and dicts in its state, "
                    "which a checkpoint cannot hold; use another optimiser."
                )
            held[str(i)] = _copy(optimiser.state[p])
    options = [{k: _copy(v) for k, v in g.items() if k != "params" and _is_plain(v)} for g in optimiser.param_groups]
    return TorchState(t, held, options)


def _is_plain(tree: Any) -> bool:
    if isinstance(tree, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in tree.items())
    if type(tree) in (list, tuple):
        return all(map(_is_plain, tree))
    return tree is None or isinstance(tree, (Tensor, bool, int, float, str))


def _copy(tree: Any) -> Any:
    """The same tree with tensors of its own: the optimiser steps in place, a state is never written to."""
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    if isinstance(tree, dict):
        return {k: _copy(v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(map(_copy, tree))
    return tree
