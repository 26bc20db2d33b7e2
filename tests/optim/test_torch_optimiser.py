"""The adapter against torch's own loop, bit for bit, on a real network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from springline.errors import UsageError
from springline.optim.schedule import StepDecay
from springline.optim.torch_optimiser import Torch
from springline.state import flatten, unflatten
from springline.tasks.layout import Layout
from springline.tasks.oracle import ModelOracle

from .support import full_quadratic, start, walk

Batch = tuple[Tensor, Tensor]


def loss_fn(model: nn.Module, batch: Any) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def network(bias: bool = True) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8, bias), nn.Tanh(), nn.Linear(8, 3, bias))


def batches(steps: int) -> list[Batch]:
    g = torch.Generator().manual_seed(1)
    return [(torch.randn(16, 6, generator=g), torch.randint(3, (16,), generator=g)) for _ in range(steps)]


def plain(module: nn.Module, factory: Callable[..., torch.optim.Optimizer], data: list[Batch]) -> list[Tensor]:
    optimiser, xs = factory(list(module.parameters())), []
    for batch in data:

        def closure(batch: Batch = batch) -> Tensor:
            optimiser.zero_grad()
            loss = loss_fn(module, batch)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimiser.step(closure)  # type: ignore[arg-type]
        xs.append(torch.cat([p.detach().flatten() for p in module.parameters()]))
    return xs


def grouped(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [{"params": parameters[::2], "lr": 0.3}, {"params": parameters[1::2]}]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.5)


FACTORIES: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": torch.optim.Adam,
    "adamw": partial(torch.optim.AdamW, lr=1e-2, amsgrad=True),
    "rmsprop": partial(torch.optim.RMSprop, momentum=0.5, centered=True),
    "adagrad": torch.optim.Adagrad,
    "adafactor": torch.optim.Adafactor,  # looks at each parameter's shape
    "lbfgs": partial(torch.optim.LBFGS, max_iter=4, history_size=3, line_search_fn="strong_wolfe"),
    "groups": grouped,
}
if hasattr(torch.optim, "Muon"):
    FACTORIES["muon"] = partial(torch.optim.Muon, lr=1e-2)  # 2-D parameters only


@pytest.mark.parametrize("name", FACTORIES)
def test_it_is_torch_s_own_loop_even_through_a_checkpoint(name: str) -> None:
    module = network(bias=name != "muon")
    expected = plain(copy.deepcopy(module), FACTORIES[name], batches(7))
    layout = Layout(module)
    oracle, optimiser = ModelOracle(layout, loss_fn), Torch(FACTORIES[name])
    x, _ = layout.read()
    state = optimiser.init(x)
    for t, batch in enumerate(batches(7)):
        x, state, loss = optimiser.step(x, state, oracle.see(batch, key=t))
        assert torch.equal(x, expected[t]), f"step {t}"
        assert loss.ndim == 0
        state = unflatten(*flatten(state))
    assert state.t == 7


def test_the_loss_is_that_of_the_point_left_behind() -> None:
    oracle, x = full_quadratic(4), start(4)
    optimiser = Torch(partial(torch.optim.LBFGS, max_iter=5))
    assert optimiser.step(x, optimiser.init(x), oracle)[2] == oracle.loss(x)


@pytest.mark.parametrize("name", sorted(set(FACTORIES) - {"muon"}))
def test_states_are_never_written_to(name: str) -> None:
    oracle, optimiser = full_quadratic(6), Torch(FACTORIES[name])
    _, state = walk(optimiser, oracle, start(6), 3)
    x = start(6)
    tensors, rest = flatten(state)
    before = x.clone(), {k: v.clone() for k, v in tensors.items()}, copy.deepcopy(rest)
    one = optimiser.step(x, state, oracle)
    two = optimiser.step(x, state, oracle)
    assert torch.equal(x, before[0])
    assert all(torch.equal(v, before[1][k]) for k, v in flatten(state)[0].items())
    assert flatten(state)[1] == before[2]
    assert torch.equal(one[0], two[0])
    storages = [t.untyped_storage().data_ptr() for t in flatten(one[1])[0].values()]
    assert len(set(storages)) == len(storages)  # each tensor of a state has its own memory, as safetensors wants


def test_lr_replaces_that_of_every_group() -> None:
    oracle, x = full_quadratic(5), start(5)
    rate = StepDecay(0.1, (2, 4))
    ours, _ = walk(Torch(partial(torch.optim.SGD, lr=9.0), lr=rate), oracle, x, 6)
    for t in range(6):
        x = x - rate(t) * oracle.gradient(x)[1]
        torch.testing.assert_close(ours[t], x, rtol=1e-12, atol=1e-12)


def test_options_that_the_optimiser_changes_are_state() -> None:
    class Counting(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            for group in self.param_groups:
                group["count"] = group.get("count", 0) + 1
            return super().step(closure)

    _, state = walk(Torch(partial(Counting, lr=0.1)), full_quadratic(3), start(3), 5)
    assert state.groups[0]["count"] == 5


class Plain(torch.optim.SGD):
    """SGD that takes no closure."""

    def step(self) -> None:  # type: ignore[override]
        torch.optim.SGD.step(self)


class Deaf(torch.optim.SGD):
    """SGD that takes a closure and does not ask it."""

    def step(self, closure: Any = None) -> Any:
        return super().step()


class Careless(torch.optim.SGD):
    """SGD that asks without gradients turned on, as it would before torch had `enable_grad`."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure()
        super().step()
        return loss


class Wiping(torch.optim.SGD):
    """SGD that writes zeros into the gradients before it asks for them."""

    def step(self, closure: Any = None) -> Any:
        self.zero_grad(set_to_none=False)
        return super().step(closure)


@pytest.mark.parametrize("kind", [Plain, Deaf, Careless, Wiping])
def test_however_it_asks_it_is_sgd(kind: type[torch.optim.SGD]) -> None:
    layout = Layout(network())
    oracle, (x, _) = ModelOracle(layout, loss_fn), layout.read()
    expected, found = Torch(partial(torch.optim.SGD, lr=0.1)), Torch(partial(kind, lr=0.1))
    oracle.see(batches(1)[0], key=0)
    one = expected.step(x, expected.init(x), oracle)
    two = found.step(x, found.init(x), oracle)
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[2], two[2])
    assert not torch.equal(two[0], x)


def test_an_ascent_before_it_asks() -> None:
    """Sharpness-aware: up along the gradient at x, and down from x by the gradient found there."""

    class Sharp(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure: Any = None) -> Any:
            (p,) = self.param_groups[0]["params"]
            up = 0.05 * p.grad
            p.add_(up)
            closure()
            p.sub_(up)
            return super().step()

    oracle, x = full_quadratic(3), start(3)
    found, _, loss = (optimiser := Torch(partial(Sharp, lr=0.1))).step(x, optimiser.init(x), oracle)
    g = oracle.gradient(x)[1]
    torch.testing.assert_close(found, x - 0.1 * oracle.gradient(x + 0.05 * g)[1])
    assert loss == oracle.loss(x)


def test_one_gradient_for_a_step() -> None:
    asked = []

    class Counted(ModelOracle):
        def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
            asked.append(1)
            return super().gradient(x)

    layout = Layout(network())
    oracle, optimiser = Counted(layout, loss_fn), Torch(torch.optim.Adam)
    x, _ = layout.read()
    optimiser.step(x, optimiser.init(x), oracle.see(batches(1)[0], key=0))
    assert len(asked) == 1


def test_what_is_refused() -> None:
    oracle, x = full_quadratic(3), start(3)
    p = nn.Parameter(torch.zeros(3))
    with pytest.raises(UsageError, match="given a SGD, not a function that makes an optimiser"):
        Torch(torch.optim.SGD([p], lr=0.1))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"returned list, not a torch\.optim\.Optimizer"):
        walk(Torch(lambda parameters: parameters), oracle, x, 1)  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match="other than those the factory was given"):
        walk(Torch(lambda parameters: torch.optim.SGD([p], lr=0.1)), oracle, x, 1)
    with pytest.raises(UsageError, match="lr=-1 is not a positive number"):
        Torch(torch.optim.Adam, lr=-1)

    class Odd(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            self.state[self.param_groups[0]["params"][0]]["what"] = object()

    with pytest.raises(UsageError, match="which a checkpoint cannot hold"):
        walk(Torch(partial(Odd, lr=0.1)), oracle, x, 1)
