"""Reading files with several pages, and regions of pages, with the real models."""

import io
import re
import subprocess
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from ppocr_serving import Reader, ReadOptions
from ppocr_serving.engines import Runtime
from ppocr_serving.errors import (
    DeadlineExceeded,
    ImageDecodeError,
    InvalidRequest,
    LimitExceeded,
    PageDeadlineExceeded,
    RequestCancelled,
)
from ppocr_serving.reading.deadline import Deadline
from ppocr_serving.reading.documents import DocumentLimits, open_document
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage
from tests.conftest import settings_for
from tests.drawing import Placed, draw_page, rotate
from tests.flat_settings import with_values
from tests.pdf_files import pdf_of_pictures, show, text_page
from tests.reading.hostile_pdfs import heavy_content

PAGES = [draw_page([Placed(text, 40, 40)], 400, 120) for text in ("First page", "Second page", "Third page")]
COLUMNS = draw_page([Placed("Platform 9", 30, 30), Placed("Departures", 330, 30), Placed("Exit", 30, 130)], 640, 200)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(settings=settings_for(Runtime.OPENVINO))


def saved(file_format: str) -> bytes:
    if file_format == "PDF":
        return pdf_of_pictures(*PAGES)
    first, *rest = [Image.fromarray(page[:, :, ::-1]) for page in PAGES]
    buffer = io.BytesIO()
    first.save(buffer, file_format, save_all=True, append_images=rest)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["PDF", "TIFF", "GIF"])
def test_each_page_is_read(reader: Reader, file_format: str) -> None:
    document = reader.read(saved(file_format))
    assert [page.text for page in document.pages] == ["First page", "Second page", "Third page"]
    assert document.text == "First page\nSecond page\nThird page"
    dpi = 200 if file_format == "PDF" else None
    for number, page in enumerate(document.pages, 1):
        assert (page.number, page.dpi, page.width, page.height, page.text_source) == (number, dpi, 400, 120, "ocr")
        assert page.error is None


def test_chosen_pages_keep_their_numbers(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "pages.pdf"
    path.write_bytes(saved("PDF"))
    document = reader.read(path, ReadOptions(pages="3,1", dpi=100))
    assert [(page.number, page.text, page.dpi, page.width) for page in document.pages] == [
        (1, "First page", 100, 200),
        (3, "Third page", 100, 200),
    ]
    assert document.name == str(path)
    with pytest.raises(
        InvalidRequest, match=r"pages.pdf: pages is '4', but the last page is 3; choose pages up to it$"
    ):
        reader.read(path, ReadOptions(pages="4"))


def test_a_picture_has_one_page(reader: Reader) -> None:
    options = ReadOptions(pages="1", dpi=300, pdf_text="prefer", password="unused")
    assert reader.read(PAGES[0], options) == reader.read(PAGES[0])
    with pytest.raises(InvalidRequest, match="pages is '2', but the last page is 1"):
        reader.read(PAGES[0], ReadOptions(pages="2"))


def test_pages_are_read_when_they_are_asked_for(reader: Reader) -> None:
    stages: list[str] = []
    pages = reader.read_pages(saved("TIFF"), watch=Stopwatch(stages.append))
    assert not stages
    assert next(pages).number == 1
    seen = len(stages)
    assert next(pages).number == 2
    assert len(stages) > seen
    pages.close()


def test_a_page_that_fails_leaves_the_others(reader: Reader) -> None:
    first, second = reader.read(heavy_content(100)).pages
    assert isinstance(first.error, ImageDecodeError)
    assert str(first.error).startswith("page 1: is damaged, or takes more than 512 MiB of memory; leave the page out")
    assert (first.number, first.width, first.height, first.lines) == (1, 1111, 556, ())
    assert (second.number, second.text, second.error) == (2, "Page 2", None)


def test_a_page_with_too_many_lines_fails_alone() -> None:
    reader = Reader(settings=with_values(settings_for(Runtime.OPENVINO), max_lines=1))
    data = pdf_of_pictures(PAGES[0], COLUMNS)
    first, second = reader.read(data).pages
    assert first.text == "First page"
    assert isinstance(second.error, LimitExceeded)


def test_a_page_whose_own_text_has_too_many_lines_fails_alone() -> None:
    reader = Reader(settings=with_values(settings_for(Runtime.OPENVINO), max_lines=1))
    data = text_page(show("Platform 9", 50, 150), show("Platform 9", 50, 150) + show("Departures", 50, 50))
    first, second = reader.read(data, ReadOptions(pdf_text="prefer")).pages
    assert (first.text, first.error) == ("Platform 9", None)
    assert (second.lines, type(second.error)) == ((), LimitExceeded)


def test_limits_of_a_file_are_told_before_any_page_is_read() -> None:
    settings = settings_for(Runtime.OPENVINO)
    few = Reader(settings=with_values(settings, max_pages=2))
    with pytest.raises(LimitExceeded, match=r"^has 3 pages; the limit is 2 per call, choose fewer with pages$"):
        few.read(saved("PDF"))
    assert len(few.read(saved("PDF"), ReadOptions(pages="2-")).pages) == 2
    small = Reader(settings=with_values(settings, max_request_pixels=100_000))
    stages: list[str] = []
    with pytest.raises(LimitExceeded, match=r"^has more than 100000 pixels on the chosen pages at 200 dpi, which is"):
        next(small.read_pages(saved("PDF"), watch=Stopwatch(stages.append)))
    assert set(stages) <= {"decode", ""}


def test_an_end_of_the_call_ends_all_pages(reader: Reader) -> None:
    deadline = Deadline(3600)
    deadline.begin()
    pages = reader.read_pages(saved("PDF"), watch=Stopwatch(lambda _: deadline.check()))
    assert next(pages).text == "First page"
    deadline.cancel()
    with pytest.raises(RequestCancelled):
        next(pages)
    late = Deadline(0.3)
    late.begin()
    with pytest.raises(DeadlineExceeded):
        list(reader.read_pages(heavy_content(20), watch=Stopwatch(lambda _: late.check())))


def test_a_page_that_takes_longer_than_a_page_may_leaves_the_others(reader: Reader) -> None:
    deadline = Deadline(3600, page_seconds=3600)
    deadline.begin()
    late = [False]

    def check() -> None:
        deadline.check()
        if late[0]:
            raise deadline.page_expired()

    with open_document(heavy_content(20), DocumentLimits.of(reader.settings), check=check) as file:
        file.prepare([1, 2], 200)
        pages = reader.read_open(file)
        late[0] = True
        first = next(pages)
        assert isinstance(first.error, PageDeadlineExceeded)
        assert str(first.error).startswith("page 1: the page was not read within 3600 seconds; ")
        assert (first.width, first.height) == (1111, 556)
        late[0] = False
        deadline.next_page()
        assert next(pages).text == "Page 2"


def test_an_open_file_can_be_read_and_drawn(reader: Reader) -> None:
    data = saved("PDF")
    options = ReadOptions(pages="2-", dpi=150)
    with open_document(data, DocumentLimits.of(reader.settings)) as document:
        pages = []
        for page in reader.read_open(document, options):
            pages.append(page)
            assert document.render(page.number, 150).image.shape == (page.height, page.width, 3)
    assert tuple(pages) == reader.read(data, options).pages
    images = list(reader.page_images(data, options))
    assert [image.shape[:2] for image in images] == [(page.height, page.width) for page in pages]


@pytest.mark.parametrize("pdf_text", ["never", "prefer"])
def test_each_page_is_shown_once_before_it_is_read(reader: Reader, pdf_text: Literal["never", "prefer"]) -> None:
    data = text_page(show("First page", 40, 100, 40), show("Second page", 40, 100, 40))
    options = ReadOptions(dpi=100, pdf_text=pdf_text)
    seen: list[BgrImage] = []
    with open_document(data, DocumentLimits.of(reader.settings)) as document:
        for number, page in enumerate(reader.read_open(document, options, look=seen.append), 1):
            assert (len(seen), page.text) == (number, ("First page", "Second page")[number - 1])
    for image, expected in zip(seen, reader.page_images(data, options), strict=True):
        np.testing.assert_array_equal(image, expected)


def test_the_picture_of_a_page_that_cannot_be_drawn_is_empty(reader: Reader) -> None:
    assert [image.shape for image in reader.page_images(heavy_content(100))] == [(0, 0, 3), (556, 1111, 3)]
    (image,) = reader.page_images(PAGES[0])
    np.testing.assert_array_equal(image, PAGES[0])
    with pytest.raises(ImageDecodeError):
        list(reader.page_images(b"no picture"))


def test_a_pdfs_own_text_is_taken_if_it_is_usable(reader: Reader) -> None:
    own = text_page(show("Platform 9", 50, 150) + show("Departures", 50, 100), "0 0 1 rg 0 0 100 100 re f")
    prefer = ReadOptions(pdf_text="prefer", words=True)
    first, second = reader.read(own, prefer).pages
    assert (first.text, first.text_source, first.dpi) == ("Platform 9\nDepartures", "pdf", 200)
    assert (second.text, second.text_source) == ("", "ocr")
    assert [line.confidence for line in first.lines] == [1, 1]
    assert [line.paragraph for line in first.lines] == [0, 0]
    assert [word.text for word in first.lines[0].words] == ["Platform", "9"]
    (read, _) = reader.read(own).pages
    assert (read.text, read.text_source) == (first.text, "ocr")
    for line, other in zip(first.lines, read.lines, strict=True):
        assert np.abs(np.subtract(line.box, other.box)).max() < 20
    assert reader.read(own, ReadOptions(pdf_text="prefer")).pages[0].lines[0].words == ()


def test_a_scan_in_a_pdf_is_read_also_where_its_own_text_is_preferred(reader: Reader) -> None:
    (page,) = reader.read(pdf_of_pictures(PAGES[0]), ReadOptions(pdf_text="prefer")).pages
    assert (page.text, page.text_source) == ("First page", "ocr")


def test_a_protected_pdf_is_read_with_its_password(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "plain.pdf").write_bytes(text_page(show("Secret 7", 50, 100, 40)))
    command = ["qpdf", "--encrypt", "pass", "owner", "256", "--", "plain.pdf", "locked.pdf"]
    subprocess.run(command, check=True, cwd=tmp_path)
    locked = tmp_path / "locked.pdf"
    assert reader.read(locked, ReadOptions(password="pass")).text == "Secret 7"
    (document,) = reader.read_many([locked])
    assert str(document.error) == f"{locked}: is a PDF that is protected by a password; give it as password"


def test_only_the_region_is_read_and_boxes_stay_those_of_the_page(reader: Reader) -> None:
    whole = {line.text: line.box for line in reader.read(COLUMNS).lines}
    (page,) = reader.read(COLUMNS, ReadOptions(region=(300, 0, 340, 100))).pages
    assert (page.width, page.height, page.text) == (640, 200, "Departures")
    assert np.abs(np.subtract(page.lines[0].box, whole["Departures"])).max() <= 6


def test_regions_come_in_the_given_order(reader: Reader) -> None:
    regions = ((0, 100, 300, 100), (300, 0, 9999, 100), (0, 0, 300, 100))
    (page,) = reader.read(COLUMNS, ReadOptions(region=regions, words=True)).pages
    assert [line.text for line in page.lines] == ["Exit", "Departures", "Platform 9"]
    assert [line.paragraph for line in page.lines] == [0, 1, 2]
    for line in page.lines:
        for word in line.words:
            assert line.box[0][0] - 3 <= word.box[0][0] <= word.box[1][0] <= line.box[1][0] + 3
    boxes = reader.detect([COLUMNS, COLUMNS], ReadOptions(region=regions))
    assert boxes == [[line.box for line in page.lines]] * 2


def test_a_turned_region_is_read_upright(reader: Reader) -> None:
    upright = draw_page(
        [Placed(f"Departures of line {number}", 30, 60 * number - 40) for number in (1, 2, 3)], 500, 200
    )
    page = np.vstack([upright, rotate(upright, 180)])
    first, second = (0, 0, 500, 200), (0, 200, 500, 200)
    texts = [f"Departures of line {number}" for number in (1, 2, 3)]
    (read,) = reader.read(page, ReadOptions(region=(first, second))).pages
    assert [line.text for line in read.lines] == texts * 2
    assert read.angle == 0  # they differ
    (turned,) = reader.read(page, ReadOptions(region=second)).pages
    assert [line.text for line in turned.lines] == texts
    assert turned.angle == 180
    assert [line.box for line in turned.lines] == [line.box for line in read.lines[3:]]
    assert all(200 <= y < 400 for line in turned.lines for _, y in line.box)
    assert turned.lines[0].box[0][0] > turned.lines[0].box[1][0]


def test_a_region_outside_of_the_page_is_an_error_that_names_its_size(reader: Reader) -> None:
    outside = ReadOptions(region=(640, 0, 10, 10))
    what = r"region is \[640, 0, 10, 10\], which is outside of this page of 640x200 pixels; give one inside$"
    with pytest.raises(InvalidRequest, match=f"^{what}"):
        reader.read(COLUMNS, outside)
    with pytest.raises(InvalidRequest, match=rf"^images\[1\]: {what}"):
        reader.pages([np.zeros((700, 700, 3), np.uint8), COLUMNS], outside)
    small, large = reader.read(pdf_of_pictures(COLUMNS, np.full((700, 700, 3), 255, np.uint8)), outside).pages
    assert str(small.error).startswith("page 1: region is [640, 0, 10, 10], which is outside of this page of 640x200")
    assert large.error is None


def test_regions_together_are_at_most_twice_the_page(reader: Reader) -> None:
    whole, part = (0, 0, 1_000_000, 1_000_000), (30, 30, 200, 60)
    (page,) = reader.pages([COLUMNS], ReadOptions(region=(whole, whole)))
    assert page.text.count("Platform 9") == 2
    message = (
        r"region has 3 parts of 268000 pixels together; the limit is 2 times the 128000 pixels of the page, give "
        r"smaller ones or fewer$"
    )
    for read in (reader.pages, reader.detect):
        with pytest.raises(LimitExceeded, match=r"^images\[0\]: " + message):
            read([COLUMNS], ReadOptions(region=(whole, whole, part)))
    (first, _) = reader.read(pdf_of_pictures(COLUMNS, COLUMNS), ReadOptions(region=(whole, whole, part))).pages
    assert first.lines == ()
    assert re.search(f"^page 1: {message}", str(first.error))


def test_regions_of_a_pdfs_own_text(reader: Reader) -> None:
    own = text_page(show("Platform 9", 50, 150) + show("Departures", 50, 60))
    options = ReadOptions(pdf_text="prefer", dpi=72, region=((0, 100, 400, 100), (0, 0, 400, 100)))
    (page,) = reader.read(own, options).pages
    assert [(line.text, line.paragraph) for line in page.lines] == [("Departures", 0), ("Platform 9", 1)]
