"""The guard: how it estimates curvature, that it changes nothing, when it keeps quiet."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import springline
from springline import METHODS, StabilityWarning, Task, UsageError, load_task
from springline.engines.job import Job
from springline.guard import Theory, advise_method, largest_curvature, theory_of
from springline.guard.watch import typical_rate, unstable
from springline.optim.schedule import StepDecay, WarmUp
from springline.scenario import Star, Tree
from springline.tasks.quadratic import Quadratic
from springline.theory import Setting, advise, warning


def job(task: Task, name: str = "easgd", **kw: object) -> Job:
    return Job(task, METHODS[name], **({"workers": 2, "batch_size": 16} | kw))  # type: ignore[arg-type]


class Point(nn.Module):
    def __init__(self, x: float = 0.5) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.full((4,), x))


def custom(loss: object) -> Task:
    return Task("custom", Point, loss, train=torch.arange(64.0))  # type: ignore[arg-type]


@pytest.mark.parametrize("dense", [False, True])
def test_curvature_of_a_quadratic_is_its_largest_eigenvalue(dense: bool) -> None:
    recipe = Quadratic(h=3.0, sigma=1.0, dim=12, condition=20.0, dense=dense)
    h = largest_curvature(job(recipe.load(lambda _: None)))
    top = float(np.linalg.eigvalsh(recipe.hessian().numpy())[-1]) if dense else 3.0
    assert h == pytest.approx(top, rel=0.03)  # it stops where a product changes it by less than a hundredth
    assert h <= top * (1 + 1e-12)


def test_curvature_of_a_network_against_its_hessian(blobs: Task) -> None:
    batch = 240  # all of the data, so that there is one Hessian
    h = largest_curvature(job(blobs, workers=1, batch_size=batch))
    module = blobs.build(0)
    names = [name for name, _ in module.named_parameters()]
    sizes = [p.numel() for p in module.parameters()]
    shapes = [p.shape for p in module.parameters()]

    def loss(flat: Tensor) -> Tensor:
        values = {n: v.view(s) for n, v, s in zip(names, flat.split(sizes), shapes, strict=True)}
        x, y = blobs.train.batch(torch.arange(batch))
        return nn.functional.cross_entropy(torch.func.functional_call(module, values, (x,)), y)

    flat = torch.cat([p.detach().reshape(-1) for p in module.parameters()])
    top = float(torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))[-1])
    assert h is not None
    assert 0.85 * top < h < top * (1 + 1e-6)  # power iteration comes from below


def test_a_run_has_the_same_bytes_with_and_without_it(tmp_path: Path, blobs: Task) -> None:
    centers = []
    for guard in (True, False):
        random.seed(1)
        np.random.seed(2)  # noqa: NPY002 (what a user's data set may draw from)
        torch.manual_seed(3)
        run = springline.train(blobs, "eamsgd", rounds=6, batch_size=16, out=tmp_path / str(guard), guard=guard)
        after = (random.random(), np.random.rand(), float(torch.rand(())))  # noqa: NPY002
        config = (tmp_path / str(guard) / "config.json").read_bytes()
        rows = [{k: v for k, v in row.items() if k != "wall_s"} for row in run.rows]
        centers.append((after, config, rows, {k: v.numpy().tobytes() for k, v in run.center.items()}))
    assert centers[0] == centers[1]


def test_it_draws_nothing_and_leaves_batch_norm_and_dropout_alone() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 1))

    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    task = Task("normed", model, lambda m, b: (m(b[0]) - b[1]).square().mean(), train=(x, x.sum(1, keepdim=True)))
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = largest_curvature(job(task, batch_size=16))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first is not None
    assert largest_curvature(job(task, batch_size=16)) == first  # a function of the job
    ends = [springline.train(task, "easgd", rounds=3, batch_size=8, guard=guard).center for guard in (True, False)]
    for name, value in ends[0].items():
        assert torch.equal(value, ends[1][name]), name


class Once(torch.autograd.Function):
    """A square that can be differentiated once."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)  # type: ignore[attr-defined]
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator, no-untyped-call]
    def backward(ctx: object, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return 2 * x * g


@pytest.mark.parametrize(
    "loss",
    [
        lambda m, b: m.x.square().sum() + Once.apply(m.x).sum(),  # torch would leave out the second term
        lambda m, b: m.x.abs().sum(),  # flat
        lambda m, b: m.x.sum(),  # without a second derivative
        lambda m, b: -m.x.square().sum(),  # curved downwards
        lambda m, b: (m.x.square() * float("nan")).sum(),
        lambda m, b: m.nothing,  # what is wrong here is better said by the run
    ],
)
def test_it_keeps_quiet_where_there_is_no_curvature(loss: object) -> None:
    assert largest_curvature(job(custom(loss))) is None
    assert unstable(job(custom(loss), "sgd", workers=1)) is None


def test_train_goes_on_and_can_be_told_not_to_look() -> None:
    loud = {"lr": 1.5, "workers": 1, "rounds": 3}
    with pytest.warns(StabilityWarning, match=r"^sgd with η = 1.5 diverges on a quadratic of curvature 2, by a factor"):
        run = springline.train("quadratic:h=2,sigma=0", "sgd", **loud)  # type: ignore[arg-type]
    assert run.rows[-1]["round"] == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        springline.train("quadratic:h=2,sigma=0", "sgd", guard=False, **loud)  # type: ignore[arg-type]


def test_the_warning_names_the_line_that_trains() -> None:
    with pytest.warns(StabilityWarning) as caught:
        springline.train("quadratic:h=2,sigma=0", "sgd", lr=1.5, workers=1, rounds=1)
    assert caught[0].filename == __file__


def test_what_is_usual_on_mnist_goes_without_a_warning(mnist: Task) -> None:
    curvatures = [largest_curvature(Job(mnist, METHODS["easgd"], seed=seed)) for seed in range(3)]
    for name, method in METHODS.items():
        topology = Tree(2) if method.coupling.topology == "tree" else Star()
        found = theory_of(method.example, method.coupling.most_workers or 4, 1, topology)
        for h in curvatures if isinstance(found, Theory) else []:
            assert h is not None
            assert isinstance(found, Theory)
            assert isinstance(found.rate, float), name
            assert warning(found.family, found.rate, found.at(h)) is None, name


def test_a_schedule_is_judged_by_its_median_rate() -> None:
    task = load_task("quadratic:h=2,sigma=0")
    short = StepDecay(1.5, (10,), 0.1)  # above the limit of 1 for 10 of 100 steps
    assert unstable(Job(task, METHODS["sgd"].with_(lr=short), workers=1)) is None
    long = StepDecay(1.5, (90,), 0.1)
    assert unstable(Job(task, METHODS["sgd"].with_(lr=long), workers=1)) is not None
    central = Job(task, METHODS["asgd"].with_(lr=WarmUp(0.4, 200, 4)), workers=4)  # 400 updates of the center
    assert typical_rate(WarmUp(0.4, 200, 4), central) == pytest.approx(0.4, rel=0.02)


def test_a_synchronous_round_is_one_tick_of_the_schedule() -> None:
    task = load_task("quadratic:h=2,sigma=0")
    rate = StepDecay(1.5, (90,), 0.1)  # above the limit of 1 for 90 of 100 updates of the center
    loud = Job(task, METHODS["ssgd"].with_(lr=rate), workers=4)
    assert typical_rate(rate, loud) == 1.5
    assert unstable(loud) is not None
    assert typical_rate(rate, Job(task, METHODS["asgd"].with_(lr=rate), workers=4)) == pytest.approx(0.15)


def test_what_would_keep_a_run_from_starting_is_left_out() -> None:
    task = load_task("quadratic:h=2,sigma=0")
    assert unstable(Job(task, METHODS["eamsgd"].with_(lr=9.0), workers=257, batch_size=1)) is None
    assert unstable(Job(task, METHODS["ssgd"].with_(lr=9.0), workers=257, batch_size=1)) is not None  # it has a formula


def test_weight_decay_adds_to_the_curvature() -> None:
    task = load_task("quadratic:h=2,sigma=0")
    decayed = METHODS["sgd"].with_(lr=0.9, weight_decay=0.5)
    assert "curvature 2.5" in str(unstable(Job(task, decayed, workers=1)))
    assert unstable(Job(task, decayed.with_(weight_decay=0.0), workers=1)) is None


def test_advice_puts_the_recommended_rates_into_the_method() -> None:
    found = advise_method(METHODS["easgd"], 9, 2, 4.0)
    assert found.advice.alpha == pytest.approx(0.1)
    assert found.method.coupling.weights.alpha == pytest.approx(0.1)  # type: ignore[attr-defined]
    theory = theory_of(found.method, 9, 2)
    assert isinstance(theory, Theory)
    assert found.advice.limit == advise("easgd", theory.at(4.0), recommend_rates=False).limit
    assert set(found.settings) == {"alpha", "lr"}
    kept = advise_method(METHODS["sync-easgd"].with_(alpha=0.2, beta=0.5), 4, 1, 1.0, keep=("alpha", "beta"))
    assert (kept.advice.alpha, kept.advice.beta) == (0.2, 0.5)
    assert advise_method(METHODS["sync-easgd"], 4, 1, 1.0).advice.alpha == pytest.approx(0.225)
    assert advise_method(METHODS["downpour"], 16, 1, 4.0).advice.limit == pytest.approx(2 * np.sin(np.pi / 62) / 4)
    with pytest.raises(UsageError, match=r"no theory of eahes: AdaHessian .* not linear; methods with one: easgd"):
        advise_method(METHODS["eahes"], 4, 1, 1.0)
    for h in (0.0, -1.0):
        with pytest.raises(UsageError, match=f"curvature = {h:g} must be positive"):
            advise_method(METHODS["sgd"].with_(weight_decay=0.5), 1, 1, h)


def test_a_sentence_says_what_to_do() -> None:
    text = warning("downpour", 0.1, Setting(workers=16, curvature=4.0), "adownpour")
    assert text is not None
    assert text.startswith("adownpour with η = 0.1, workers = 16, tau = 1 diverges on a quadratic of curvature 4")
    assert "use η < 0.0253 (a sum of τ gradients" in text


@pytest.mark.parametrize("h", [0.0, -0.1, float("nan")])
def test_weight_decay_does_not_make_up_for_a_curvature_there_is_not(h: float) -> None:
    with pytest.raises(UsageError, match=f"curvature = {h:g} must be positive"):
        advise_method(METHODS["easgd"].with_(weight_decay=0.3), 4, 1, h)
