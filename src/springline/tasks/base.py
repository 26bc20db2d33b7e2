"""What is learned: a model, a loss, the data, and how the result is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from springline.data.samples import Batch as Batch
from springline.data.samples import Samples as Samples
from springline.errors import UsageError
from springline.tasks.drawing import seed_all, seed_torch, unseen

Loss = Callable[[nn.Module, Batch], Tensor]
Transform = Callable[[Batch, np.random.Generator | None], Batch]


@dataclass(frozen=True, eq=False)
class InMemory(Samples):
    """Samples held as tensors with the same first dimension n."""

    tensors: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        if len({len(t) for t in self.tensors}) != 1:
            sizes = [len(t) for t in self.tensors]
            raise UsageError(f"the tensors of a data set have different lengths {sizes}; give one row per sample.")

    def __len__(self) -> int:
        return len(self.tensors[0])

    def batch(self, indices: Tensor) -> Batch:
        return tuple(t[indices] for t in self.tensors)


@dataclass(frozen=True, eq=False)
class MapStyle(Samples):
    """Any map-style data set (`__len__`, `__getitem__`), collated as a `DataLoader` would."""

    dataset: Any
    collate: Callable[[list[Any]], Any] = torch.utils.data.default_collate

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, indices: Tensor) -> Batch:
        batch = self.collate([self.dataset[i] for i in indices.tolist()])
        if isinstance(batch, (list, tuple)):
            return tuple(batch)
        return batch if isinstance(batch, Mapping) else (batch,)


def to_device(batch: Any, device: torch.device | str) -> Any:
    """A batch with its tensors, and what else can go to a device by `.to`, on it; all else as it is.

    They may stand in tuples, lists and dicts.
    """
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if callable(getattr(batch, "to", None)):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {name: to_device(part, device) for name, part in batch.items()}
    if isinstance(batch, (tuple, list)):
        parts = [to_device(part, device) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    return batch


def samples(data: Any) -> Samples:
    """Samples from a tensor, several tensors, a `TensorDataset`, any map-style data set, or samples already."""
    if isinstance(data, Samples):
        return data
    if isinstance(data, Tensor):
        return InMemory((data,))
    if type(data) is torch.utils.data.TensorDataset:  # one derived from it may have a __getitem__ of its own
        return InMemory(data.tensors)
    if isinstance(data, (tuple, list)) and data and all(isinstance(t, Tensor) for t in data):
        return InMemory(tuple(data))
    if isinstance(data, (tuple, list)) and any(isinstance(t, np.ndarray) for t in data):
        raise UsageError(
            f"the data are a {type(data).__name__} of numpy arrays; give tensors, by torch.from_numpy of each."
        )
    if isinstance(data, (str, Mapping)):
        raise UsageError(
            f"a {type(data).__name__} is not a data set; give tensors, a TensorDataset, or a map-style data set."
        )
    if hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        return MapStyle(data)
    raise UsageError(
        f"{type(data).__name__} is not a data set; give tensors, a TensorDataset, or an object with __len__ and "
        "__getitem__ (an IterableDataset cannot be partitioned among workers)."
    )


@dataclass(frozen=True, eq=False)
class Task:
    """A model, a loss and data.

    name: what the run is called; none of those of `springline.TASKS`.
    model: a function without arguments that builds the module; called under the run's seed. A run trains a copy.
    loss_fn: loss_fn(model, batch) -> scalar tensor, the mean over the batch.
    train, test: tensors, a `TensorDataset` or a map-style data set; test may be left out. A batch is a tuple of what a
    sample consists of, or a mapping where samples are mappings.
    metrics: metrics(model, batch) -> {name: sum over the batch's samples}; `accuracy` is reported as test accuracy. A
    `loss` among them saves evaluation the call of loss_fn. It must not write into what it passes to the model, which
    is asked about the same tensors only once.
    eval_batch: samples per forward pass in evaluation; more hardly fit a cache.
    transform: transform(batch, rng) -> the batch that the model sees: cropping, flipping, standardising. In training
    rng is a generator of its own for each (seed, worker, step), so that no draw depends on what was drawn before; in
    evaluation it is None, and nothing may be random.

    Example: `Task("moons", model=Net, loss_fn=lambda m, b: F.cross_entropy(m(b[0]), b[1]), train=(X, y))`.
    """

    name: str
    model: Callable[[], nn.Module]
    loss_fn: Loss
    train: Any
    test: Any = None
    metrics: Callable[[nn.Module, Batch], Mapping[str, Any]] | None = None
    eval_batch: int = 500
    transform: Transform | None = None
    built_in: bool = field(default=False, init=False)  # a recipe made it, see there

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise UsageError(f"a task's name is text, not {self.name!r}.")
        if isinstance(self.model, nn.Module) or not callable(self.model):
            raise UsageError(
                f"task {self.name!r}: model is a {type(self.model).__name__}; give a function that builds a new module "
                "each time, as in model=lambda: Net()."
            )
        for part, value in (("loss_fn", self.loss_fn), ("metrics", self.metrics), ("transform", self.transform)):
            if not callable(value) and (value is not None or part == "loss_fn"):
                raise UsageError(f"task {self.name!r}: {part} is {value!r}; give a function.")
        if not isinstance(self.eval_batch, int) or self.eval_batch < 1:
            raise UsageError(
                f"task {self.name!r}: eval_batch={self.eval_batch!r}; give a number of samples, 1 or more."
            )
        object.__setattr__(self, "train", samples(self.train))
        if len(self.train) == 0:
            raise UsageError(f"task {self.name!r} has no training samples; check the data set that was passed in.")
        if self.test is not None:
            object.__setattr__(self, "test", samples(self.test))

    def prepare(self, batch: Batch, rng: np.random.Generator | None = None) -> Batch:
        """What the model sees of a batch of the samples: in training with the step's generator, else in evaluation."""
        return batch if self.transform is None else self.transform(batch, rng)

    def begin(self, number: int) -> None:
        """Let the generators from which its functions may draw begin at a number: torch's, from which ours draw, and
        for others those of numpy and Python too.
        """
        (seed_torch if self.built_in else seed_all)(number)

    def build(self, seed: int) -> nn.Module:
        """The module with its initial parameters, a function of the seed."""
        from springline.streams import key

        with unseen("cpu"):
            number = key(seed, "model")
            torch.manual_seed(number)  # that of every device
            seed_all(number)
            model = self.model()
        if not isinstance(model, nn.Module):
            raise UsageError(f"task {self.name!r}: model() returned {type(model).__name__}, not an nn.Module.")
        try:
            return _copy(model)  # what it is made of may be the program's, and go into the next run too
        except Exception as error:
            raise UsageError(
                f"task {self.name!r}: what model() returned cannot be copied, and a run trains a copy "
                f"({shorten(str(error), 200)}); let the module hold no locks, open files or the like."
            ) from None


def _copy(module: nn.Module) -> nn.Module:
    """A copy in which what is shared inside the module still is."""
    held = (t for part in module.modules() for t in vars(part).values() if isinstance(t, Tensor))
    # as weight_norm holds its weight, made of parameters, which torch refuses to copy
    return deepcopy(module, {id(t): t.detach().clone() for t in held if not t.is_leaf})


def evaluate(task: Task, model: nn.Module, data: Samples) -> dict[str, float]:
    """The mean loss, and the mean of each of the task's metrics, over all samples of `data`; model in eval mode."""
    was_training, n = model.training, len(data)
    sums: dict[str, float] = {}
    model.eval()
    try:
        with torch.inference_mode(), _asked_once(model):
            for a in range(0, n, task.eval_batch):
                indices = torch.arange(a, min(a + task.eval_batch, n), device="cpu")
                batch = task.prepare(data.batch(indices))
                values = dict(task.metrics(model, batch)) if task.metrics is not None else {}
                if "loss" not in values:
                    values = {"loss": task.loss_fn(model, batch) * len(indices)} | values
                for name, value in values.items():
                    sums[name] = sums.get(name, 0.0) + float(value)
    finally:
        model.train(was_training)
    return {name: total / n for name, total in sums.items()}


@contextmanager
def _asked_once(model: nn.Module) -> Iterator[None]:
    """Metrics and loss ask the model for the same outputs of the same batch: the second one is told what it said.

    The same means the same tensors: looking at their values would cost a small network as much as asking it again.
    """
    forward, own = model.forward, model.__dict__.get("forward")
    asked: tuple[Any, ...] = ()
    said: Any = None

    def remembering(*args: Any, **kwargs: Any) -> Any:
        nonlocal asked, said
        if kwargs:
            return forward(*args, **kwargs)
        if not args or len(args) != len(asked) or any(a is not b for a, b in zip(args, asked, strict=True)):
            answer = forward(*args)
            if not isinstance(answer, Tensor):
                return answer
            asked, said = args, answer.clone()  # whoever asked may write into the answer
            return answer
        return said.clone()

    model.forward = remembering
    try:
        yield
    finally:
        del model.forward
        if own is not None:
            model.forward = own


def classification(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """`metrics` of a classifier whose batches are (input, class): accuracy."""
    return {"accuracy": (model(batch[0]).argmax(dim=-1) == batch[1]).sum()}
