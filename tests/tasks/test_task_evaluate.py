"""Evaluation asks the model once per batch, and says what asking it anew would say."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from springline import Task
from springline.tasks.base import evaluate


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.calls = nn.Linear(3, 2), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        out: Tensor = self.linear(x)
        return out


def spoiling(model: nn.Module, batch: Any) -> dict[str, Tensor]:
    """Metrics that write into what the model said."""
    return {"largest": model(batch[0]).mul_(2).max(-1).values.sum()}


def shifted(model: nn.Module, batch: Any) -> Tensor:
    return F.cross_entropy(model(batch[0] + 1), batch[1])


def same(model: nn.Module, batch: Any) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


@pytest.mark.parametrize(("loss", "asked"), [(same, 1), (shifted, 2)])
def test_a_batch_is_seen_once_by_metrics_and_loss(loss: Any, asked: int) -> None:
    torch.manual_seed(0)
    data = (torch.randn(10, 3), torch.randint(2, (10,)))
    task = Task("t", Counting, loss, train=data, test=data, metrics=spoiling, eval_batch=4)
    model = Counting()
    assert task.test is not None
    found = evaluate(task, model, task.test)
    assert model.calls == 3 * asked
    assert "forward" not in model.__dict__
    with torch.no_grad():
        assert found["loss"] == pytest.approx(float(loss(model, data)), rel=1e-6)
        assert found["largest"] == pytest.approx(float((2 * model(data[0])).max(-1).values.mean()), rel=1e-6)
