"""Memory that outlives the processes which use it: files in a RAM file system, mapped by each of them.

Space is reserved when a file is made, so that a full file system is a sentence at the start and not a SIGBUS in the
middle of an exchange.
"""

from __future__ import annotations

import errno
import mmap
import os
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from springline.errors import UsageError

PAGE = 4096


def up(size: int) -> int:
    """The next multiple of a page."""
    return -(-size // PAGE) * PAGE


def reserve(path: Path, size: int, ranges: list[tuple[int, int]] | None = None) -> None:
    """Make a file of this size, or let it grow to it, with memory behind it (behind these ranges only, if given).

    Raises UsageError if there is not enough memory left.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(fd, max(size, os.fstat(fd).st_size))
        for start, length in [(0, size)] if ranges is None else ranges:
            if length:
                os.posix_fallocate(fd, start, length)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.ENOMEM):
            raise
        raise UsageError(
            f"no shared memory is left for {size / 2**20:.0f} MiB in {path.parent.parent}; free some there (df shows "
            "what is used), give the machine or container more (docker run --shm-size), or use fewer workers."
        ) from None
    finally:
        os.close(fd)


class Region:
    """A mapped file, looked at as tensors, words and bytes."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        fd = os.open(path, (os.O_RDONLY if readonly else os.O_RDWR) | os.O_CLOEXEC)
        try:
            access = mmap.ACCESS_READ if readonly else mmap.ACCESS_WRITE
            self.map = mmap.mmap(fd, os.fstat(fd).st_size, access=access)
        finally:
            os.close(fd)
        self.view = memoryview(self.map)

    def tensor(self, offset: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """[shape] at a byte offset, without a copy."""
        count = 1
        for n in shape:
            count *= n
        if count == 0:
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(self.map, dtype=dtype, count=count, offset=offset).view(shape)

    def words(self, offset: int, count: int) -> memoryview[int]:
        """Unsigned 64-bit words; one is read or written by one instruction."""
        return self.view[offset : offset + 8 * count].cast("Q")

    def numbers(self, offset: int, count: int) -> memoryview[float]:
        """64-bit floats."""
        return self.view[offset : offset + 8 * count].cast("d")

    @cached_property
    def addresses(self) -> range:
        first = torch.frombuffer(self.map, dtype=torch.uint8, count=1).data_ptr()
        return range(first, first + len(self.map))

    def holds(self, t: Tensor) -> bool:
        """Whether a tensor looks at this memory."""
        return t.is_cpu and t.data_ptr() in self.addresses


class Text:
    """A piece of bytes with its length in front, in a fixed space of a region."""

    def __init__(self, region: Region, offset: int, size: int) -> None:
        self._length = region.words(offset, 1)
        self._bytes = region.view[offset + 8 : offset + size]

    def write(self, data: bytes) -> None:
        assert len(data) <= len(self._bytes), f"{len(data)} bytes do not fit into {len(self._bytes)}"
        self._bytes[: len(data)] = data
        self._length[0] = len(data)

    def read(self) -> bytes:
        return bytes(self._bytes[: self._length[0]])
