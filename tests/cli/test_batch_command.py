"""`ppocr batch`: wrong usage, and what cannot be read at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from ppocr_serving.cli import batch


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["only-input"], "the following arguments are required: OUTPUT; see `ppocr batch --help`"),
        (["in", "out", "--actor", "2"], "unknown option '--actor'; did you mean --actors?"),
        (["in", "out", "--actors", "many"], "--actors is 'many': must be a whole number from 0 to 999999"),
        (["in", "out", "--actors", "2-x"], "--actors is '2-x': must be a number, or a range such as 4-64"),
        (["in", "out", "--actors", "4-"], "--actors is '4-': must be a number, or a range such as 4-64"),
        (["in", "out", "--actors", "4-2"], "--actors is '4-2': must be a number, or a range such as 4-64"),
        (["in", "out", "--threads", "-1"], "--threads"),
        (["in", "out", "--threads", "0"], "--threads is '0': must be a whole number from 1 to 999999"),
        (["in", "out", "--dpi", "9000"], "--dpi is '9000': must be a whole number from 72 to 600"),
    ],
)
def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert batch.main(arguments) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("batch: ")
    assert message in complaint


def test_an_input_without_files_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch.main([str(tmp_path), str(tmp_path / "output")]) == 1
    assert f"batch: {tmp_path} has no file to read" in capsys.readouterr().err


def test_a_missing_package_is_named_with_the_way_out() -> None:
    program = "import sys; sys.modules['fsspec'] = None; from ppocr_serving.cli import batch; batch.main(['in', 'out'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == "batch: needs the package fsspec; run pip install 'ppocr-serving[ray]'\n"
