"""The commands of `python -m ppocr_serving`, and a Python that lacks its packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str, isolated: bool = False) -> "subprocess.CompletedProcess[str]":
    options = ["-S"] if isolated else []  # without the folder of packages
    return subprocess.run(
        [sys.executable, *options, "-m", "ppocr_serving", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"]])
def test_the_help_lists_the_commands(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("serve", "read", "models"):
        assert f"\n  {command} " in done.stdout
        assert run(command, "--help").returncode == 0


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("raed", "unknown command 'raed'; did you mean read?"),
        ("model", "unknown command 'model'; did you mean models?"),
        ("xyz", "unknown command 'xyz'; there are serve, read, models"),
    ],
)
def test_an_unknown_command_is_refused_with_a_known_one(command: str, message: str) -> None:
    done = run(command)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"ppocr_serving: {message}\n")


@pytest.mark.parametrize("arguments", [[], ["read", "a.png"], ["models", "list"], ["raed"]])
def test_a_python_without_the_packages_is_told_of_the_right_one(arguments: list[str]) -> None:
    done = run(*arguments, isolated=True)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"ppocr_serving: {sys.executable} has no package msgspec; ")
    assert line.endswith(str(ROOT / ".venv" / "bin" / "python"))
