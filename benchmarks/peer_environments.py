"""A virtual environment a peer, made once from a list of pinned packages."""

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["EnvironmentFailed", "environment_python"]

_MADE_FROM = "made_from.txt"


class EnvironmentFailed(Exception):
    """A peer's environment cannot be made; the message says where the reason stands."""


def environment_python(requirements: Path, environments: Path) -> Path:
    """Makes a virtual environment with this Python, or finds the one that an earlier run made.

    Args:
        requirements: A pinned list of packages for pip. They are installed as they are listed, without what their
            metadata asks for: PaddleOCR's asks for four builds of OpenCV. Another list makes the environment anew.
        environments: The folder to make it in; it is called like the list.

    Returns:
        The environment's Python.

    Raises:
        EnvironmentFailed: A package cannot be installed.
        OSError: The folder cannot be written, or the list not be read.
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
                    f"{requirements.stem}: its packages cannot be installed; {log} says why, {requirements} lists them"
                )
    made_from.write_text(wanted, encoding="utf-8")  # last: what is left behind by a failure is made anew
    return python
