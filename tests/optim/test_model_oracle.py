"""The oracle of a real module: derivatives against closed forms, what it refuses, and what it leaves in memory."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from springline.errors import UsageError
from springline.models import MnistNet
from springline.optim.adahessian import AdaHessian
from springline.optim.sgd import SGD
from springline.tasks.layout import Layout
from springline.tasks.oracle import ModelOracle


def cross_entropy(model: nn.Module, batch: Any) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def images(size: int = 8) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(3)
    return torch.randn(size, 1, 28, 28, generator=g), torch.randint(10, (size,), generator=g)


def made(module: nn.Module, loss: Any) -> tuple[ModelOracle, Tensor]:
    layout = Layout(module)
    return ModelOracle(layout, loss), layout.read()[0]


def test_least_squares_has_its_closed_form() -> None:
    """f(w) = ½ mean (Xw − y)²: g = Xᵀ(Xw − y)/n, H = XᵀX/n, at any x, for several probes on one graph."""
    torch.manual_seed(0)
    data, target = torch.randn(20, 5, dtype=torch.float64), torch.randn(20, dtype=torch.float64)
    module = nn.Linear(5, 1, bias=False, dtype=torch.float64)
    oracle, _ = made(module, lambda m, b: 0.5 * (m(b[0])[:, 0] - b[1]).square().mean())
    oracle.see((data, target), key=0)
    probes = torch.randn(3, 5, dtype=torch.float64)
    for w in torch.randn(2, 5, dtype=torch.float64):
        loss, g, products = oracle.curvature(w, probes)
        residual = data @ w - target
        torch.testing.assert_close(loss, 0.5 * residual.square().mean())
        torch.testing.assert_close(g, data.T @ residual / 20)
        torch.testing.assert_close(products, probes @ (data.T @ data / 20))
        assert torch.equal(oracle.gradient(w)[1], g)
        assert torch.equal(oracle.gradient(w)[0], loss)
        assert torch.equal(oracle.loss(w), loss)


def test_products_of_a_network_are_the_slope_of_its_gradient() -> None:
    torch.manual_seed(0)
    oracle, x = made(MnistNet().double(), cross_entropy)
    data, target = images()
    oracle.see((data.double(), target), key=0)
    z = torch.randn(1, len(x), dtype=torch.float64)
    h = 1e-6
    slope = (oracle.gradient(x + h * z[0])[1] - oracle.gradient(x - h * z[0])[1]) / (2 * h)
    torch.testing.assert_close(oracle.curvature(x, z)[2][0], slope, rtol=1e-4, atol=1e-6)


def test_answers_repeat_and_depend_on_the_key_only() -> None:
    """Dropout draws from the key, not from what was asked before or from torch's own seed."""
    torch.manual_seed(0)
    oracle, x = made(nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10)), cross_entropy)
    z = torch.ones(1, len(x))
    first = oracle.see(images(), key=5).curvature(x, z)
    torch.manual_seed(99)
    oracle.gradient(x + 1)
    again, other = oracle.curvature(x, z), oracle.see(images(), key=6).curvature(x, z)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert torch.equal(oracle.see(images(), key=5).gradient(x)[1], first[1])
    assert not torch.equal(first[1], other[1])


def test_frozen_and_unused_parameters() -> None:
    """A frozen parameter is no part of x; an unused one has gradient and curvature zero."""
    module = nn.ModuleDict({"frozen": nn.Linear(2, 2), "used": nn.Linear(2, 2), "unused": nn.Linear(2, 2)})
    module["frozen"].requires_grad_(False)
    oracle, x = made(module, lambda m, b: m["used"](m["frozen"](b[0])).square().mean())
    assert len(x) == 12
    _, g, (hz,) = oracle.see((torch.ones(3, 2),), key=0).curvature(x, torch.ones(1, 12))
    assert g[:6].count_nonzero() == 6
    assert hz[:6].count_nonzero() > 0
    assert g[6:].count_nonzero() == hz[6:].count_nonzero() == 0


class Shared(nn.Module):
    """One weight at two places, batch norm and dropout: all that a second forward pass could get wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.norm, self.drop = nn.BatchNorm1d(6), nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.drop(self.norm(self.second(self.first(x).tanh())))
        return out


def both_ways(loss: Any, forwards: bool) -> tuple[list[Tensor], list[Tensor], ModelOracle]:
    torch.manual_seed(0)
    module = Shared().double()
    oracle, x = made(module, loss)
    z = torch.randn(1, len(x), dtype=torch.float64)
    if not forwards:
        oracle._forwards = False
    oracle.see((torch.randn(16, 6, dtype=torch.float64), torch.randint(6, (16,))), key=3)
    return [*oracle.curvature(x, z)], [b.clone() for b in module.buffers()], oracle


def test_forward_over_reverse_is_double_backward() -> None:
    """Loss, gradient, product and every buffer, and the module has its own parameters back."""
    fast, buffers, oracle = both_ways(cross_entropy, forwards=True)
    slow, slow_buffers, _ = both_ways(cross_entropy, forwards=False)
    assert oracle._forwards, "it fell back"
    for a, b in zip((*fast, *buffers), (*slow, *slow_buffers), strict=True):
        torch.testing.assert_close(a, b)
    assert all(isinstance(p, nn.Parameter) for p in oracle.layout.module.parameters())
    assert oracle.layout.module.second.weight is oracle.layout.module.first.weight


def test_a_target_under_no_grad_keeps_its_tangent_out() -> None:
    """`no_grad` holds back gradients but not tangents: forward over reverse would differ, and is not used."""

    def semi(model: nn.Module, batch: Any) -> Tensor:
        with torch.no_grad():
            target = model(batch[0]).roll(1, 0)
        return F.mse_loss(model(batch[0]), target)

    fast, buffers, oracle = both_ways(semi, forwards=True)
    slow, slow_buffers, _ = both_ways(semi, forwards=False)
    assert oracle._forwards is False
    assert all(torch.equal(a, b) for a, b in zip((*fast, *buffers), (*slow, *slow_buffers), strict=True))


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return torch.mul(2 * g, ctx.saved_tensors[0])


def once(model: nn.Module, batch: Any) -> Tensor:
    squares: Tensor = Once.apply(model(batch[0]))  # type: ignore[no-untyped-call]
    return squares.mean()


def no_double_backward(model: nn.Module, batch: Any) -> Tensor:
    """The loss of an operation that torch can differentiate once only."""
    return F.ctc_loss(
        model(batch[0]).reshape(4, 1, 3).log_softmax(-1), torch.tensor([[1]]), torch.tensor([4]), torch.tensor([1])
    )


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (lambda m, b: m(b[0]).mean(), "no second derivative"),  # linear: the graph shows it
        (lambda m, b: m(b[0]).abs().mean(), "no second derivative"),  # H z = 0: only the numbers show it
        (once, "marked once_differentiable"),
        (lambda m, b: once(m, b) + m.weight.square().sum(), "marked once_differentiable"),  # one term of several
        (no_double_backward, "not twice differentiable"),
    ],
    ids=["linear", "piecewise", "once", "once-inside", "ctc"],
)
def test_a_loss_that_is_not_twice_differentiable(loss: Any, sentence: str) -> None:
    torch.manual_seed(0)
    oracle, x = made(nn.Linear(4, 3, bias=False), loss)
    oracle.see((torch.randn(4, 4),), key=1)
    SGD().step(x, SGD().init(x), oracle)  # a first-order optimiser takes it
    with pytest.raises(UsageError) as refused:
        AdaHessian().step(x, AdaHessian().init(x), oracle)
    assert sentence in str(refused.value)
    assert "use a first-order optimiser" in str(refused.value)


def test_the_oracle_itself_says_that_there_is_no_curvature() -> None:
    oracle, x = made(nn.Linear(4, 3), lambda m, b: m(b[0]).mean())
    with pytest.raises(UsageError, match="its gradient does not depend on the parameters"):
        oracle.see((torch.ones(4, 4),), key=0).curvature(x, torch.ones(1, 15))


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (lambda m, b: m(b[0]), r"tensor of shape \(8, 10\), not a scalar; reduce it"),
        (lambda m, b: 1.0, "returned float, not a scalar"),
        (lambda m, b: m(b[0]).detach().mean(), "does not depend on the model's parameters"),
    ],
)
def test_a_loss_that_is_no_loss(loss: Any, sentence: str) -> None:
    oracle, x = made(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), loss)
    with pytest.raises(UsageError, match=sentence):
        oracle.see(images(), key=0).gradient(x)


def test_other_errors_keep_their_own_words() -> None:
    oracle, x = made(nn.Linear(3, 2), cross_entropy)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        oracle.see((torch.zeros(4, 5), torch.zeros(4).long()), key=0).curvature(x, torch.ones(1, 8))


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def test_no_graph_is_held_after_a_step() -> None:
    """1,000 AdaHessian steps: the same tensors alive after each hundred, and no more memory."""
    torch.manual_seed(0)
    oracle, x = made(nn.Sequential(nn.Conv2d(1, 4, 9), nn.ReLU(), nn.Flatten(), nn.Linear(1600, 10)), cross_entropy)
    batch, optimiser = images(4), AdaHessian(1e-3)
    state = optimiser.init(x)
    gc.collect()
    gc.disable()  # what only the cycle collector can free counts as held
    try:
        alive, memory = [], []
        for t in range(1000):
            x, state, _ = optimiser.step(x, state, oracle.see(batch, key=t))
            if t % 100 == 99:
                alive.append(sum(type(o) in (Tensor, nn.Parameter) for o in gc.get_objects()))
                memory.append(resident())
    finally:
        gc.enable()
    assert len(set(alive)) == 1, alive
    assert memory[-1] - memory[1] < 4 << 20, memory
