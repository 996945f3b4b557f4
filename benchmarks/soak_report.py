"""The end of each soak: what its checks have found, and the exit code."""

import sys
from collections.abc import Iterable

from benchmarks.server import ServerFailed

__all__ = ["report"]


def report(complaints: Iterable[str]) -> int:
    """Run a soak, and print a line for each failed check.

    Args:
        complaints: Runs the soak as it is consumed; a line for each failed check.

    Returns:
        The exit code.
    """
    try:
        found = list(complaints)
    except (ServerFailed, OSError) as error:
        found = [str(error)]
    for complaint in found:
        print(f"soak: {complaint}", file=sys.stderr)
    return 1 if found else 0
