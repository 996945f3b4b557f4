"""Processes that others have started, as /proc shows them, while threads and processes end at any time."""

import os

from benchmarks.processes import command_of, descendants

__all__ = ["children"]


def children(pid: int | None = None, command: bytes = b"") -> list[int]:
    """Return the processes that a process has started, from any of its threads.

    Args:
        pid: The process; None is this one.
        command: What their command line contains.
    """
    found = descendants(pid or os.getpid())
    return [child for child, depth in found if depth == 1 and command in command_of(child)]
