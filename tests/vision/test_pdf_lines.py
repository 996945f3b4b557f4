"""The text that pages of PDFs hold themselves, and where it is."""

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ppocr_serving.reading.documents import DocumentLimits, open_document
from ppocr_serving.results import Line
from tests.pdf_files import show, text_page

LIMITS = DocumentLimits(500, 50_000_000, 2_000_000_000)


def lines_of(data: bytes, dpi: int = 72) -> tuple[Line, ...] | None:
    with open_document(data, LIMITS) as document:
        return document.text_lines(1, dpi)


def found(data: bytes) -> tuple[Line, ...]:
    lines = lines_of(data)
    assert lines is not None
    return lines


def test_lines_and_words_have_their_places() -> None:
    data = text_page(show("Platform 9", 50, 150) + show("Departures", 50, 100))
    first, second = found(data)
    assert (first.text, second.text) == ("Platform 9", "Departures")
    assert first.confidence == second.confidence == 1
    assert [word.text for word in first.words] == ["Platform", "9"]
    (left, top), (right, _), (_, bottom), _ = first.box
    assert (left, top < 36, bottom > 50) == (
        50,
        True,
        True,
    )  # the page is 200 high, and the baseline at 50 from its top
    assert first.words[0].box[0] == (left, top)
    assert first.words[1].box[1][0] == right
    assert first.words[0].box[1][0] < first.words[1].box[0][0]


def test_boxes_are_those_of_another_library(tmp_path: Path) -> None:
    data = text_page(
        show("Platform 9", 50, 150) + show("Departures", 150, 60, 12), page="/Rotate 90 /CropBox [20 10 380 190]"
    )
    (tmp_path / "page.pdf").write_bytes(data)
    subprocess.run(
        ["pdftotext", "-bbox", "-cropbox", str(tmp_path / "page.pdf"), str(tmp_path / "page.html")], check=True
    )
    tree = ElementTree.fromstring((tmp_path / "page.html").read_text(encoding="utf-8"))
    expected = {
        str(node.text): [float(node.attrib[name]) for name in ("xMin", "yMin", "xMax", "yMax")]
        for node in tree.iter("{http://www.w3.org/1999/xhtml}word")
    }
    words = {word.text: word.box for line in found(data) for word in line.words}
    assert words.keys() == expected.keys() == {"Platform", "9", "Departures"}
    for text, box in words.items():
        xs, ys = zip(*box, strict=True)
        assert max(abs(a - b) for a, b in zip((min(xs), min(ys), max(xs), max(ys)), expected[text], strict=True)) < 5


@pytest.mark.parametrize(
    ("rotate", "order"),
    [(0, "left top"), (90, "right top"), (180, "right bottom"), (270, "left bottom")],
)
def test_a_turned_page_begins_its_boxes_at_the_top_left_of_the_text(rotate: int, order: str) -> None:
    (line,) = found(text_page(show("Platform", 50, 100), page=f"/Rotate {rotate}"))
    xs, ys = zip(*line.box, strict=True)
    side = "left" if line.box[0][0] == min(xs) else "right"
    end = "top" if line.box[0][1] == min(ys) else "bottom"
    assert f"{side} {end}" == order
    # Clockwise: the second corner is at the end of the text's upper edge.
    (x0, y0), (x1, y1) = line.box[:2]
    assert (x1 - x0, y1 - y0) == {
        0: (max(xs) - min(xs), 0),
        90: (0, max(ys) - min(ys)),
        180: (min(xs) - max(xs), 0),
        270: (0, min(ys) - max(ys)),
    }[rotate]


def test_text_that_runs_upwards_is_one_line() -> None:
    (line,) = found(text_page(show("Platform 9", 100, 20, 20, (0, 1, -1, 0))))
    assert line.text == "Platform 9"
    assert line.box[0][1] > line.box[1][1]
    assert [word.text for word in line.words] == ["Platform", "9"]


def test_columns_of_one_row_are_two_lines() -> None:
    lines = found(text_page(show("Left", 20, 100) + show("Right", 250, 100)))
    assert [line.text for line in lines] == ["Left", "Right"]


def test_text_outside_of_the_visible_page_is_left_out() -> None:
    data = text_page(show("Inside", 100, 100) + show("Outside", 100, 10), page="/CropBox [50 50 350 190]")
    assert [line.text for line in found(data)] == ["Inside"]


@pytest.mark.parametrize(
    "data",
    [
        text_page(""),
        text_page("0 0 100 100 re f"),
        text_page(show("   ", 50, 50)),
        text_page(
            show("Hello abc", 50, 50), font="/Encoding << /Type /Encoding /Differences [72 /q1 101 /q2 108 /q3] >>"
        ),
    ],
    ids=["empty", "drawing", "blanks", "unmapped"],
)
def test_a_page_without_usable_text_has_none(data: bytes) -> None:
    assert lines_of(data) is None


def test_a_few_unmapped_characters_are_left_out() -> None:
    text = "abcdefgh" * 2 + "z"
    (line,) = found(text_page(show(text, 50, 50), font="/Encoding << /Type /Encoding /Differences [122 /q1] >>"))
    assert line.text == text[:-1]


def test_boxes_grow_with_the_resolution() -> None:
    data = text_page(show("Platform 9", 50, 150))
    (small,), (large,) = lines_of(data, 72) or (), lines_of(data, 144) or ()
    for (x, y), (double_x, double_y) in zip(small.box, large.box, strict=True):
        assert abs(2 * x - double_x) <= 2
        assert abs(2 * y - double_y) <= 2
