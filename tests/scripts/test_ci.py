""".ci/run: which exit statuses of the image tests it accepts."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def write_command(path: Path, body: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose tests do nothing, and an apt-get that installs nothing."""
    for name in (".ci/run", "scripts/lib.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    write_command(tmp_path / "scripts" / "test.sh", "exit 0")
    write_command(tmp_path / "bin" / "apt-get", "exit 0")
    return tmp_path


def run(clone: Path, status: int, **variables: str) -> "subprocess.CompletedProcess[str]":
    write_command(clone / "scripts" / "test_image.sh", f"echo reason >&2\nexit {status}")
    path = f"{clone / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        [str(clone / ".ci" / "run")],
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_passing_image_tests_are_a_success(clone: Path) -> None:
    assert run(clone, 0).returncode == 0


def test_failing_image_tests_are_a_failure(clone: Path) -> None:
    result = run(clone, 3)

    assert result.returncode == 3
    assert "ci: scripts/test_image.sh ended with status 3" in result.stderr


def test_images_are_skipped_only_where_their_tools_cannot_be_installed(clone: Path) -> None:
    result = run(clone, 77)

    assert "reason" in result.stderr
    assert result.returncode == (1 if os.geteuid() == 0 else 0)


def test_images_can_be_skipped(clone: Path) -> None:
    result = run(clone, 3, CI_IMAGES="0")

    assert (result.returncode, "reason" in result.stderr) == (0, False)
    assert "skipping the images" in result.stdout


def test_failing_tests_are_a_failure(clone: Path) -> None:
    write_command(clone / "scripts" / "test.sh", "exit 5")

    result = run(clone, 0)

    assert result.returncode == 5
    assert "'./scripts/test.sh' failed with status 5" in result.stderr
