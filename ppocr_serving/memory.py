"""Memory limit per process, and the order in which processes are replaced."""

import logging
import mmap
import os
from pathlib import Path

__all__ = ["MemoryLimit", "resident_mb"]

_log = logging.getLogger(__name__)

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# A process grows with its first pictures, because engines allocate their working memory. With a limit below that, it
# would be replaced over and over, with hardly a request answered in between.
_MIN_GROWTH = 1.25
_MIN_REQUESTS = 32

_REPLACING, _WARNED = range(2)


def resident_mb() -> float:
    """Return the resident memory of this process in MiB, including shared pages."""
    return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES / 2**20


class MemoryLimit:
    """Decide when the processes of a server are replaced, one after the other.

    Must be created before the processes are forked: they share the record of which one is being replaced.

    Args:
        limit_mb: Resident memory in MiB that a process may have after answering a request, including what other
            requests use at that moment; 0 for no limit.
    """

    def __init__(self, limit_mb: int) -> None:
        self._limit_mb = limit_mb
        self._threshold_mb = float("inf")
        self._shared = mmap.mmap(-1, 2)

    def begin(self) -> None:
        """Apply the limit to this process, and end any replacement under way; call once the models are loaded."""
        self._shared[_REPLACING] = 0
        if not self._limit_mb:
            return
        fresh = resident_mb()
        self._threshold_mb = max(self._limit_mb, _MIN_GROWTH * fresh)
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
        """Return whether to replace this process now; if so, no other one is until the replacement calls `begin`.

        Args:
            requests: Number of requests that this process has answered.
        """
        if requests < _MIN_REQUESTS or self._shared[_REPLACING]:
            return False
        now = resident_mb()
        if now <= self._threshold_mb:
            return False
        # Two processes may get here at the same moment. Both are then replaced at once, which loses no request.
        self._shared[_REPLACING] = 1
        _log.info(
            "process %d has %.0f MB, more than the limit of %.0f (PPOCR_MAX_MEMORY_MB is %d): it will finish its "
            "requests and be replaced",
            os.getpid(),
            now,
            self._threshold_mb,
            self._limit_mb,
        )
        return True
