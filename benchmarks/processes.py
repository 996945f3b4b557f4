"""A tree of processes, and the time that it computes, as Linux counts it in `/proc`."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["PROC", "command_of", "cpu_seconds", "descendants"]

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")  # per second


def descendants(pid: int, depth: int = 0) -> Iterator[tuple[int, int]]:
    """Yield a process and its descendants, each with its depth."""
    try:
        threads = list((PROC / str(pid) / "task").iterdir())
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return
    yield pid, depth
    for thread in threads:
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in (thread / "children").read_text().split():
                yield from descendants(int(child), depth + 1)


def command_of(pid: int) -> bytes:
    """Return the command line of a process, whose arguments end with null characters; empty if it has ended."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time so far of a process and its descendants, including those that have ended."""
    return sum(_ticks(process) for process, _ in descendants(pid)) / _TICKS


def _ticks(pid: int) -> int:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = text.rpartition(")")[2].split()  # the name before the parenthesis may contain spaces
    return sum(map(int, fields[11:15]))  # user and system time of itself, and of the children that it waited for
