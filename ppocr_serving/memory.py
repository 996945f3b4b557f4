"""Memory limit of a process, and whose turn it is to be replaced."""

import logging
import mmap
import os
from pathlib import Path

__all__ = ["MemoryLimit", "resident_mb"]

_log = logging.getLogger(__name__)

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# A process grows with its first pictures, because engines allocate what they compute in. A limit below that would have
# it replaced all the time, and hardly a request answered in between.
_LEAST_GROWTH = 1.25
_LEAST_REQUESTS = 32

_REPLACING, _WARNED = range(2)


def resident_mb() -> float:
    """Resident memory of this process in MiB, the pages that it shares with others included."""
    return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES / 2**20


class MemoryLimit:
    """Decide when the processes of a server are replaced, one after the other.

    Must be created before the processes are forked: they share whose turn it is.

    Args:
        limit_mb: Resident memory in MiB that a process may have when it has answered a request, with what it computes
            for others at that moment; 0 allows any.
    """

    def __init__(self, limit_mb: int) -> None:
        self._limit_mb = limit_mb
        self._threshold_mb = float("inf")
        self._shared = mmap.mmap(-1, 2)

    def begin(self) -> None:
        """Apply the limit to this process, which is no longer awaited; call it once the models are loaded."""
        self._shared[_REPLACING] = 0
        if not self._limit_mb:
            return
        fresh = resident_mb()
        self._threshold_mb = max(self._limit_mb, _LEAST_GROWTH * fresh)
        if self._threshold_mb > self._limit_mb and not self._shared[_WARNED]:
            self._shared[_WARNED] = 1
            _log.warning(
                "PPOCR_MAX_MEMORY_MB is %d, but a process has %.0f MB as soon as its models are loaded; processes are "
                "replaced above %.0f MB instead; set a higher value, or 0 to replace none",
                self._limit_mb,
                fresh,
                self._threshold_mb,
            )

    def claim(self, requests: int) -> bool:
        """Return whether this process is to be replaced now; then no other one is until the replacement calls `begin`.

        Args:
            requests: How many this process has answered.
        """
        if requests < _LEAST_REQUESTS or self._shared[_REPLACING]:
            return False
        now = resident_mb()
        if now <= self._threshold_mb:
            return False
        # Two processes can come here in the same microsecond. Then both are replaced at once, which loses no request.
        self._shared[_REPLACING] = 1
        _log.info(
            "process %d has %.0f MB, more than the limit of %.0f (PPOCR_MAX_MEMORY_MB is %d): it finishes its requests "
            "and is replaced",
            os.getpid(),
            now,
            self._threshold_mb,
            self._limit_mb,
        )
        return True
