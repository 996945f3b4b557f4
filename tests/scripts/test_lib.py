"""Functions shared by the scripts."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STANZA = """\
Types: deb
# http://snapshot.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
"""


def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a Bash program as the scripts are run."""
    head = f"set -euo pipefail; source '{ROOT}/scripts/lib.sh'; explain_failures example\n"
    return subprocess.run(
        ["bash", "-c", head + program, "example.sh", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("files", "mirror"),
    [
        ({}, ""),
        ({"sources.list.d/debian.sources": STANZA}, "http://mirror.example/debian"),
        ({"sources.list": "# old\ndeb http://one.example/debian bookworm main\n"}, "http://one.example/debian"),
        (
            {"sources.list": "deb [arch=amd64 signed-by=/x] https://one.example/debian bookworm main\n"},
            "https://one.example/debian",
        ),
        # Entries for other suites, disabled, for sources only, or not fetched over HTTP are ignored.
        (
            {
                "sources.list": "deb cdrom:[Debian 12]/ bookworm main\ndeb-src http://source.example bookworm main\n",
                "sources.list.d/a.list": "deb http://other.example stable main\n",
                "sources.list.d/b.sources.disabled": STANZA.replace("mirror", "disabled"),
                "sources.list.d/c.sources": STANZA.replace("mirror", "off") + "Enabled: no\n\n" + STANZA,
            },
            "http://mirror.example/debian",
        ),
        ({"sources.list.d/other.sources": STANZA.replace("bookworm", "trixie")}, ""),
        ({"sources.list.d/folded.sources": STANZA.replace("URIs:", "URIs:\n")}, "http://mirror.example/debian"),
    ],
    ids=["none", "deb822", "one-line", "options", "unusable", "other-suite", "folded"],
)
def test_the_mirror_of_a_suite_is_found_in_apts_sources(tmp_path: Path, files: dict[str, str], mirror: str) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    result = run('found=$(apt_mirror bookworm "$1"); echo "$found"', str(tmp_path))

    assert (result.returncode, result.stdout, result.stderr) == (0, f"{mirror}\n", "")


@pytest.mark.parametrize(
    "program",
    [
        "false",
        "work() { false; echo not reached; }; work",
        "found=$(false)",
        "(false)",
        "false | cat",
    ],
)
def test_a_command_that_fails_silently_is_named(program: str) -> None:
    result = run(program)

    assert result.returncode == 1
    assert result.stdout == ""
    assert "example: " in result.stderr
    assert "failed with status 1" in result.stderr


@pytest.mark.parametrize("program", ["true", "false || true", "if false; then :; fi", "! true || exit 0", "exit 0"])
def test_failures_that_do_not_end_a_script_are_not_reported(program: str) -> None:
    result = run(program)

    assert (result.returncode, result.stderr) == (0, "")


SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.sh") if path.name != "lib.sh")


@pytest.mark.parametrize("script", [*(f"scripts/{name}" for name in SCRIPTS), ".ci/run"])
def test_every_script_explains_its_failures(script: str) -> None:
    text = (ROOT / script).read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert "\nexplain_failures " in text


def test_a_terminal_shows_the_seconds_while_a_command_runs(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    head = f"source '{ROOT}/scripts/lib.sh'; "
    program = "count_seconds packages \"$0\" bash -c 'echo noise; echo more >&2; sleep 1.5; exit 7'"
    try:
        done = subprocess.run(
            ["bash", "-c", head + program, str(tmp_path / "log")], stdout=subprocess.PIPE, stderr=theirs, check=False
        )
        shown = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert (done.returncode, done.stdout) == (7, b"")
    assert (tmp_path / "log").read_text() == "noise\nmore\n"
    assert shown.startswith("\rpackages: 0 s\033[K")
    assert "\rpackages: 1 s\033[K" in shown
    assert shown.endswith("\r\033[K")


def test_no_seconds_are_shown_without_a_terminal(tmp_path: Path) -> None:
    result = run('count_seconds packages "$1" echo noise', str(tmp_path / "log"))

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / "log").read_text() == "noise\n"
