"""The end of each soak and of the fuzzer: what its checks have found, and the exit code."""

import sys
from collections.abc import Iterable

from benchmarks.server import ServerFailed

__all__ = ["report"]


def report(complaints: Iterable[str], name: str = "soak") -> int:
    """Run a soak, and print a line for each failed check.

    Args:
        complaints: Runs the soak as it is consumed; a line for each failed check.
        name: What the lines begin with.

    Returns:
        The exit code.
    """
    try:
        found = list(complaints)
    except (ServerFailed, OSError) as error:
        found = [str(error)]
    for complaint in found:
        print(f"{name}: {complaint}", file=sys.stderr)
    return 1 if found else 0
