"""Image classification tasks: a data set, a network for it, cross-entropy, test accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from springline import data
from springline.data.augment import Crops
from springline.errors import UsageError
from springline.models import build
from springline.options import write
from springline.tasks.base import Batch, InMemory, Samples, Task, classification
from springline.tasks.recipe import Recipe, Say, above, built_in


def cross_entropy(model: nn.Module, batch: Batch, l2: float = 0.0) -> Tensor:
    """The mean cross-entropy of a classifier that returns logits; with l2 > 0, + l2/2 ‖parameters‖²."""
    loss = F.cross_entropy(model(batch[0]), batch[1])
    return loss + 0.5 * l2 * torch.stack([p.square().sum() for p in model.parameters()]).sum() if l2 else loss


def judged(model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
    """Sums of cross-entropy, without l2, and of hits, from one forward pass."""
    logits = model(batch[0])
    hits = (logits.argmax(dim=-1) == batch[1]).sum()
    return {"loss": F.cross_entropy(logits, batch[1], reduction="sum"), "accuracy": hits}


@dataclass(frozen=True, eq=False)
class Pictures(Samples):
    """Samples as they lie on disk: images uint8 [n, h, w, 3], mapped or in memory, and labels int64 [n]."""

    images: np.ndarray[Any, Any]
    labels: Tensor

    @staticmethod
    def of(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], first: int = 0) -> Pictures:
        """All of them, or the first so many."""
        if first > len(images):
            raise UsageError(f"samples={first} is more than the {len(images)} training images; use at most that many.")
        end = first or len(images)
        return Pictures(images[:end], torch.from_numpy(np.array(labels[:end], np.int64)))

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Tensor) -> Batch:
        return torch.from_numpy(np.asarray(self.images)[indices.numpy()]), self.labels[indices]

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process maps the same file, instead of getting a copy of what is in it."""
        x = self.images
        if not isinstance(x, np.memmap) or x.filename is None:
            return Pictures, (x, self.labels)
        return _mapped, (x.filename, x.dtype.str, x.offset, x.shape, self.labels)


def _mapped(file: str, dtype: str, offset: int, shape: tuple[int, ...], labels: Tensor) -> Pictures:
    return Pictures(np.memmap(file, dtype, "c", offset, shape), labels)


@dataclass(frozen=True)
class Grey(Recipe):
    """Grey images as floats, pixels in [0, 1] standardised with one mean and deviation."""

    source: ClassVar[str]
    network: ClassVar[str] = "mnist"
    mean: ClassVar[float]
    std: ClassVar[float]

    def load(self, say: Say) -> Task:
        arrays = data.load(self.source, say=say)

        def tensors(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> InMemory:
            pixels = torch.from_numpy(np.array(x)).float().div_(255).sub_(self.mean).div_(self.std)
            return InMemory((pixels.unsqueeze(1), torch.from_numpy(np.array(y)).long()))

        task = Task(
            self.name,
            model=partial(build, self.network),
            loss_fn=cross_entropy,
            train=tensors(arrays.train_x, arrays.train_y),
            test=tensors(arrays.test_x, arrays.test_y),
            metrics=classification,
        )
        return built_in(task)


class Mnist(Grey):
    name = "mnist"
    summary = "handwritten digits, a convolutional network of 21,840 parameters"
    source, mean, std = "mnist", 0.1307, 0.3081


class MnistMlp(Mnist):
    name = "mnist-mlp"
    summary = "handwritten digits, a 784-32-10 perceptron with tanh, 25,450 parameters"
    network = "mlp"


class FashionMnist(Grey):
    name = "fashion-mnist"
    summary = "pieces of clothing, the same network as mnist"
    source, mean, std = "fashion-mnist", 0.2860, 0.3530


@dataclass(frozen=True)
class Colour(Recipe):
    """Colour images, cropped and mirrored at random in training (see `Crops`).

    samples: train on the first so many only; 0 is all.  augment: false trains on what evaluation sees.
    l2: weight of ½‖parameters‖² in the training loss.
    """

    source: ClassVar[str]
    network: ClassVar[str]
    classes: ClassVar[int] = 10
    crops: ClassVar[Crops]

    samples: int = 0
    augment: bool = True
    l2: float = 0.0

    def __post_init__(self) -> None:
        above(self, "samples", self.samples, 0, reached=True)
        above(self, "l2", self.l2, 0, reached=True)

    def load(self, say: Say) -> Task:
        return self.task(data.load(self.source, say=say))

    def task(self, arrays: data.Arrays) -> Task:
        """The task on these arrays."""
        task = Task(
            write(self),
            model=partial(build, self.network, self.classes),
            loss_fn=partial(cross_entropy, l2=self.l2),
            train=Pictures.of(arrays.train_x, arrays.train_y, self.samples),
            test=Pictures.of(arrays.test_x, arrays.test_y),
            metrics=judged,
            eval_batch=500,
            transform=replace(self.crops, random=self.augment),
        )
        return built_in(task)
