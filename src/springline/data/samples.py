"""What training and evaluation ask of a collection of samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

Batch = Any  # a tuple of what a sample consists of; a mapping where samples are mappings


class Samples(ABC):
    """A collection of n training or test samples that hands out batches.

    It is a base class and not a protocol, because other libraries have methods `batch` that mean something else.
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, indices: Tensor) -> Batch:
        """The samples with these indices [b] (int64), collated; what is drawn for them comes from torch's generator."""
