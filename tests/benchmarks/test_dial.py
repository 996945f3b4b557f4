"""The dial of lines that are read twice: its table, its chart, and its arithmetic."""

import re
import shutil
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.dial import Point, Reading, format_table, summarize
from benchmarks.dial_chart import Curve, draw_chart
from benchmarks.labels import LabelledLine
from tests.benchmarks.commands import run_command
from tests.reading.profiles import Prepare, prepare

__all__ = ["prepare"]  # a fixture

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


run = partial(run_command, "dial.py")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A picture of Japanese with labels, which the first recogniser cannot read, and one without."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for suffix in ("png", "csv"):
        shutil.copy(ROOT / "docs" / "languages" / f"japanese.{suffix}", folder / f"1_ja.{suffix}")
    shutil.copy(ROOT / "docs" / "example.png", folder / "2_en.png")
    return folder


def line(text: str, top: float = 0) -> LabelledLine:
    return LabelledLine(text, (0, top, 100, top + 10))


def test_more_lines_are_read_twice_and_read_better(pictures: Path, prepare: Prepare, tmp_path: Path) -> None:
    prepare("ppocr-v6")
    result = run(
        pictures, "--profile", "ppocr-v6", "--precision", "f32", "--value", "0", "--value", "0.9",
        "--repetitions", "1", "--split", r"_(\w+)", "--chart", tmp_path / "dial.svg",
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in result.stdout.splitlines()[2:]]
    assert [row[:3] for row in rows] == [
        [f"pictures {name}", "f32", value] for name in ("ja", "en") for value in ("0", "0.9", "1")
    ]
    japanese, english = rows[:3], rows[3:]
    assert [row[3:7] for row in japanese[1:]] == [["1.0000", "0.00", "1.000", "100%"]] * 2
    assert (float(japanese[0][3]), japanese[0][6]) == (0, "0%")
    assert [row[3:5] for row in english] == [["-", "-"]] * 3
    assert [row[6] for row in english] == ["0%", "0%", "100%"]
    titles = [element.text for element in ElementTree.parse(tmp_path / "dial.svg").iter(f"{SVG}text")]
    assert {"pictures ja", "pictures en", "f32", "0.9"} <= set(titles)


def test_a_row_is_compared_with_its_labels_and_with_the_second_recogniser_alone() -> None:
    labels = [line("one"), line("two", 20)]
    readings = {
        0.0: [[Reading([line("one"), line("tvo", 20)], 10, 0)], [Reading([line("x")], 30, 0)]],
        1.0: [[Reading(labels, 40, 2), Reading(labels, 20, 2)], [Reading([line("x"), line("y", 20)], 50, 2)]],
    }

    points = summarize(readings, [labels, None])

    assert [(point.milliseconds, point.second) for point in points.values()] == [(20, 0), (40, 1)]
    assert [point.agreement for point in points.values()] == [pytest.approx(2 * 2 / (4 + 3)), 1]
    scores = [point.score for point in points.values() if point.score is not None]
    assert [each.words.f1 for each in scores] == [0.5, 1]


def test_no_labels_no_accuracy() -> None:
    points = summarize({1.0: [[Reading([], 5, 0)]]}, [None])
    assert points == {1.0: Point(None, 0, 5, 0)}
    assert format_table({("empty", "f32"): points}).splitlines()[-1] == "| empty | f32 | 1 | - | - | 0.000 | 0% | 5 |"


def test_all_points_of_a_chart_lie_inside_their_panels_and_better_is_higher() -> None:
    curves = [
        Curve(panel, name, "word F1", [("0", 10 * scale, 0.7), ("1", 50 * scale, 0.9)])
        for panel, scale in (("a & b", 1), ("c", 20), ("d", 3))
        for name in ("bf16", "f32")
    ]
    chart = ElementTree.fromstring(draw_chart(curves))
    _, _, width, height = map(float, chart.attrib["viewBox"].split())
    panels = list(chart.iter(f"{SVG}g"))

    assert [next(panel.iter(f"{SVG}text")).text for panel in panels] == ["a & b", "c", "d"]
    for panel in panels:
        ((left, top),) = re.findall(r"translate\((\d+) (\d+)\)", panel.attrib["transform"])
        for polyline in panel.iter(f"{SVG}polyline"):
            (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in polyline.attrib["points"].split())
            assert 0 < float(left) + x1 < float(left) + x2 < width
            assert 0 < float(top) + y2 < float(top) + y1 < height


def test_what_is_wrong_is_said_in_a_line(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        ((tmp_path / "empty",), f"dial: {tmp_path}/empty contains no pictures; give a folder of picture files"),
        ((pictures, "--profile", "ppocr-v4-mobile"), "dial: .* there is no second recogniser in profile .*"),
    ):
        result = run(*arguments)
        assert (result.returncode, result.stdout) == (1, "")
        assert re.fullmatch(rf"{message}\n", result.stderr)
