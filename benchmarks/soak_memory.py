"""The memory of a tree of processes over time, as Linux counts it in `/proc`."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.processes import PROC, descendants

__all__ = ["MemoryLog", "Sample", "recording"]

_INTERVAL = 0.05  # seconds
# To find shared pages, the kernel walks all pages of a process: 20 ms or more for a large one.
_SHARING_INTERVAL = 2.0


class Sample(NamedTuple):
    """The memory of all processes at one moment, in bytes.

    Attributes:
        seconds: Since the recording began.
        picture: Pictures that had been answered by then.
        worker: Resident memory (VmRSS) of the process that has the most: the one that answers.
        worker_peak: Its peak since the previous sample.
        total: Resident memory of all processes, with shared pages counted once (PSS).
        total_peak: Upper bound of its peak since the previous sample.
    """

    seconds: float
    picture: int
    worker: int
    worker_peak: int
    total: int
    total_peak: int


class MemoryLog:
    """The samples of a recording.

    Attributes:
        samples: In chronological order; grows during the recording.
        ready: How many were taken before the server was ready.
        workers: Every process that answered requests at some time.
    """

    def __init__(self, pid: int, picture: Callable[[], int]) -> None:
        self.samples: list[Sample] = []
        self.ready = 0
        self.workers: set[int] = set()
        self._pid = pid
        self._picture = picture
        self._start = time.perf_counter()
        self._lock = threading.Lock()
        self._high_water: dict[int, int] = {}
        self._worker_depth: int | None = None
        self._alive: set[int] = set()
        self._shared = 0  # bytes by which the sum of the resident memories is too large
        self._shared_since = -_SHARING_INTERVAL

    def mark_ready(self) -> None:
        """Record that the server is ready, and take a sample.

        The processes with the most ancestors in the tree are now those that answer requests; their replacements will
        have as many.
        """
        with self._lock:
            self._worker_depth = max((depth for _, depth in descendants(self._pid)), default=0)
            self.ready = len(self.samples)
            self._take()

    def replaced_workers(self) -> int:
        """Return the number of processes that answered requests and were gone at the last sample."""
        return len(self.workers - self._alive)

    def take(self) -> None:
        """Add a sample, unless all processes have ended."""
        with self._lock:
            self._take()

    def _take(self) -> None:
        picture, seconds = self._picture(), time.perf_counter() - self._start
        tree = list(descendants(self._pid))
        before, self._alive = self._alive, {pid for pid, _ in tree}
        self.workers.update(pid for pid, depth in tree if depth == self._worker_depth)
        counts = [self._resident(pid) for pid, _ in tree]
        if not counts:
            return
        resident, peaks = zip(*counts, strict=True)
        if before != self._alive or seconds >= self._shared_since + _SHARING_INTERVAL:
            maps = [_read_fields(pid, "smaps_rollup") for pid in self._alive]
            self._shared = sum(fields.get("Rss", 0) - fields.get("Pss", 0) for fields in maps)
            self._shared_since = seconds
        # Pages shared with processes outside the tree are divided among those, too; but the total is at least that of
        # any one process.
        total = max(sum(resident) - self._shared, *resident)
        total_peak = max(sum(peaks) - self._shared, *peaks)
        self.samples.append(Sample(seconds, picture, max(resident), max(peaks), total, total_peak))

    def _resident(self, pid: int) -> tuple[int, int]:
        fields = _read_fields(pid, "status")
        resident, high_water = fields.get("VmRSS", 0), fields.get("VmHWM", 0)
        # The high-water mark shows what happened between samples, but not when: it counts only when it rises.
        rose = high_water > self._high_water.get(pid, 0)
        self._high_water[pid] = high_water
        return resident, high_water if rose else resident


@contextmanager
def recording(pid: int, picture: Callable[[], int]) -> Iterator[MemoryLog]:
    """Sample a process and its descendants every 50 ms until the end of the block.

    Args:
        pid: The process.
        picture: Returns the number of pictures answered so far.

    Raises:
        PermissionError: The processes belong to another user.
    """
    log = MemoryLog(pid, picture)
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(_INTERVAL):
            log.take()
        log.take()

    with ThreadPoolExecutor(1, thread_name_prefix="memory") as pool:
        sampling: Future[None] = pool.submit(sample)
        try:
            yield log
        finally:
            stop.set()
        sampling.result()


def _read_fields(pid: int, name: str) -> dict[str, int]:
    """Parse the `NAME: NUMBER kB` lines of a process's file, in bytes; empty if it has ended."""
    try:
        text = (PROC / str(pid) / name).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    rows = (line.split() for line in text.splitlines())
    return {row[0][:-1]: int(row[1]) * 1024 for row in rows if len(row) == 3 and row[2] == "kB"}
