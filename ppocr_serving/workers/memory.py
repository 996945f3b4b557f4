"""Memory limit of worker processes: when one of them is replaced."""

import logging
import os
from pathlib import Path

__all__ = ["MemoryLimit", "resident_bytes", "resident_mb"]

_log = logging.getLogger(__name__)

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# A process grows with its first pictures, because engines allocate their working memory. With a limit below that, it
# would be replaced over and over, with hardly a request answered in between.
_MIN_GROWTH = 1.25
_MIN_REQUESTS = 32


def resident_bytes(pid: int | None = None) -> int:
    """Return the resident memory of a process, including shared pages.

    Args:
        pid: Its process id; None means this process.

    Raises:
        OSError: There is no such process.
    """
    statm = Path(f"/proc/{'self' if pid is None else pid}/statm")
    return int(statm.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


def resident_mb() -> float:
    """Return the resident memory of this process in MiB, including shared pages."""
    return resident_bytes() / 2**20


class MemoryLimit:
    """Decide when a worker process is replaced.

    Args:
        limit_mb: Resident memory in MiB that a process may have after answering a request, including what other
            requests use at that moment; 0 for no limit.
    """

    def __init__(self, limit_mb: int) -> None:
        self._limit_mb = limit_mb
        self._threshold_mb = float("inf")
        self._has_warned = False

    def begin(self, fresh_mb: float) -> None:
        """Adapt the limit to what a process needs as soon as its models are loaded.

        Args:
            fresh_mb: That memory, in MiB.
        """
        if not self._limit_mb:
            return
        self._threshold_mb = max(self._limit_mb, _MIN_GROWTH * fresh_mb)
        if self._threshold_mb > self._limit_mb and not self._has_warned:
            self._has_warned = True
            _log.warning(
                "PPOCR_MAX_MEMORY_MB is %d, but a process has %.0f MB as soon as its models are loaded; processes are "
                "replaced above %.0f MB instead; set a higher value, or 0 to replace none",
                self._limit_mb,
                fresh_mb,
                self._threshold_mb,
            )

    def is_exceeded(self, pid: int, memory_mb: float, answered: int) -> bool:
        """Return whether to replace a process now.

        Args:
            pid: Its process id, for the log.
            memory_mb: Its resident memory in MiB.
            answered: Number of requests that it has answered.
        """
        if answered < _MIN_REQUESTS or memory_mb <= self._threshold_mb:
            return False
        _log.info(
            "process %d has %.0f MB, more than the limit of %.0f (PPOCR_MAX_MEMORY_MB is %d): it will finish its "
            "requests and be replaced",
            pid,
            memory_mb,
            self._threshold_mb,
            self._limit_mb,
        )
        return True
