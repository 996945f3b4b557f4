"""Run a command of benchmarks/ as a user does."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["run_command", "run_module"]

_ROOT = Path(__file__).parents[2]
_BENCHMARKS = _ROOT / "benchmarks"


def run_command(script: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script with these arguments, and with these variables besides those of this process."""
    return subprocess.run(
        [sys.executable, _BENCHMARKS / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def run_module(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a module with these arguments, and with no setting of this process, for it starts servers of its own.

    They prepare no shapes of input after their start, which would take longer than what most tests ask for.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith(("PPOCR_", "PORT"))}
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        cwd=_ROOT,
        env={**others, "PPOCR_KEPT_SHAPES": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
