"""Published parameter counts, printed shapes, second derivatives, initial weights."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from springline.errors import UsageError
from springline.models import (
    MLP,
    MODELS,
    Cifar7,
    CifarLowRank,
    ImageNet11,
    MnistNet,
    ModelSpec,
    ResNet20,
    ResNet50,
    WideResNet,
    build,
)

LARGE = {"imagenet11", "resnet50"}
SMALL = sorted(set(MODELS) - LARGE)

# Written out again here, and not read from the registry, so that an edit there alone fails.
PARAMETERS = {
    "mnist": 21_840,
    "mlp": 25_450,
    "cifar7": 351_946,
    "cifar-lowrank": 442_000,
    "cifar-lowrank-28": 327_312,
    "imagenet11": 61_128_808,
    "resnet20": 269_722,
    "resnet20-b": 272_474,
    "resnet50": 25_557_032,
    "wrn-16-4": 2_748_890,
}


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def on_meta(spec: ModelSpec) -> nn.Module:
    """The network without memory behind its weights: shapes only."""
    with torch.device("meta"):
        return spec()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_parameter_count_is_the_published_one(name: str) -> None:
    assert count(on_meta(MODELS[name])) == MODELS[name].parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_maps_its_input_shape_to_one_logit_per_class(name: str) -> None:
    spec = MODELS[name]
    x = torch.empty(3, *spec.input_shape, device="meta")
    assert on_meta(spec)(x).shape == (3, spec.num_classes)


@pytest.mark.parametrize("name", SMALL)
def test_gives_finite_logits_that_are_not_a_softmax(name: str) -> None:
    torch.manual_seed(0)
    logits = build(name)(torch.randn(4, *MODELS[name].input_shape))
    assert logits.isfinite().all()
    assert not torch.allclose(logits.exp().sum(1), torch.ones(4))


def test_resnet50_takes_any_image() -> None:
    torch.manual_seed(0)
    model = ResNet50(num_classes=7).eval()
    with torch.inference_mode():
        logits = model(torch.randn(1, 3, 32, 32))
    assert logits.shape == (1, 7)
    assert logits.isfinite().all()


def shapes_after(features: nn.Module, x: Tensor, kinds: tuple[type[nn.Module], ...]) -> list[tuple[int, ...]]:
    """(channels, height, width) after each layer of the given kinds."""
    shapes = []
    for layer in features.children():
        x = layer(x)
        if isinstance(layer, kinds):
            shapes.append(tuple(x.shape[1:]))
    return shapes


@pytest.mark.parametrize("samples", [0, 1, 64, 150])
def test_the_mnist_network_answers_the_same_without_gradients(samples: int) -> None:
    """However many at once, and a sample that is not finite is so alone."""
    torch.manual_seed(0)
    net, x = MnistNet().double(), torch.randn(samples, 1, 28, 28, dtype=torch.float64)
    x[2:3, 0, 14, 14] = torch.nan
    with torch.no_grad():
        fast = net(x)
    torch.testing.assert_close(fast, net(x), rtol=1e-12, atol=1e-12, equal_nan=True)
    assert fast.isnan().all(1).nonzero().flatten().tolist() == ([2] if samples > 2 else [])


def test_the_mnist_network_has_the_same_derivatives_in_the_form_that_is_compiled() -> None:
    """Logits, gradient and a product with the Hessian; also where windows of a plain background tie."""
    torch.manual_seed(0)
    net, x = MnistNet().double(), torch.randn(4, 1, 28, 28, dtype=torch.float64)
    x[0], x[1, 0, :14] = 0.3, -0.4
    parameters = list(net.parameters())
    z = [torch.randn_like(p) for p in parameters]
    found = []
    for features in (net.features, net._differentiable):
        logits = net.fc2(F.relu(net.fc1(features(x))))
        grads = torch.autograd.grad(logits.square().sum(), parameters, create_graph=True)
        found.append((logits, *grads, *torch.autograd.grad(grads, parameters, z)))
    torch.testing.assert_close(found[1], found[0], rtol=1e-10, atol=1e-10)


def test_cifar7_has_the_layers_of_its_notation() -> None:
    with torch.device("meta"):
        model, x = Cifar7(), torch.empty(1, 3, 28, 28)
    assert shapes_after(model.features, x, (nn.Conv2d, nn.MaxPool2d)) == [
        (64, 24, 24),
        (64, 12, 12),
        (128, 8, 8),
        (128, 4, 4),
        (64, 2, 2),
    ]
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.MaxPool2d | nn.Linear)]
    assert len(layers) == 7
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.5]


def test_imagenet11_has_the_layers_of_its_notation() -> None:
    with torch.device("meta"):
        model, x = ImageNet11(), torch.empty(1, 3, 221, 221)
    assert shapes_after(model.features, x, (nn.Conv2d, nn.MaxPool2d)) == [
        (96, 108, 108),
        (96, 36, 36),
        (256, 32, 32),
        (256, 16, 16),
        (384, 14, 14),
        (384, 13, 13),
        (256, 12, 12),
        (256, 6, 6),
    ]
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.MaxPool2d | nn.Linear)]
    assert len(layers) == 11
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]


def test_a_lowrank_layer_is_one_5x5_convolution_of_that_rank() -> None:
    torch.manual_seed(0)
    column, row = list(CifarLowRank().features)[:2]
    assert isinstance(column, nn.Conv2d)
    assert isinstance(row, nn.Conv2d)
    x = torch.randn(2, 3, 12, 12)
    # W[o, c, y, x] = Σ_k row[o, k, x] · column[k, c, y]; the column's bias, zero-padded at the border, aside
    kernel = torch.einsum("okx,kcy->ocyx", row.weight[:, :, 0, :], column.weight[:, :, :, 0])
    assert kernel.shape == (96, 3, 5, 5)
    with torch.no_grad():
        bias = row(column(torch.zeros_like(x)))
        torch.testing.assert_close(row(column(x)), F.conv2d(x, kernel, padding=2) + bias)


@pytest.mark.parametrize("name", SMALL)
def test_hessian_vector_product_agrees_with_a_difference_of_gradients(name: str) -> None:
    torch.manual_seed(0)
    spec = MODELS[name]
    # Double precision, and no dropout: a finite difference needs the same function at both points.
    model = build(name).double()
    for m in model.modules():
        if isinstance(m, nn.Dropout):
            m.p = 0.0
    x = torch.randn(2, *spec.input_shape, dtype=torch.float64)
    y = torch.arange(2)
    names = [n for n, _ in model.named_parameters()]
    at = [p.detach() for p in model.parameters()]
    v = [torch.randn_like(p) for p in at]
    norm = torch.cat([d.flatten() for d in v]).norm()
    v = [d / norm for d in v]

    def grad(step: float, create_graph: bool) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        w = [(p + step * d).requires_grad_() for p, d in zip(at, v, strict=True)]
        logits = torch.func.functional_call(model, dict(zip(names, w, strict=True)), (x,))
        return w, torch.autograd.grad(F.cross_entropy(logits, y), w, create_graph=create_graph)

    w, g = grad(0.0, create_graph=True)
    hv = torch.cat([h.flatten() for h in torch.autograd.grad(g, w, grad_outputs=v)])
    eps = 1e-8  # small, so that no relu changes sides on the way
    plus, minus = grad(eps, create_graph=False)[1], grad(-eps, create_graph=False)[1]
    difference = torch.cat([(a - b).flatten() / (2 * eps) for a, b in zip(plus, minus, strict=True)])
    assert hv.norm() > 0
    assert (hv - difference).norm() < 1e-3 * hv.norm()


@pytest.mark.parametrize("name", SMALL)
def test_initial_weights_are_a_function_of_the_seed(name: str) -> None:
    def state(seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        return build(name).state_dict()

    first, again, other = state(1), state(1), state(2)
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert any(not torch.equal(first[k], other[k]) for k in first)


@pytest.mark.parametrize("make", [ResNet20, WideResNet])
def test_residual_networks_start_at_he(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    for m in make().modules():
        if isinstance(m, nn.Conv2d):
            assert m.bias is None
            sigma = math.sqrt(2 / (m.out_channels * m.kernel_size[0] * m.kernel_size[1]))
            # The sample deviation of n normals has itself a relative deviation of 1/√(2n).
            assert abs(m.weight.std().item() / sigma - 1) < 5 / math.sqrt(2 * m.weight.numel())
        elif isinstance(m, nn.BatchNorm2d):
            assert torch.equal(m.weight, torch.ones_like(m.weight))
            assert torch.equal(m.bias, torch.zeros_like(m.bias))
        elif isinstance(m, nn.Linear):
            assert torch.equal(m.bias, torch.zeros_like(m.bias))


def test_shortcut_a_copies_every_second_pixel_between_zero_channels() -> None:
    block = next(b for b in ResNet20().blocks.children() if not isinstance(b.shortcut, nn.Identity))
    x = torch.randn(2, 16, 8, 8)
    y = block.shortcut(x)
    assert y.shape == (2, 32, 4, 4)
    assert torch.equal(y[:, 8:24], x[:, :, ::2, ::2])
    assert not y[:, :8].any()
    assert not y[:, 24:].any()


def test_bad_arguments_say_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"unknown ResNet-20 shortcut 'C'.*A, B"):
        ResNet20(shortcut="C")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"depth 17 is not 6n \+ 4; give"):
        WideResNet(depth=17)
    with pytest.raises(UsageError, match="widening factor 0 is below 1; give"):
        WideResNet(widen=0)
    with pytest.raises(UsageError, match=r"image size 7 .* give images of at least 8×8"):
        CifarLowRank(image_size=7)
    with pytest.raises(UsageError, match="do not make a layer; give at least two"):
        MLP((784,))
