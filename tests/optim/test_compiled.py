"""The compiled oracle beside the readable one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from springline.errors import UsageError
from springline.tasks.layout import Layout
from springline.tasks.oracle import ModelOracle

# torch's own compiler processes are still running when their handles are collected
pytestmark = pytest.mark.filterwarnings(
    "ignore:subprocess .* is still running:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


class Net(nn.Module):
    """Batch norm writes into its buffers, dropout draws."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm, self.two = nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(F.dropout(torch.tanh(self.norm(self.one(x))), 0.25, self.training))  # type: ignore[no-any-return]


def cross_entropy(model: nn.Module, batch: Any) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def batch() -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(1)
    return torch.randn(16, 6, generator=g), torch.randint(3, (16,), generator=g)


def answers(compiled: bool, key: int) -> tuple[list[Tensor], list[Tensor], ModelOracle]:
    torch.manual_seed(0)
    layout = Layout(Net())
    oracle = ModelOracle(layout, cross_entropy, compiled=compiled).see(batch(), key)
    x, _ = layout.read()
    z = torch.randn(1, len(x), generator=torch.Generator().manual_seed(2))
    return [*oracle.curvature(x, z)], list(layout.module.buffers()), oracle


def test_compiled_answers_are_the_eager_ones() -> None:
    """To rounding, buffers included; equal bytes when asked again, other ones under another key."""
    eager, eager_buffers, _ = answers(compiled=False, key=5)
    first, buffers, oracle = answers(compiled=True, key=5)
    again, again_buffers, _ = answers(compiled=True, key=5)
    assert oracle._compiled is not None, "it fell back"
    for a, b in zip((*first, *buffers), (*eager, *eager_buffers), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip((*first, *buffers), (*again, *again_buffers), strict=True))
    x, _ = oracle.layout.read()
    z = torch.randn(1, len(x), generator=torch.Generator().manual_seed(2))
    assert not torch.allclose(first[1], oracle.see(batch(), key=6).curvature(x, z)[1])


def test_the_gradient_alone_and_another_thread_count() -> None:
    """Code for two threads is made anew: what was made for one would sum wrongly."""
    layout = Layout(nn.Linear(6, 3))
    x, _ = layout.read()
    eager = ModelOracle(layout, cross_entropy).see(batch(), key=0).gradient(x)
    oracle = ModelOracle(layout, cross_entropy, compiled=True).see(batch(), key=0)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            for a, b in zip(oracle.gradient(x), eager, strict=True):
                torch.testing.assert_close(a, b)
    finally:
        torch.set_num_threads(threads)
    assert oracle._compiled is not None, "it fell back"


def test_it_goes_on_without_compiling_and_says_so() -> None:
    """A loss that cannot be traced: one warning, the eager answer, and no second attempt."""

    def untraceable(model: nn.Module, batch: Any) -> Tensor:
        loss = cross_entropy(model, batch)
        return loss if float(loss.detach()) > 0 else loss * 2

    layout = Layout(nn.Linear(6, 3))
    x, _ = layout.read()
    oracle = ModelOracle(layout, untraceable, compiled=True).see(batch(), key=0)
    with pytest.warns(UserWarning, match=r"torch\.compile failed .*; going on without it"):
        loss, g = oracle.gradient(x)
    expected = ModelOracle(layout, untraceable).see(batch(), key=0).gradient(x)
    assert torch.equal(loss, expected[0])
    assert torch.equal(g, expected[1])
    oracle.gradient(x)


def test_the_user_s_own_error_comes_out_in_its_own_words() -> None:
    layout = Layout(nn.Linear(6, 3))
    oracle = ModelOracle(layout, lambda m, b: m(b[0]), compiled=True).see(batch(), key=0)
    with pytest.raises(UsageError, match="not a scalar"):
        oracle.gradient(layout.read()[0])
