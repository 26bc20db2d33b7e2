"""Learning rates as functions of a clock.

    η_t = rate(t)

The clock t counts the steps of whoever applies η: a worker's own local steps, or the center's updates. Each schedule
scales what stands in its `eta`, a number or another schedule on the same clock, so a warm-up and a decay compose:
`WarmUp(StepDecay(0.1, (1000, 2000)), steps=500, workers=8)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass
from math import inf, sqrt

from springline.errors import UsageError, unknown
from springline.optim.checks import check_lr


class Rate(ABC):
    """A learning rate that changes with its clock; frozen and comparable."""

    @abstractmethod
    def __call__(self, t: int) -> float:
        """η_t for clock t = 0, 1, 2, …"""


def at(rate: Rate | float, t: int) -> float:
    """η_t of a rate, or the number itself."""
    return rate(t) if isinstance(rate, Rate) else rate


@dataclass(frozen=True)
class WarmUp(Rate):
    """η_t = η · (1/N + (1 − 1/N) · t/steps) for t < steps, then η: linear from η/N, safe for N workers at once.

    eta: η > 0.  steps: ≥ 1.  workers: N ≥ 1.
    """

    eta: Rate | float
    steps: int
    workers: int

    def __post_init__(self) -> None:
        check_lr(self.eta)
        if self.steps < 1:
            raise UsageError(f"warm-up of steps={self.steps} is shorter than one step; leave the warm-up out instead.")
        if self.workers < 1:
            raise UsageError(f"warm-up from η/{self.workers}: give the number of workers N ≥ 1.")

    def __call__(self, t: int) -> float:
        low = 1 / self.workers
        return at(self.eta, t) * (low + (1 - low) * t / self.steps if t < self.steps else 1.0)


@dataclass(frozen=True)
class StepDecay(Rate):
    """η_t = η · factor^n, n the number of milestones ≤ t.

    eta: η > 0.  milestones: clock times ≥ 1, rising.  factor: in (0, 1].
    """

    eta: Rate | float
    milestones: tuple[int, ...]
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_lr(self.eta)
        rising = all(a < b for a, b in zip((0, *self.milestones), self.milestones, strict=False))
        if not self.milestones or not rising:
            raise UsageError(
                f"step decay at milestones {self.milestones}: give at least one, all ≥ 1 and rising, as in 1000,2000."
            )
        if not 0 < self.factor <= 1:
            raise UsageError(f"step decay by factor={self.factor} is outside (0, 1]; the usual factor is 0.1.")

    def __call__(self, t: int) -> float:
        return float(at(self.eta, t) * self.factor ** bisect_right(self.milestones, t))


@dataclass(frozen=True)
class InverseRoot(Rate):
    """η_t = η / √(1 + γ t).

    eta: η > 0.  gamma: γ ≥ 0 per clock tick; the rate has halved at t = 3/γ.
    Reference: Zhang, Distributed stochastic optimization for deep learning.
    """

    eta: Rate | float
    gamma: float

    def __post_init__(self) -> None:
        check_lr(self.eta)
        if not 0 <= self.gamma < inf:
            raise UsageError(f"inverse-root decay with gamma={self.gamma}: give γ ≥ 0, for example 1e-4.")

    def __call__(self, t: int) -> float:
        return at(self.eta, t) / sqrt(1 + self.gamma * t)


FORMS = {"warmup": "warmup:STEPS[,workers=N]", "step": "step:FACTOR@T,T,…", "inverse-root": "inverse-root:GAMMA"}


def parse(text: str, eta: float, workers: int = 1, per_epoch: int | None = None) -> Rate | float:
    """The schedule of rate `eta` that `text` describes: parts joined by +, on one clock; empty text is eta itself.

        warmup:500                  from η/workers to η over 500 ticks
        warmup:500,workers=8        from η/8
        step:0.1@1000,2000          times 0.1 at ticks 1000 and 2000
        inverse-root:1e-4           η/√(1 + 1e-4 t)
        warmup:5e+step:0.1@80e,120e an e after a time means epochs, of `per_epoch` ticks each

    Raises UsageError for a name that is not in `FORMS`, or a part that does not have its form.
    """
    rate: Rate | float = eta
    check_lr(eta)
    parts = text.replace(" ", "").split("+") if text else []
    if sum(part.startswith("warmup:") for part in parts) > 1:
        raise UsageError(f"schedule {text!r} warms up twice; leave one warmup in it.")
    for part in parts:
        name, _, body = part.partition(":")
        if name not in FORMS:
            raise unknown("schedule", name, list(FORMS))
        try:
            if name == "warmup":
                steps, _, count = body.partition(",workers=")
                rate = WarmUp(rate, _ticks(steps, per_epoch), int(count) if count else workers)
            elif name == "step":
                factor, _, times = body.partition("@")
                milestones = tuple(_ticks(t, per_epoch) for t in times.split(","))
                rate = StepDecay(rate, milestones, float(factor))
            else:
                rate = InverseRoot(rate, float(body))
        except UsageError:
            raise
        except ValueError:
            raise UsageError(
                f"schedule {part!r} does not have the form {FORMS[name]}, where times are numbers of ticks, or of "
                "epochs, as 5e."
            ) from None
    return rate


def _ticks(text: str, per_epoch: int | None) -> int:
    if not text.endswith("e"):
        return int(text)
    if per_epoch is None:
        raise UsageError(f"the time {text} counts epochs, whose length is not known here; give it in steps.")
    return round(float(text[:-1]) * per_epoch)
