"""The ranges of the knobs that several optimisers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from springline.errors import UsageError

if TYPE_CHECKING:
    from springline.optim.schedule import Rate

LARGEST = 1e38  # of float32, about


def check_lr(lr: Rate | float) -> None:
    """A schedule has checked its own."""
    if not callable(lr) and not (_number(lr) and 0 < lr < LARGEST):
        raise UsageError(f"learning rate lr={lr} is not a positive number that float32 holds; choose for example 0.01.")


def check_momentum(momentum: float) -> None:
    if not (_number(momentum) and 0 <= momentum < 1):
        raise UsageError(f"momentum={momentum} is outside [0, 1); at 1 and above the velocity never decays.")


def check_weight_decay(weight_decay: float) -> None:
    if not (_number(weight_decay) and weight_decay >= 0):
        raise UsageError(f"weight_decay={weight_decay} is not a number ≥ 0; choose weight_decay ≥ 0.")


def _number(value: object) -> bool:
    return hasattr(value, "__float__")
