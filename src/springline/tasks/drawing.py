"""The generators that belong to nobody: those of torch, numpy and Python, from which a user's functions may draw."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_torch(number: int) -> None:
    """Let torch's of the CPU begin at a number of 63 bits."""
    torch.default_generator.manual_seed(number)  # torch.manual_seed costs a hundred times as much


def seed_all(number: int) -> None:
    """Let those of the CPU begin at a number of 63 bits."""
    seed_torch(number)
    random.seed(number)
    np.random.seed(number & 0xFFFFFFFF)  # noqa: NPY002 (it is this one that old data sets draw from)


@contextmanager
def unseen(device: str) -> Iterator[None]:
    """Leave them as they were, torch's on this device and those that are in use too."""
    python, array = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices: list[int | str] = [device] if torch.device(device).type == "cuda" else []
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(array)  # noqa: NPY002
