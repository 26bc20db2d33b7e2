"""Vectors on their way between processes: bytes that Ray lays into shared memory once, and every reader maps.

What is read there belongs to everybody and must not be written to.
"""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from springline.couplings.base import BLOCK, Vectors
from springline.engines.real.kinds import kind_of, written

Piece = dict[str, NDArray[np.uint8]]  # name -> the bytes of a vector's elements a … b
LARGE = 64 << 10  # bytes from which on a piece is laid into shared memory by itself

with warnings.catch_warnings():  # torch says once per process that it can be made to write to what is read-only
    warnings.simplefilter("ignore")
    torch.from_numpy(np.frombuffer(b"\0" * 8, np.uint8))


def cuts(size: int, shards: int) -> list[tuple[int, int]]:
    """Elements a … b of each shard. They are cut between blocks, so that sums over them are those over the whole."""
    blocks = -(-size // BLOCK)
    shards = min(shards, blocks)
    edges = [k * blocks // shards * BLOCK for k in range(shards)] + [size]
    return list(pairwise(edges))


def pack(vectors: Vectors, a: int = 0, b: int | None = None) -> Piece:
    """Elements a … b of each vector, as they stand in memory where they can."""
    return {name: _bytes(v[..., a:b]) for name, v in vectors.items()}


def unpack(piece: Piece, dtype: torch.dtype) -> Vectors:
    """The vectors [b − a], as views."""
    return {  # an empty array has no stride, and is nothing's view
        name: torch.from_numpy(v).view(dtype) if v.nbytes else torch.empty(0, dtype=dtype) for name, v in piece.items()
    }


def rows_of(piece: Piece, dtype: torch.dtype, members: int) -> Vectors:
    """The same for rows [N, b − a]."""
    return {name: v.view(members, -1) for name, v in unpack(piece, dtype).items()}


def wrap(t: Tensor) -> tuple[NDArray[np.uint8], str, list[int]]:
    """A tensor of any dtype and shape: its bytes, its dtype and its shape."""
    return _bytes(t), written(t.dtype), list(t.shape)


def unwrap(data: NDArray[np.uint8], dtype: str, shape: list[int]) -> Tensor:
    """A tensor of its own."""
    return (
        torch.empty(shape, dtype=kind_of(dtype))
        if not data.nbytes
        else (torch.from_numpy(data.copy()).view(kind_of(dtype)).reshape(shape))
    )


def nbytes(piece: Piece) -> int:
    return sum(v.nbytes for v in piece.values())


def _bytes(v: Tensor) -> NDArray[np.uint8]:
    flat = v.detach().cpu().contiguous().view(-1)
    found: NDArray[np.uint8] = flat.view(torch.uint8).numpy()
    return found


class Loan:
    """What was read from shared memory, so that nobody keeps it as his own."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = pieces  # kept, so that the memory stays mapped
        self._spans = [
            (v.ctypes.data, v.ctypes.data + v.nbytes) for piece in pieces for v in piece.values() if v.nbytes
        ]

    def own(self, t: Tensor) -> Tensor:
        """The tensor itself, or a copy if it looks at what was lent."""
        if t.device.type != "cpu" or not t.numel():
            return t
        return t.clone() if any(a <= t.data_ptr() < b for a, b in self._spans) else t
