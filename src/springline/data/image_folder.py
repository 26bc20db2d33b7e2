"""Images in one folder per class, as ImageNet lies on disk: ROOT/CLASS/anything.jpg."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from springline.data.samples import Samples
from springline.errors import RunError, UsageError

SUFFIXES = (".jpeg", ".jpg", ".png")


class ImageFolder(Samples):
    """An index of `root`; images are decoded when a batch asks for them.

    Classes are the sub-folders in the order of their names, or `classes` where given (a test set must count
    as its training set does); within a class, images are in the order of their paths, so an index means the
    same image on every machine. An image is scaled so that its shorter side is `resize` pixels (bilinear,
    with antialiasing), and the `size` × `size` pixels at its center are kept.
    Names that begin with a dot are passed over, and so are files that do not end in .jpg, .jpeg or .png.
    Raises UsageError when there is no such folder, no class, or a class without images.
    """

    root: Path
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    labels: Tensor  # int64 [n]

    def __init__(
        self, root: str | Path, *, size: int = 224, resize: int = 256, classes: Sequence[str] | None = None
    ) -> None:
        if not 1 <= size <= resize:
            raise UsageError(f"size {size} must be at least 1 and at most resize {resize}; lower it.")
        self.root, self.size, self.resize = Path(root), size, resize
        found = _class_folders(self.root)
        if classes is not None and set(found) - set(classes):
            extra = min(set(found) - set(classes))
            raise UsageError(f"{self.root} has a folder {extra!r} that is not one of the classes; move it away.")
        self.classes = tuple(found if classes is None else classes)
        files = [_images(self.root / name) for name in found]
        self.files = tuple(path for images in files for path in images)
        number = {name: k for k, name in enumerate(self.classes)}
        counts = torch.tensor([len(images) for images in files])
        self.labels = torch.tensor([number[name] for name in found]).repeat_interleave(counts)

    def __len__(self) -> int:
        """The number of images."""
        return len(self.files)

    def batch(self, indices: Sequence[int] | Tensor) -> tuple[Tensor, Tensor]:
        """Images uint8 [b, size, size, 3] and labels int64 [b]. RunError names an image that is damaged."""
        wanted = torch.as_tensor(indices, dtype=torch.int64)
        images = np.empty((len(wanted), self.size, self.size, 3), np.uint8)
        for k, index in enumerate(wanted.tolist()):
            images[k] = decode(self.files[index], self.size, self.resize)
        return torch.from_numpy(images), self.labels[wanted]


def decode(path: Path, size: int, resize: int) -> np.ndarray:
    """One image, uint8 [size, size, 3]: shorter side to `resize`, center `size` × `size`."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            # a palette may carry transparency, which pillow drops with a warning unless it goes by RGBA
            picture = (image.convert("RGBA") if image.mode == "P" else image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise RunError(f"{path} cannot be read as an image ({error}); replace it or delete it.") from None
    width, height = picture.size
    scale = resize / min(width, height)
    width, height = max(resize, round(width * scale)), max(resize, round(height * scale))
    left, top = (width - size) // 2, (height - size) // 2
    scaled = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(scaled.crop((left, top, left + size, top + size)))


def _class_folders(root: Path) -> list[str]:
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder; give the folder that holds one folder of images per class.")
    names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name[0] != ".")
    if not names:
        raise UsageError(f"{root} has no folders in it; put the images into one folder per class.")
    return names


def _images(folder: Path) -> list[Path]:
    found = [
        Path(parent, name)
        for parent, folders, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SUFFIXES) and name[0] != "."
    ]
    if not found:
        raise UsageError(f"{folder} holds no .jpg or .png image; add some or delete the folder.")
    return sorted(found, key=lambda path: path.as_posix())
