"""Run a command of benchmarks/ as a user does."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["run_command"]

_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run_command(script: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script with these arguments, and with these variables besides those of this process."""
    return subprocess.run(
        [sys.executable, _BENCHMARKS / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
