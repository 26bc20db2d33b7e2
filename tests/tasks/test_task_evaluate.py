"""Evaluation asks the model once per batch, and says what asking it anew would say."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import springline
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


class Viewing(nn.Module):
    """Flattens with `view`, which needs memory in the usual order."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 4, 3), nn.Linear(4 * 6 * 6, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.conv(x).view(len(x), -1))
        return out


def test_a_model_that_views_its_activations_is_evaluated() -> None:
    data = (torch.randn(20, 3, 8, 8), torch.randint(2, (20,)))
    task = Task("t", Viewing, same, train=data, test=data, metrics=springline.classification)
    assert springline.train(task, "easgd", workers=2, rounds=1, batch_size=4).test_accuracy is not None


def test_samples_are_picked_on_the_cpu_whatever_the_default_device_is() -> None:
    """Data lie there, and a script that computes elsewhere may have said so to torch."""
    data = (torch.randn(10, 3), torch.randint(2, (10,)))
    task = Task("t", Counting, same, train=data, eval_batch=4)
    model = Counting()
    expected = evaluate(task, model, task.train)
    with torch.device("meta"):
        assert evaluate(task, model, task.train) == expected
