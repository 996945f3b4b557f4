"""Rendering what was changed since it was read: pages removed, lines edited, added and removed."""

import base64
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from tests.asgi import Answer
from tests.pdf_files import pdf_of_pictures, show, text_page
from tests.served.samples import file_of, page
from tests.web.v1.service import Native, native

THREE = text_page(*(show(f"Page {word}", 40, 100, 40) for word in ("one", "two", "three")))
ONE, TWO = page(["First line", "Second line"]), page(["Page two"])


@pytest.fixture(scope="module")
def service() -> Iterator[Native]:
    with native() as served:
        yield served


def rendered(service: Native, documents: Sequence[Any], files: Sequence[bytes], form: str) -> Answer:
    body = {
        "documents": documents,
        "files": [{"data": base64.b64encode(file).decode()} for file in files],
        "options": {"format": form},
    }
    answer = service.post("/v1/render", json.dumps(body).encode(), "application/json")
    assert answer.status == 200, answer.body
    return answer


def lines_of(document: dict[str, Any], number: int = 0) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = document["pages"][number]["paragraphs"][0]["lines"]
    return lines


def texts_of_pdf(file: bytes) -> list[str]:
    return [page.get_textpage().get_text_bounded().strip() for page in pypdfium2.PdfDocument(file)]


def test_a_page_that_is_left_of_a_pdf_is_drawn_from_its_own_picture(service: Native) -> None:
    (document,) = service.read(THREE, "application/pdf", dpi="100").json["documents"]
    for number in (1, 2, 3):
        left = {**document, "pages": [document["pages"][number - 1]]}
        drawn = Image.open(io.BytesIO(rendered(service, [left], [THREE], "png").body))
        own = service.read(THREE, "application/pdf", dpi="100", pages=str(number), format="png").body
        np.testing.assert_array_equal(np.asarray(drawn), np.asarray(Image.open(io.BytesIO(own))))
    assert rendered(service, [left], [THREE], "text").body == b"Page three\n"


def test_a_single_pdf_keeps_its_pages_and_gets_text_where_there_is_a_document_of_it(service: Native) -> None:
    scans = pdf_of_pictures(*(np.asarray(picture.convert("RGB"))[:, :, ::-1] for picture in (ONE, TWO, ONE)))
    (document,) = service.read(scans, "application/pdf", pages="2").json["documents"]
    lines_of(document)[0]["text"] = "Page 2"
    assert texts_of_pdf(rendered(service, [document], [scans], "pdf").body) == ["", "Page 2", ""]


def test_pages_that_are_left_of_a_tiff_file_become_the_pages_of_a_pdf(service: Native) -> None:
    file = io.BytesIO()
    ONE.copy().save(file, "TIFF", save_all=True, append_images=[TWO.copy(), ONE.copy()])
    (document,) = service.read(file.getvalue()).json["documents"]
    first, second, _ = document["pages"]
    pdf = rendered(service, [{**document, "pages": [second, first]}], [file.getvalue()], "pdf").body
    assert texts_of_pdf(pdf) == ["Page two", "First line\r\nSecond line"]
    read = service.read(pdf, "application/pdf", format="text").body.decode()  # what it shows, not what is below it
    assert read.replace("\f", "").splitlines() == ["Page two", "First line", "Second line"]


def test_several_pictures_become_one_pdf_with_a_page_each(service: Native) -> None:
    files = [file_of(TWO), file_of(ONE, "JPEG"), file_of(TWO)]
    documents = service.read_json(files).json["documents"]
    lines_of(documents[2])[0]["text"] = "Page 3"
    pdf = rendered(service, documents, files, "pdf").body
    assert texts_of_pdf(pdf) == ["Page two", "First line\r\nSecond line", "Page 3"]


def test_lines_can_be_edited_added_and_removed(service: Native) -> None:
    (document,) = service.read(file_of(ONE)).json["documents"]
    (paragraph,) = document["pages"][0]["paragraphs"]
    first, second = paragraph["lines"]
    (x, y), (right, _), _, (_, bottom) = second["box"]
    added = {"text": "Added by hand", "box": [[x, y + 60], [right, y + 60], [right, bottom + 60], [x, bottom + 60]]}
    paragraph["lines"] = [{**first, "text": "Edited line"}, added]
    files = [file_of(ONE)]

    assert rendered(service, [document], files, "text").body == b"Edited line\nAdded by hand\n"
    again = rendered(service, [document], files, "json").json["documents"][0]
    assert [line["text"] for line in lines_of(again)] == ["Edited line", "Added by hand"]
    assert [line["order"] for line in lines_of(again)] == [1, 2]
    for form in ("markdown", "hocr", "alto", "csv"):
        written = rendered(service, [document], files, form).body.decode()
        for word in ("Edited", "Added"):
            assert word in written
        assert "Second" not in written
    assert texts_of_pdf(rendered(service, [document], files, "pdf").body) == ["Edited line\r\nAdded by hand"]
    drawn = rendered(service, [document], files, "png").body
    assert "Added by hand" in service.read(drawn, format="text").body.decode()

    document["pages"][0]["paragraphs"] = []
    assert rendered(service, [document], files, "text").body.strip() == b""
    assert texts_of_pdf(rendered(service, [document], files, "pdf").body) == [""]
