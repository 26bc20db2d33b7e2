"""Keep freed memory instead of handing it back to the system after every step."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names and numbers of glibc's malloc.h
KEPT = 256 << 20  # bytes of freed memory that may stay at the top of the heap
MAPPED = 32 << 20  # bytes from which an allocation gets a mapping of its own; the most that glibc accepts


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc's allocator, once per process, to keep up to 256 MiB it has freed; False where there is no glibc.

    A step frees its graph, glibc gives the top of the heap back, and the next step pays for the same pages again: an
    eighth of a double backward pass of the MNIST network. No result depends on it.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, MAPPED) and mallopt(M_TRIM_THRESHOLD, KEPT))


def give_back_freed_memory() -> None:
    """Hand back what lies free between what is in use. Many large vectors that live long leave such holes."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
