"""Where a job's tensors live, checked before anything is built there."""

from __future__ import annotations

import os

import torch

from springline.errors import UsageError


def check_device(text: str) -> None:
    """Raises UsageError for a device that PyTorch does not know, or that this machine does not have."""
    try:
        device = torch.device(text)
    except RuntimeError:
        raise UsageError(f"unknown device {text!r}; choose cpu, cuda, or one GPU as in cuda:1.") from None
    if device.type == "cuda":  # counted, not tried: what forks afterwards must find CUDA untouched
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            there = f"{count} GPUs, cuda:0 to cuda:{count - 1}" if count > 1 else "one GPU, cuda:0" if count else "none"
            raise UsageError(f"device={text}: of GPUs that PyTorch can use this machine has {there}; use one that "
                             "there is, or device=cpu.")  # fmt: skip
    elif device.type != "cpu":
        try:
            torch.zeros(1, device=device).item()
        except (RuntimeError, AssertionError, NotImplementedError):
            raise UsageError(f"device={text}: PyTorch on this machine cannot use it; choose device=cpu.") from None


def one_gpu(k: int, count: int) -> dict[str, str]:
    """What the environment of the k-th process has to hold so that it sees one GPU of the `count` that this process may
    use; they are dealt out in turn, and where there is but one, nothing has to be said.
    """
    if count < 2:
        return {}
    ours = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return {"CUDA_VISIBLE_DEVICES": (ours or [str(n) for n in range(count)])[k % count]}
