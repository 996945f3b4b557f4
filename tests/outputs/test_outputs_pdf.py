"""Searchable PDF: what Poppler and PDFium select in it, and what they show."""

import io
import re
import time
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from ppocr_serving import Reader, ReadOptions
from ppocr_serving.errors import ImageDecodeError, InvalidRequest
from ppocr_serving.outputs import Item, write
from ppocr_serving.outputs.pdf.direction import side_by_side
from ppocr_serving.outputs.pdf.font import font_program
from ppocr_serving.outputs.shapes import rectangle_of
from ppocr_serving.results import Box, Document, Line, Page, Word
from ppocr_serving.vision.pictures import decode_picture
from tests.outputs import samples
from tests.outputs.programs import check_pdf, pdf_text, rows, run, selected_by_pdfium, words_in
from tests.outputs.samples import DOTS_PER_POINT, Attach
from tests.pdf_files import show, text_page

_MARKS = re.compile("[\u202a-\u202e\u200e\u200f]")  # Poppler adds some


def test_the_text_of_real_pages_is_selected_as_it_was_read(
    attach: Attach, example: Document, columns: Document, tmp_path: Path
) -> None:
    path = check_pdf(write([attach(example), attach(columns)], "pdf"), tmp_path)

    assert rows(pdf_text(path)) == [*example.text.split("\n"), *columns.text.split("\n")]
    assert selected_by_pdfium(path) == [example.text, columns.text]


def test_words_lie_where_the_picture_has_them(attach: Attach, example: Document, tmp_path: Path) -> None:
    path = check_pdf(write([attach(example)], "pdf"), tmp_path)
    found = dict(words_in(path))

    for word in example.lines[1].words:
        expected = rectangle_of([word.box])
        assert [side * DOTS_PER_POINT for side in found[word.text]] == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("name", ["receipts/000.jpg", "receipts/008.jpg"])
def test_receipts_are_selected_line_by_line_and_stay_as_they_are(
    name: str, reader: Reader, shared_data: Path, attach: Attach, tmp_path: Path
) -> None:
    document = reader.read(shared_data / name, ReadOptions(words=True))
    written = write([attach(document)], "pdf")
    path = check_pdf(written, tmp_path)

    assert (shared_data / name).read_bytes() in written
    assert len(document.lines) > 30
    for selected in (pdf_text(path), *selected_by_pdfium(path)):
        text = " ".join(selected.split())
        assert [line.text for line in document.lines if " ".join(line.text.split()) not in text] == []


def test_a_turned_page_is_shown_upright_and_selected_in_its_rows(
    attach: Attach, turned: Document, tmp_path: Path
) -> None:
    path = check_pdf(write([attach(turned)], "pdf"), tmp_path)
    info = run("pdfinfo", "poppler-utils", path)
    # As Poppler sees it: upright, 420 pixels wide and 300 high.
    found = {text: [side * DOTS_PER_POINT for side in sides] for text, sides in words_in(path)}

    assert re.search(r"Page rot: +90$", info, re.M)
    left, top, right, bottom = found["Bakery"]
    assert right - left > 2 * (bottom - top)
    assert top < found["Rye"][1] < found["Apple"][1] < found["Pretzels"][1] < found["Total"][1]
    assert {"Corner", "Bakery", "Rye", "bread", "15.40"} <= {*"".join(selected_by_pdfium(path)).split()}


def tilted(text: str, angle: float, words: tuple[Word, ...] = ()) -> Line:
    """Return a line of 400 x 40 pixels around (500, 500), turned clockwise."""
    corners = np.array([(-200, -20), (200, -20), (200, 20), (-200, 20)])
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    places = np.rint(corners @ np.array([[cosine, sine], [-sine, cosine]])).astype(int) + 500
    first, second, third, fourth = ((int(x), int(y)) for x, y in places)
    box: Box = (first, second, third, fourth)
    return Line(text, 1, box, words)


@pytest.mark.parametrize("angle", [0, 1, 4, 7, 15, 45, 90, 94, 97, 135, 180, -90, -89, -12])
def test_text_follows_its_line_at_any_angle(angle: float, tmp_path: Path) -> None:
    line = tilted("slanted", angle)
    item = samples.with_blank(Item(Document((Page(1000, 1000, (line,)),))))
    path = check_pdf(write([item], "pdf"), tmp_path)

    assert selected_by_pdfium(path) == ["slanted"]
    if angle % 90 in (0, 1, 4, 86, 89):  # beyond, Poppler takes a text whose characters rise for several ones
        ((text, sides),) = words_in(path)
        assert text == "slanted"
        assert [side * DOTS_PER_POINT for side in sides] == pytest.approx(rectangle_of([line.box]), abs=16)
    with pypdfium2.PdfDocument(path) as file:
        page = file[0].get_textpage()
        centres = [
            ((box[0] + box[2]) / 2 * DOTS_PER_POINT, 1000 - (box[1] + box[3]) / 2 * DOTS_PER_POINT)
            for box in (page.get_charbox(0), page.get_charbox(6))
        ]
    along = np.array((np.cos(np.radians(angle)), np.sin(np.radians(angle))))
    for centre, distance in zip(centres, (-400 * 3 / 7, 400 * 3 / 7), strict=True):
        assert centre == pytest.approx(500 + along * distance, abs=14)


TEXTS = (
    "图中的文字，2026年。",
    "ひらがなカタカナ 한국어 Ελληνικά Русский ไทย",
    "emoji 😀👍🏽 and 𠀀𪚥",
    "e\u0301 combining",
    "(brackets) \\ <angles> %1",
    "שלום עולם",
    "مرحبا بالعالم",
)


@pytest.mark.parametrize("text", TEXTS)
def test_any_script_is_selected_as_it_was_read(text: str, tmp_path: Path) -> None:
    item = samples.with_blank(Item(Document((samples.page_of([text]),))))
    path = check_pdf(write([item], "pdf"), tmp_path)

    assert _MARKS.sub("", pdf_text(path)).split() == text.split()


def test_every_character_of_unicode_has_its_own_code(tmp_path: Path) -> None:
    wanted = [
        chr(code) for code in (*range(0x4E00, 0x9FA5, 7), *range(0x20000, 0x20000 + 1900), *range(0x1F600, 0x1F640))
    ]
    texts = ["".join(wanted[start : start + 50]) for start in range(0, len(wanted), 50)]
    item = samples.with_blank(Item(Document((samples.page_of(texts),))))
    path = check_pdf(write([item], "pdf"), tmp_path)

    assert rows(pdf_text(path)) == texts


def test_hostile_texts_break_nothing(tmp_path: Path) -> None:
    path = check_pdf(write([samples.with_blank(samples.hostile_item())], "pdf"), tmp_path)

    shown = pdf_text(path)
    assert "<img src=x onerror=alert(1)>" in shown
    assert "图中的文字" in shown
    assert len(pypdfium2.PdfDocument(path)) == 2  # the page that could not be read is an empty one


@given(samples.documents)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_is_a_pdf(tmp_path: Path, document: Document) -> None:
    numbered = tuple(
        Page(page.width, page.height, page.lines, page.angle, number, page.dpi)
        for number, page in enumerate(document.pages, 1)
    )
    data = write([samples.with_blank(Item(Document(numbered, document.name)))], "pdf")
    path = check_pdf(data, tmp_path)

    with pypdfium2.PdfDocument(path) as file:
        assert len(file) == max(1, len(numbered))


def shown_by_poppler(path: Path, folder: Path) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    run("pdftoppm", "poppler-utils", "-r", "200", "-png", "-singlefile", path, folder / "shown")
    return decode_picture((folder / "shown.png").read_bytes(), 10**8)


def difference(
    first: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", second: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]"
) -> float:
    """Return by how much pixels differ, on average."""
    return float(np.abs(first.astype(int) - second).mean())


def test_a_page_looks_as_it_did_and_its_text_is_invisible(attach: Attach, example: Document, tmp_path: Path) -> None:
    path = check_pdf(write([attach(example)], "pdf"), tmp_path)
    image = decode_picture(Path(example.name).read_bytes(), 10**6)

    with pypdfium2.PdfDocument(path) as file:
        shown = file[0].render(scale=300 / file[0].get_width()).to_numpy()
    assert difference(shown[:96, :300], image) < 10  # scaled by a hair
    assert (shown < 100).sum() == pytest.approx((image < 100).sum(), rel=0.2)
    run("pdfimages", "poppler-utils", "-png", path, tmp_path / "kept")
    assert np.array_equal(decode_picture((tmp_path / "kept-000.png").read_bytes(), 10**6), image)


def picture() -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """A picture of 160 x 80 whose corners differ."""
    image = np.full((80, 160, 3), 200, np.uint8)
    image[:40, :40] = (255, 0, 0)
    image[:40, 120:] = (0, 255, 0)
    image[40:, 120:] = (0, 0, 255)
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_embedded_as_it_is_and_shown_as_it_was_read(attach: Attach, orientation: int, tmp_path: Path) -> None:
    data = samples.jpeg_of(picture(), orientation)
    image = decode_picture(data, 10**6)
    document = Document((Page(image.shape[1], image.shape[0]),))
    written = write([attach(document, data)], "pdf")
    path = check_pdf(written, tmp_path)

    assert data in written
    assert difference(shown_by_poppler(path, tmp_path), image) < 3


def cmyk(folder: Path) -> bytes:
    Image.fromarray(picture()).convert("CMYK").save(folder / "a.jpg")
    return (folder / "a.jpg").read_bytes()


def test_an_unusual_jpeg_is_encoded_again(attach: Attach, tmp_path: Path) -> None:
    data = cmyk(tmp_path)
    image = decode_picture(data, 10**6)
    document = Document((Page(160, 80),))
    written = write([attach(document, data)], "pdf")

    assert data not in written
    assert difference(shown_by_poppler(check_pdf(written, tmp_path), tmp_path), image) < 3


def test_a_photograph_in_another_format_takes_little(attach: Attach, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 300, 3), np.uint8)
    photograph = cv2.GaussianBlur(noise, (3, 3), 0)
    data: bytes = cv2.imencode(".png", photograph)[1].tobytes()
    document = Document((Page(300, 300),))
    written = write([attach(document, data)], "pdf")

    assert len(written) < len(data)
    check_pdf(written, tmp_path)


def test_a_gray_picture_stays_gray(attach: Attach, tmp_path: Path) -> None:
    data: bytes = cv2.imencode(".png", np.full((90, 90), 77, np.uint8))[1].tobytes()
    document = Document((Page(90, 90),))
    path = check_pdf(write([attach(document, data)], "pdf"), tmp_path)

    assert " gray " in run("pdfimages", "poppler-utils", "-list", path)


@pytest.mark.parametrize(
    ("width", "height", "dpi", "points"),
    [(400, 200, None, (144, 72)), (400, 200, 100.0, (288, 144)), (100_000, 10, None, (14400, 1.44))],
)
def test_the_size_of_a_page_follows_from_its_resolution(
    width: int, height: int, dpi: float | None, points: tuple[float, float], tmp_path: Path
) -> None:
    item = samples.with_blank(Item(Document((Page(width, height, dpi=dpi),))))
    path = check_pdf(write([item], "pdf"), tmp_path)

    with pypdfium2.PdfDocument(path) as file:
        assert file[0].get_size() == pytest.approx(points)


def test_the_font_is_small_and_known_to_freetype() -> None:
    assert len(font_program()) < 500
    font = ImageFont.truetype(io.BytesIO(font_program()), 100)
    assert font.getlength("ab") == 100
    assert font.getmask("ab").getbbox() is None  # nothing is drawn


@given(st.text("abc שלום 12 .-", max_size=12))
def test_the_order_side_by_side_has_the_same_characters(text: str) -> None:
    assert sorted(side_by_side(text)) == sorted(text)


def test_the_time_for_an_order_does_not_grow_with_the_square_of_the_length() -> None:
    def seconds(characters: int) -> float:
        text = "a \u05d0 " * (characters // 4)
        times = []
        for _ in range(3):
            start = time.process_time()
            side_by_side(text)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(64_000) < 64 * max(0.001, seconds(4_000))  # 16 times the length; 256 would be the square


def test_a_line_whose_words_run_back_is_upside_down(tmp_path: Path) -> None:
    texts = ("first", "second", "third")
    words = tuple(Word(text, 1, samples.box_at(400 - 150 * n, 100, 140, 30)) for n, text in enumerate(texts))
    line = Line(" ".join(texts), 1, samples.box_at(100, 100, 440, 30), words)
    path = check_pdf(write([samples.with_blank(Item(Document((Page(600, 300, (line,)),))))], "pdf"), tmp_path)

    assert rows(pdf_text(path)) == ["first second third"]


def test_several_documents_are_pages_of_one_file(
    read_file: Attach, attach: Attach, example: Document, tmp_path: Path
) -> None:
    item = read_file(text_page(show("Hello there", 40, 100)))
    path = check_pdf(write([attach(example), item], "pdf"), tmp_path)

    assert [rows(text) for text in selected_by_pdfium(path)] == [example.text.split("\n"), ["Hello there"]]


def test_a_page_of_another_file_is_refused(attach: Attach, example: Document) -> None:
    data: bytes = cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes()
    with pytest.raises(InvalidRequest, match="page 1 has 9x9 pixels in the file, and 300x96 in the document"):
        write([attach(example, data)], "pdf")


def test_errors_of_pages_are_empty_sheets(tmp_path: Path) -> None:
    document = Document((Page(0, 0, error=ImageDecodeError("is damaged")),))
    path = check_pdf(write([samples.with_blank(Item(document))], "pdf"), tmp_path)

    assert pdf_text(path).strip() == ""
