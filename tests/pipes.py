"""Processes that are stopped at a known place: at a pipe that has no other end."""

from contextlib import suppress

from benchmarks.processes import PROC


def waits_at_a_pipe(pid: int) -> bool:
    """Return whether a process has opened a named pipe, and waits for somebody to open its other end."""
    with suppress(OSError):  # it has ended
        return any(task.read_text() == "wait_for_partner" for task in (PROC / str(pid)).glob("task/*/wchan"))
    return False
