import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.evaluate import LabelledLine, Score, read_labels, score
from ppocr_serving.cpu import supports_bfloat16

ROOT = Path(__file__).parents[2]


def line(text: str, left: float = 0, top: float = 0, right: float = 100, bottom: float = 20) -> LabelledLine:
    return LabelledLine(text, (left, top, right, bottom))


def test_equal_lines_match_regardless_of_case_and_spaces() -> None:
    assert score([line("Total 12.50")], [line("TOTAL12.50")]).f1 == 1.0


def test_a_line_elsewhere_does_not_match_but_its_characters_are_found() -> None:
    result = score([line("abc")], [line("abc", left=200, right=300)])

    assert (result.matches, result.f1, result.characters_found) == (0, 0.0, 1.0)


@pytest.mark.parametrize(("shift", "matches"), [(33, 1), (34, 0)])  # 67/133 is above one half, 66/134 below
def test_half_of_the_union_must_overlap(shift: float, matches: int) -> None:
    assert score([line("abc")], [line("abc", left=shift, right=100 + shift)]).matches == matches


def test_each_read_line_is_used_once() -> None:
    assert score([line("abc"), line("abc")], [line("abc")]) == Score(2, 1, 1, 6, 3)


def test_an_empty_score_is_zero() -> None:
    assert Score().f1 == Score().precision == Score().recall == Score().characters_found == 0.0


def test_counts_add_up_over_pictures() -> None:
    total = score([line("abc")], [line("abc")]).plus(score([line("x")], []))

    assert (total.precision, total.recall) == (1.0, 0.5)
    assert total.f1 == pytest.approx(2 / 3)


def test_labels_may_contain_commas(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("10,20,50,22,50,40,10,38,No. 5, Main Street\n", encoding="utf-8")

    assert read_labels(path) == [line("No. 5, Main Street", 10, 20, 50, 40)]


def test_a_broken_label_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("10,20,50,22,50,40,10,38,fine\n10,20,oops\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"labels\.csv:2: '10,20,oops' is not"):
        read_labels(path)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "evaluate.py", *arguments], capture_output=True, text=True, check=False
    )


def test_a_folder_without_labels_is_a_one_line_error(tmp_path: Path) -> None:
    result = run(tmp_path)

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"evaluate: {tmp_path} has no picture with a .csv file next to it\n"


def test_receipts_are_read_well_enough(shared_data: Path) -> None:
    result = run(shared_data / "receipts")

    assert result.returncode == 0, result.stderr
    values = result.stdout.split()
    f1 = float(values[values.index("F1") + 1])
    # In float32 the same models reach 0.714, as in PaddleOCR itself.
    assert f1 >= (0.72 if supports_bfloat16() else 0.71)
