"""The end of each command that watches a server: what its checks have found, and the exit code."""

import sys
from collections.abc import Iterable

from benchmarks.doors import Lost
from benchmarks.server import ServerFailed

__all__ = ["report"]


def report(complaints: Iterable[str], name: str = "soak") -> int:
    """Run such a command, and print a line for each failed check.

    Args:
        complaints: Runs it as it is consumed; a line for each failed check.
        name: What the lines begin with.

    Returns:
        The exit code.
    """
    try:
        found = list(complaints)
    except (ServerFailed, Lost, OSError) as error:
        found = [str(error)]
    for complaint in found:
        print(f"{name}: {complaint}", file=sys.stderr)
    return 1 if found else 0
