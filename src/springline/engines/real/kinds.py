"""A dtype as the text that plans and greetings hold, and back."""

from __future__ import annotations

import torch


def written(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")


def kind_of(text: str) -> torch.dtype:
    found = getattr(torch, text)
    assert isinstance(found, torch.dtype)
    return found
