import re
import shutil
from pathlib import Path

import pytest

from benchmarks.door_cost import main
from tests.served.server import PYTHON, ROOT


@pytest.mark.thorough
def test_each_way_of_sending_a_picture_and_a_pdf_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(ROOT / "docs" / "example.png", tmp_path)

    code = main([str(tmp_path), "--rounds", "1", "--pages", "2", "--command", f"{PYTHON} -m ppocr_serving"])

    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    rows = dict(re.findall(r"^\| ([^|]+) \| ([\d.]+) \|", printed.out, re.MULTILINE))
    assert {
        "predict ocr_system",
        "v1/read raw json",
        "v1/read json json",
        "as one PDF",
        "the rendered pages one by one",
    } <= rows.keys()
    assert all(float(number) > 0 for number in rows.values())


def test_a_folder_without_pictures_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err
