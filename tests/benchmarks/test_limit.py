"""The engine calls alone, and ways of batching them."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.limit import regrouped
from tests.benchmarks.commands import run_command

ROOT = Path(__file__).parents[2]


def test_the_engine_calls_alone_take_less_time_than_the_pipeline(tmp_path: Path) -> None:
    shutil.copy(ROOT / "docs" / "example.png", tmp_path)
    result = run_command("limit.py", tmp_path, "--repetitions", "5")
    assert result.returncode == 0, result.stderr
    ratio = re.search(r"the floor: .* \| (\d+\.\d+) \|$", result.stdout, re.MULTILINE)
    assert ratio is not None
    assert float(ratio[1]) > 0.8  # more than 1 on an idle machine


@pytest.mark.parametrize("script", ["limit.py", "parallel.py"])
def test_a_folder_without_pictures_is_a_one_line_error(script: str, tmp_path: Path) -> None:
    result = run_command(script, tmp_path)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert f"{tmp_path} has no pictures" in result.stderr


def test_lines_of_equal_width_are_batched_and_none_is_lost() -> None:
    lines = [np.full((1, 3, 2, width), number, np.float32) for number, width in enumerate([8, 4, 8, 8, 4, 6])]
    batches = regrouped(lines, 2)
    assert [batch.shape for batch in batches] == [(2, 3, 2, 4), (1, 3, 2, 6), (2, 3, 2, 8), (1, 3, 2, 8)]
    assert sorted(int(line[0, 0, 0]) for batch in batches for line in batch) == list(range(6))
