"""Tuning of the C library's allocator."""

import ctypes

__all__ = ["return_freed_memory"]

# Constants from <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_LARGE_BYTES = 4 * 2**20


def return_freed_memory() -> None:
    """Make the allocator return freed memory to the system instead of keeping it for later.

    All threads share one arena: with one each, every thread would keep what its largest request needed. Blocks of 4 MiB
    and more (pictures, feature maps) are mapped separately and unmapped when freed; by default the allocator raises
    that threshold to the largest block it has seen, up to 32 MiB, and such blocks leave holes behind.

    Has no effect if the C library lacks these options (musl).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
