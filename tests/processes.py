"""Processes that others have started, as /proc shows them, while threads and processes end at any time."""

import os
from pathlib import Path

__all__ = ["children"]


def children(pid: int | None = None, command: bytes = b"") -> list[int]:
    """Return the processes that a process has started, from any of its threads.

    Args:
        pid: The process; None is this one.
        command: What their command line contains.
    """
    found: list[int] = []
    for task in Path(f"/proc/{pid or os.getpid()}/task").iterdir():
        found += map(int, _read(task / "children").split())
    return [child for child in found if command in _read(Path(f"/proc/{child}/cmdline"))]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
