"""What a worker does between two exchanges: pure steps on the flat parameter vector x [P].

A local optimiser never sees a model or a batch. It asks an `Oracle`, which answers for this step's mini-batch at any
x it is given; look-ahead and curvature are thereby the optimiser's own business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor

from springline.optim.schedule import Rate


class Oracle(Protocol):
    """One mini-batch, asked at any x [P]."""

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the parameters that x holds one after the other."""
        ...

    @property
    def key(self) -> int:
        """An integer that no other worker and step has: the seed of whatever the step draws."""
        ...

    def loss(self, x: Tensor) -> Tensor:
        """f(x), a scalar without a graph."""
        ...

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """f(x) and g = ∇f(x) [P]."""
        ...

    def curvature(self, x: Tensor, probes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """f(x), g [P] and the Hessian-vector products H z [K, P] for probes z [K, P], all on one batch."""
        ...


def decayed(g: Tensor, x: Tensor, weight_decay: float) -> Tensor:
    """g + λ x, the gradient with l2 regularisation."""
    return g.add(x, alpha=weight_decay) if weight_decay else g


class Optimiser(ABC):
    """A frozen description of a local optimiser; everything that moves lives in the state it returns.

    lr: the learning rate η, a number or a `Rate` of the worker's own step count; None where somebody else holds it.
    late: modules that torch imports only at the first step, which takes seconds; a process that is forked again and
        again finds them there.
    """

    hands_over: ClassVar[Literal["position", "gradient"]] = "position"
    late: ClassVar[tuple[str, ...]] = ()
    lr: Rate | float | None

    @abstractmethod
    def init(self, x: Tensor) -> Any:
        """The state before the first step; its first field is the step count t = 0."""

    @abstractmethod
    def step(self, x: Tensor, state: Any, oracle: Oracle) -> tuple[Tensor, Any, Tensor]:
        """One local step: (x, state) -> (new x, new state, loss at the point the gradient was taken)."""

    def output(self, x: Tensor, state: Any) -> Tensor:
        """What the worker hands to its coupling after τ steps: its position x, unless it is a gradient it carries."""
        return x
