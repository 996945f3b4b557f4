"""Settings of the C library's allocator."""

import ctypes

__all__ = ["return_freed_memory"]

# Names and numbers of <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_LARGE_BYTES = 4 * 2**20


def return_freed_memory() -> None:
    """Return freed memory to the system instead of keeping it for later.

    One arena serves all threads: with one each, every thread keeps what its largest request needed. Blocks of 4 MiB and
    more (pictures, feature maps) are mapped by themselves and unmapped when they are freed; by default the allocator
    raises that bound to the largest block it has ever seen, up to 32 MiB, and holes stay where such blocks were.

    Has no effect where the C library has no such options (musl).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
