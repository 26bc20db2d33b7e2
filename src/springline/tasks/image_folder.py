"""A folder of images, as ImageNet lies on disk: PATH/train/CLASS/*.jpg and PATH/val/CLASS/*.jpg."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from springline.data.augment import Crops
from springline.data.image_folder import ImageFolder
from springline.errors import UsageError, unknown
from springline.models import MODELS, build
from springline.options import write
from springline.streams import stream
from springline.tasks.base import Batch, Samples, Task
from springline.tasks.images import cross_entropy, judged
from springline.tasks.recipe import Recipe, Say, above, built_in

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's training images, by channel
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class Reordered(Samples):
    """Samples in another order: what lies sorted by class is no cycle to take chunks of."""

    samples: Samples
    order: Tensor  # int64 [n]

    def __len__(self) -> int:
        return len(self.order)

    def batch(self, indices: Tensor) -> Batch:
        return self.samples.batch(self.order[indices])


@dataclass(frozen=True)
class Folder(Recipe):
    """Scaled so that the shorter side is `resize` pixels and cut to the middle square; of that, random crops of
    `size` pixels and their mirror images in training, the middle in evaluation, which sees PATH/val.

    path: the folder that holds train/ and val/.  model: a network of `springline.models.MODELS` for colour images.
    size: default: the network's.  resize: default: 256 for a size of 200 to 256, else 8/7 size.
    augment: false trains on the middle, too.  l2: weight of ½‖parameters‖² in the training loss.
    """

    name = "imagefolder"
    main = "path"
    summary = (
        "your own images, or ImageNet: imagefolder:PATH[,model=resnet50], with PATH/train/CLASS and PATH/val/CLASS"
    )

    path: str
    model: str = "imagenet11"
    size: int = 0
    resize: int = 0
    augment: bool = True
    l2: float = 0.0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise unknown("model", self.model, list(MODELS))
        if MODELS[self.model].input_shape[0] != 3:
            raise UsageError(f"task {self.name}: model={self.model} takes grey images; choose resnet50 or imagenet11.")
        if "," in self.path:
            raise UsageError(f"task {self.name}: a comma in path={self.path} ends the path; link to it without one.")
        for key in ("size", "resize", "l2"):
            above(self, key, getattr(self, key), 0, reached=True)

    def load(self, say: Say) -> Task:
        root = Path(self.path).expanduser().resolve()
        size = self.size or MODELS[self.model].input_shape[1]
        resize = self.resize or (256 if 200 <= size <= 256 else round(size * 8 / 7))
        if resize < size:
            raise UsageError(f"task {self.name}: resize={resize} is less than size={size}; give at least as much.")
        say(f"listing the images in {root}")
        train = ImageFolder(root / "train", size=resize, resize=resize)
        order = torch.from_numpy(stream(0, "image folder").permutation(len(train)))
        std = (1.0, 1.0, 1.0) if self.model == "imagenet11" else STD  # the thesis scales to [0, 1]
        task = Task(
            write(replace(self, path=str(root))),
            model=partial(build, self.model, len(train.classes)),
            loss_fn=partial(cross_entropy, l2=self.l2),
            train=Reordered(train, order),
            test=ImageFolder(root / "val", size=resize, resize=resize, classes=train.classes),
            metrics=judged,
            eval_batch=64,
            transform=Crops(size, mean=MEAN, std=std, random=self.augment),
        )
        return built_in(task)
