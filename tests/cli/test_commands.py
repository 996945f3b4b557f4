"""The commands of `ppocr`, and a Python that lacks its packages."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ppocr_serving import __version__
from ppocr_serving.cli.commands import COMMANDS, load_command

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


def test_the_help_lists_the_commands_and_each_has_its_own() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert {"serve", "read", "models"} <= set(COMMANDS)
    for command, summary in COMMANDS.items():
        assert re.search(rf"^  {command} +{re.escape(summary)}$", done.stdout, re.MULTILINE)
        own = run(command, "--help")
        assert (own.returncode, own.stderr) == (0, "")
        assert own.stdout.startswith(f"usage: ppocr {command} [-h]")
        assert f"examples:\n  ppocr {command} " in own.stdout or f" ppocr {command}\n" in own.stdout
        assert load_command(command).build_parser().prog == f"ppocr {command}"


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout == f"ppocr {__version__}\n"


def test_the_command_is_installed_and_is_the_module() -> None:
    script = Path(sys.executable).with_name("ppocr")
    done = subprocess.run([str(script), "--help"], capture_output=True, text=True, check=True)
    assert done.stdout == run("--help").stdout


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("raed", "unknown command 'raed'; did you mean read?"),
        ("model", "unknown command 'model'; did you mean models?"),
        ("xyz", f"unknown command 'xyz'; there are {', '.join(COMMANDS)}"),
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


def completed(script: str, *words: str) -> list[str]:
    """Return what bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in words)
    program = (
        f"{script}\nCOMP_WORDS=(ppocr {quoted}); COMP_CWORD={len(words)}; _shtab_ppocr; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return [line.strip() for line in done.stdout.splitlines()]


def test_a_shell_completes_commands_options_and_values() -> None:
    script = run("completion", "bash").stdout
    assert completed(script, "re") == ["read"]
    assert completed(script, "models", "ver") == ["verify"]
    assert set(completed(script, "read", "--det-l")) == {"--det-limit-side-len", "--det-limit-type"}
    assert completed(script, "bench", "--arr") == ["--arrivals"]
    assert "README.md" in completed(script, "read", "READ")
    assert "README.md" in completed(script, "batch", "READ")
    assert completed(script, "batch", "README.md", "do") == ["docker", "docs"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_every_shell_gets_a_script(shell: str) -> None:
    done = run("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--drop-score" in done.stdout or "drop-score" in done.stdout


def test_a_package_that_is_missing_is_named() -> None:
    hidden = "import sys; sys.modules['shtab'] = sys.modules['httpx2'] = None; import ppocr_serving.__main__ as program"
    for arguments, message in (
        (["completion", "bash"], "completion: needs the package shtab; run pip install 'ppocr-serving[completion]'"),
        (
            ["read", "docs/example.png", "--url", "http://127.0.0.1"],
            "read: ppocr_serving.client needs the package httpx2; run pip install 'ppocr-serving[client]'",
        ),
        (
            ["bench", "http://127.0.0.1", "--rate", "1"],
            "bench: ppocr_serving.client needs the package httpx2; run pip install 'ppocr-serving[client]'",
        ),
    ):
        statement = f"{hidden}; sys.argv = ['ppocr', *{arguments}]; sys.exit(program.main())"
        done = subprocess.run([sys.executable, "-c", statement], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{message}\n")
