"""Typeset pages read with the real models: in which order, and who asks for which."""

from collections.abc import Sequence

import numpy as np
import pytest

from ppocr_serving import Line, ReadOptions
from ppocr_serving.engines import Runtime
from ppocr_serving.settings import Settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage
from tests.conftest import V4, settings_for
from tests.drawing import rotate
from tests.flat_settings import with_values
from tests.matching import edit_similarity, without_spaces
from tests.services import Service, create_service
from tests.typesetting import boxes_of, draw
from tests.vision.page_layouts import PAGES

ROWS, NATURAL = ReadOptions(reading_order="rows"), ReadOptions(reading_order="natural")
MIXED_BY_ROWS = "two columns"
READ = (  # the others differ in places alone, which test_layout.py has
    "three columns",
    "header across two columns",
    "side note",
    "table of 4 x 5 cells",
    "receipt",
    "vertical Japanese",
)


def picture_of(name: str) -> BgrImage:
    page = PAGES[name]
    return draw(page.lines, page.width, page.height)


def text_of(name: str) -> str:
    return without_spaces("".join(line.text for line in PAGES[name].lines))


def read_text(lines: Sequence[Line]) -> str:
    return without_spaces("".join(line.text for line in lines))


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("name", READ)
def test_drawn_pages_are_read_in_order(services: dict[str, Service], name: str) -> None:
    (page,) = services["ocr_system"].reader.read(picture_of(name)).pages
    centres = boxes_of(PAGES[name].lines).mean(axis=1)
    found = [int(np.abs(centres - np.mean(line.box, axis=0)).sum(axis=1).argmin()) for line in page.lines]
    # A line may be found in two pieces, and a mark without letters not at all.
    assert found == sorted(found)
    assert edit_similarity(read_text(page.lines), text_of(name)) > 0.9


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("degrees", [-7, 4])
def test_two_columns_of_a_slanted_page_are_read_in_order(services: dict[str, Service], degrees: float) -> None:
    slanted = rotate(picture_of(MIXED_BY_ROWS), degrees)
    lines = services["ocr_system"].reader.read(slanted).lines
    assert edit_similarity(read_text(lines), text_of(MIXED_BY_ROWS)) > 0.9


@pytest.mark.thorough_with_paddle
def test_paragraphs_are_those_that_were_set(services: dict[str, Service]) -> None:
    (page,) = services["ocr_system"].reader.read(picture_of(MIXED_BY_ROWS)).pages
    assert [len(paragraph) for paragraph in page.paragraphs] == [
        len(lines) for lines in PAGES[MIXED_BY_ROWS].paragraphs
    ]
    assert sum(page.paragraphs, ()) == page.lines


@pytest.mark.thorough_with_paddle
def test_paragraphs_are_the_same_in_rows(services: dict[str, Service]) -> None:
    reader = services["ocr_system"].reader
    (natural,) = reader.read(picture_of(MIXED_BY_ROWS)).pages
    (rows,) = reader.read(picture_of(MIXED_BY_ROWS), ROWS).pages
    assert rows.lines != natural.lines
    assert [set(paragraph) for paragraph in rows.paragraphs] == [set(paragraph) for paragraph in natural.paragraphs]


@pytest.mark.thorough_with_paddle
def test_paragraphs_of_rows_may_be_left_out(services: dict[str, Service]) -> None:
    reader, image = services["ocr_system"].reader, picture_of(MIXED_BY_ROWS)
    (with_paragraphs,) = reader.pages([image], ROWS)
    (page,) = reader.pages([image], ROWS, paragraphs=False)
    assert page.paragraphs == (page.lines,)
    assert [(line.text, line.box) for line in page.lines] == [(line.text, line.box) for line in with_paragraphs.lines]
    assert reader.pages([image], NATURAL, paragraphs=False) == reader.pages([image], NATURAL)


# ---- who asks for which order


def regions(service: Service, options: ReadOptions | None = None) -> list[object]:
    (lines,) = service.run([picture_of(MIXED_BY_ROWS)], Stopwatch(), options)
    return [line["text_region"] for line in lines]


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("module", ["ocr_system", "ocr_det"])
def test_the_modules_keep_rows_unless_asked(services: dict[str, Service], settings: Settings, module: str) -> None:
    service = services[module]
    rows, natural = regions(service, ROWS), regions(service, NATURAL)
    assert rows != natural
    assert sorted(map(str, rows)) == sorted(map(str, natural))
    assert regions(service) == rows
    assert regions(service, ReadOptions(drop_score=0.5)) == rows
    asked = create_service(module, with_values(settings, reading_order="natural"))
    assert regions(asked) == natural
    assert regions(asked, ROWS) == rows


def test_paddleocrs_order_stays_whatever_is_asked_for() -> None:
    service = create_service("ocr_system", with_values(settings_for(Runtime.OPENVINO, V4), compatible=True))
    assert regions(service, NATURAL) == regions(service, ROWS) == regions(service)
    (page,) = service.reader.pages([picture_of(MIXED_BY_ROWS)], NATURAL)
    assert [[[x, y] for x, y in line.box] for line in page.lines] == regions(service)
