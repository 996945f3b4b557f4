"""What pictures cost: a real server, real processes, and the arithmetic."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks.cost import Cost, Usage, format_table, summarize
from benchmarks.processes import cpu_seconds, descendants
from tests.benchmarks.commands import run_command

ROOT = Path(__file__).parents[2]
BURN = "import time\nwhile time.process_time() < 0.5: pass\n"


run = partial(run_command, "cost.py")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "ab":
        shutil.copy(ROOT / "docs" / "example.png", folder / f"{name}.png")
    return folder


@pytest.fixture
def parent() -> "Iterator[subprocess.Popen[str]]":
    """A process with one child that has computed and ended, and one that has computed and lives."""
    code = (
        f"import subprocess, sys\nburn = {BURN!r}\nsubprocess.run([sys.executable, '-c', burn], check=True)\n"
        "alive = subprocess.Popen([sys.executable, '-c', burn + 'print(1, flush=True); input()'], stdin=-1)\n"
        "input()\nalive.communicate()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def test_the_time_of_all_processes_counts_also_of_those_that_have_ended(parent: "subprocess.Popen[str]") -> None:
    assert parent.stdout is not None
    assert parent.stdout.readline() == "1\n"
    assert [depth for _, depth in descendants(parent.pid)] == [0, 1]
    assert cpu_seconds(parent.pid) >= 0.9
    parent.communicate("\n")
    assert cpu_seconds(parent.pid) == 0


def test_a_folder_has_a_row_in_which_something_was_used(pictures: Path) -> None:
    result = run(pictures, "--repetitions", "1")

    assert result.returncode == 0, result.stderr
    *_, row = result.stdout.splitlines()
    _, profile, folder, number, lines, *figures, _ = (cell.strip() for cell in row.split("|"))
    assert re.fullmatch(r"`ppocr-v[\w.-]+`", profile)
    assert (folder, number, lines) == ("photos", "2", "2")
    assert all(float(figure) > 0 for figure in figures)


def test_medians_are_scaled_to_a_thousand_pictures() -> None:
    cost = summarize([Usage(4, 6, 5e8), Usage(40, 60, 5e9), Usage(2, 3, 25e7)], pictures=20, lines=50)

    assert cost == Cost(20, 2.5, 200, 300, 0.5, 100)
    assert format_table({("some", "photos"): cost}).splitlines()[-1] == (
        "| `some` | photos | 20 | 2 | 200 | 0.50 | 300 | 100 |"
    )


def test_what_is_wrong_is_said_in_a_line(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    no_pictures, no_profile = run(tmp_path / "empty"), run(pictures, "--profile", "absent")

    assert [done.returncode for done in (no_pictures, no_profile)] == [1, 1]
    assert no_pictures.stderr == "cost: empty contains no pictures; give a folder of picture files\n"
    assert re.fullmatch(r"cost: profile 'absent' does not exist; .*\n", no_profile.stderr)


@pytest.mark.thorough
def test_a_picture_that_the_server_refuses_is_named(pictures: Path) -> None:
    damaged = pictures / "b.png"
    damaged.write_bytes(damaged.read_bytes()[:200])

    result = run(pictures)

    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(rf"cost: .*{damaged}: status 400: .*\n", result.stderr)


def test_folders_of_the_same_name_are_refused(pictures: Path, tmp_path: Path) -> None:
    other = shutil.copytree(pictures, tmp_path / "more" / pictures.name)
    result = run(pictures, other)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "cost: several folders have the same name, which would be one row; rename one\n"
