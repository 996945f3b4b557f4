"""Text over a PDF's own pages."""

import re
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest

from ppocr_serving import Reader, ReadOptions
from ppocr_serving.errors import DeadlineExceeded
from ppocr_serving.outputs import write
from ppocr_serving.outputs.shapes import rectangle_of
from ppocr_serving.results import Document, Line, Page
from ppocr_serving.vision.pdf_overlay import put_over
from ppocr_serving.vision.pictures import decode_picture
from tests.outputs import samples
from tests.outputs.programs import check_pdf, pdf_text, rows, run, selected_by_pdfium, words_in
from tests.outputs.samples import DOTS_PER_POINT, Attach
from tests.pdf_files import pdf, pdf_of_pictures, show, stream, text_page
from tests.reading import hostile_pdfs


def displayed(point: tuple[float, float], page: pypdfium2.PdfPage) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return where a point of a page is as displayed: in points from its upper left corner."""
    left, bottom, right, top = page.get_cropbox()
    x, y = point
    places = {
        0: (x - left, top - y),
        90: (y - bottom, x - left),
        180: (right - x, y - bottom),
        270: (top - y, right - x),
    }
    return np.array(places[page.get_rotation()])


def jpeg_streams(file: bytes) -> list[bytes]:
    found = re.findall(rb"stream\r?\n(\xff\xd8.*?)\r?\nendstream", file, re.S)
    assert found
    return sorted(found)


def test_a_pdf_keeps_its_pages_and_gets_text_over_them(read_file: Attach, example: Document, tmp_path: Path) -> None:
    image = decode_picture(Path(example.name).read_bytes(), 10**6)
    scan = pdf_of_pictures(image, image)
    written = write([read_file(scan)], "pdf")
    path = check_pdf(written, tmp_path)

    assert rows(pdf_text(path)) == example.text.split("\n") * 2
    assert selected_by_pdfium(path) == [example.text] * 2
    assert jpeg_streams(scan) == jpeg_streams(written)
    found = dict(words_in(path))
    expected = rectangle_of([example.lines[1].words[2].box])
    assert [side * DOTS_PER_POINT for side in found["pictures"]] == pytest.approx(expected, abs=6)


def scan(image: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", entries: str = "", before: str = "") -> bytes:
    """Return a PDF of one page with a picture that is at 72 dots per inch and 50 and 60 points from its corner."""
    height, width = image.shape[:2]
    page = (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] {entries} /Contents 4 0 R "
        "/Resources << /XObject << /I 5 0 R >> >> >>"
    )
    picture = (
        f" /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceRGB /BitsPerComponent 8 "
        "/Filter /DCTDecode"
    )
    return pdf(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            page,
            stream(f"{before}q {width} 0 0 {height} 50 60 cm /I Do Q".encode()),
            stream(cv2.imencode(".jpg", image)[1].tobytes(), picture),
        ]
    )


@pytest.mark.parametrize(
    ("turns", "entries", "before"),
    [
        (0, "", ""),
        (1, "/Rotate 90", ""),
        (2, "/Rotate 180", ""),
        (3, "/Rotate 270", ""),
        (0, "/CropBox [40 50 400 300]", ""),
        (1, "/CropBox [40 50 300 400] /Rotate 90", ""),
        (0, "", "0.9 0 0 0.9 9 9 cm "),
    ],
    ids=["upright", "right", "upside down", "left", "cut", "cut and turned", "not restored"],
)
def test_text_lies_over_the_picture_of_any_page(
    turns: int, entries: str, before: str, read_file: Attach, example: Document, tmp_path: Path
) -> None:
    image = np.rot90(decode_picture(Path(example.name).read_bytes(), 10**6), turns).copy()  # upright when displayed
    item = read_file(scan(image, entries, before), ReadOptions(words=True, dpi=144))
    path = check_pdf(write([item], "pdf"), tmp_path)
    lines = {line.text: line for line in item.document.lines}
    line = lines["Text in pictures"]

    assert [text.split("\n") for text in selected_by_pdfium(path)] == [[*lines]]
    assert rows(pdf_text(path)) == [*lines]
    with pypdfium2.PdfDocument(path) as file:
        page = file[0]
        text = page.get_textpage()
        start = text.get_text_range().index("Text in")
        for index, word in ((start, line.words[0]), (start + len("Text in pictures") - 1, line.words[2])):
            left, bottom, right, top = text.get_charbox(index)
            x, y = displayed(((left + right) / 2, (bottom + top) / 2), page)
            sides = rectangle_of([word.box])  # at 144 dots per inch
            assert sides.left - 3 <= 2 * x <= sides.right + 3
            assert sides.top - 3 <= 2 * y <= sides.bottom + 3


def test_the_same_pdf_gives_the_same_bytes_and_keeps_its_bookmarks(attach: Attach, tmp_path: Path) -> None:
    file = pdf(
        [
            "<< /Type /Catalog /Pages 2 0 R /Outlines 4 0 R >>",
            "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] /Resources << >> >>",
            "<< /Type /Outlines /First 5 0 R /Last 5 0 R /Count 1 >>",
            "<< /Title (Chapter) /Parent 4 0 R /Dest [3 0 R /Fit] >>",
        ]
    )
    line = Line("text", 1, samples.box_at(50, 50, 100, 30))
    item = attach(Document((Page(400, 400, (line,), dpi=72.0),)), file)
    written = write([item], "pdf")
    path = check_pdf(written, tmp_path)

    assert written == write([item], "pdf")
    assert b"(Chapter)" in written
    assert rows(pdf_text(path)) == ["text"]


@pytest.mark.parametrize(
    ("file", "number"),
    [(text_page(show("Hello", 9, 9))[:200], 1), (b"%PDF-1.7\n" + bytes(1000), 1), (text_page(show("Hello", 9, 9)), 7)],
    ids=["truncated", "empty", "another page"],
)
def test_nothing_is_put_over_a_page_that_is_not_there(file: bytes, number: int) -> None:
    assert put_over(file, [number], lambda _: text_page(show("over", 9, 9)), lambda: None) is None


def test_pages_that_hold_their_text_get_no_second_one(read_file: Attach) -> None:
    file = text_page(show("Hello there", 40, 100))

    assert write([read_file(file, ReadOptions(pdf_text="prefer"))], "pdf") == file


def protected(folder: Path) -> bytes:
    (folder / "open.pdf").write_bytes(text_page(show("Hello there", 40, 100)))
    run("qpdf", "qpdf", "--encrypt", "secret", "owner", "256", "--", folder / "open.pdf", folder / "locked.pdf")
    return (folder / "locked.pdf").read_bytes()


def test_a_protected_pdf_becomes_pictures(attach: Attach, reader: Reader, tmp_path: Path) -> None:
    file = protected(tmp_path)
    document = reader.read(file, ReadOptions(words=True, password="secret"))
    item = attach(document, file, "secret")
    path = check_pdf(write([item], "pdf"), tmp_path)

    assert rows(pdf_text(path)) == ["Hello there"]
    assert "image" in run("pdfimages", "poppler-utils", "-list", path)


HOSTILE = {
    "deep tree": hostile_pdfs.deep_tree(20_000),
    "endless tree": hostile_pdfs.endless_tree(),
    "heavy content": hostile_pdfs.heavy_content(20),
    "huge picture": hostile_pdfs.huge_picture(30_000),
    "nested forms": hostile_pdfs.nested_forms(8, 10),
    "no size": hostile_pdfs.page_of_size(0, 0, 0, 0),
    "huge size": hostile_pdfs.page_of_size(0, 0, 1e9, 1e9),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pdf_takes_little_and_gives_a_file_or_none(name: str, tmp_path: Path) -> None:
    file = HOSTILE[name]
    written = put_over(file, [1], lambda _: text_page(show("over", 9, 9)), lambda: None)

    assert written is None or written.startswith(b"%PDF-")
    assert written is None or len(written) < 6 * len(file) + 2_000_000
    sound = pdf_of_pictures(np.full((40, 90, 3), 255, np.uint8))
    after = put_over(sound, [1], lambda _: text_page(show("over", 9, 9)), lambda: None)
    assert after is not None
    assert rows(pdf_text(check_pdf(after, tmp_path))) == ["over"]


def test_nobody_waits_longer_than_wanted() -> None:
    def check() -> None:
        raise DeadlineExceeded("is over")

    with pytest.raises(DeadlineExceeded):
        put_over(hostile_pdfs.heavy_content(60), [1], lambda _: text_page(show("over", 9, 9)), check)
