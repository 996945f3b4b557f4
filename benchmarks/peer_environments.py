"""One virtual environment per peer, created once from a list of pinned packages."""

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["EnvironmentFailed", "environment_python"]

_MADE_FROM = "made_from.txt"


class EnvironmentFailed(Exception):
    """A peer's environment could not be created; the message names the log with the reason."""


def environment_python(requirements: Path, environments: Path) -> Path:
    """Create a virtual environment with this Python, or reuse the one of an earlier run.

    Args:
        requirements: A pinned list of packages for pip. They are installed as listed, without further
            dependencies: PaddleOCR depends on four builds of OpenCV. A changed list recreates the environment.
        environments: The folder to create it in; it is named after the list.

    Returns:
        The environment's Python.

    Raises:
        EnvironmentFailed: A package cannot be installed.
        OSError: The folder cannot be written, or the list cannot be read.
    """
    folder = environments / requirements.stem
    python = folder / "bin" / "python"
    wanted = f"{sys.version}\n{requirements.read_text(encoding='utf-8')}"
    made_from = folder / _MADE_FROM
    if made_from.is_file() and made_from.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {requirements.stem} into {folder} ...", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    environments.mkdir(parents=True, exist_ok=True)
    log = environments / f"{requirements.stem}.install.log"
    make = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    install = [sys.executable, "-m", "pip", "--python", str(python), "--no-input", "--disable-pip-version-check"]
    install += ["install", "--no-deps", "--requirement", str(requirements)]
    with log.open("w", encoding="utf-8") as stream:
        for command in (make, install):
            if subprocess.run(command, stdout=stream, stderr=stream, check=False).returncode != 0:
                raise EnvironmentFailed(
                    f"{requirements.stem}: could not install the packages in {requirements}; see {log}"
                )
    made_from.write_text(wanted, encoding="utf-8")  # last, so that the remains of a failure are recreated
    return python
