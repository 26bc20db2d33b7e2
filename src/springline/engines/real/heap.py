"""Let a process that works on long vectors use the memory it has freed again, whatever their size."""

from __future__ import annotations

import ctypes

from springline.tasks.allocator import M_TRIM_THRESHOLD, keep_freed_memory

M_MMAP_MAX = -4  # of glibc's malloc.h
VECTORS = 16  # freed vectors that may stay with the process


def keep_vectors(nbytes: int) -> None:
    """Take vectors of so many bytes from the heap and keep them there.

    glibc gives anything above 32 MiB a mapping of its own and hands it back when it is freed. Every step makes new
    vectors; paying for their pages anew each time costs eight times as much as copying them.
    """
    if keep_freed_memory() and nbytes > 1 << 20:
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, min(VECTORS * nbytes, (1 << 31) - 1))
