"""What LiteParse's OCR API specification asks of a server."""

import pytest

from tests.served.samples import file_of, page
from tests.web.adapters.conftest import Served
from tests.web.adapters.pictures import BLANK, HELLO, INVOICE, INVOICE_LINES, pdf_of


def test_the_documented_request_is_answered(served: Served) -> None:
    """`curl -X POST http://localhost:8080/ocr -F "file=@document.png" -F "language=en"`."""
    answer = served.post_form("/ocr", {"language": "en"}, {"file": ("document.png", INVOICE)})

    assert answer.status == 200
    results = answer.json["results"]
    assert [row["text"] for row in results] == INVOICE_LINES
    for row in results:
        left, top, right, bottom = row["bbox"]
        assert 0 <= left < right <= 640
        assert 0 <= top < bottom
        assert 0.5 < row["confidence"] <= 1
        xs, ys = zip(*row["polygon"], strict=True)
        assert (min(xs), min(ys), max(xs), max(ys)) == (left, top, right, bottom)
        assert row["polygon"][0] == pytest.approx([left, top], abs=5)


@pytest.mark.parametrize("language", ["", "zh", "eng", "chi_sim", "de", "zh-cn", "ja"])
def test_languages_that_the_models_read_are_accepted(served: Served, language: str) -> None:
    assert served.post_form("/ocr", {"language": language}, {"file": ("a.png", HELLO)}).status == 200


def test_a_language_that_the_models_do_not_read_is_refused(served: Served) -> None:
    answer = served.post_form("/ocr", {"language": "ko"}, {"file": ("a.png", HELLO)})
    assert answer.status == 400
    assert answer.json["error"].startswith("language is 'ko', which the models do not read; they read zh-Hans, ")


def test_nothing_found_is_an_empty_list(served: Served) -> None:
    assert served.post_form("/ocr", {}, {"file": ("a.png", BLANK)}).json == {"results": []}


def test_what_is_no_picture_is_refused_in_its_form(served: Served) -> None:
    answer = served.post_form("/ocr", {}, {"file": ("a.png", b"text")})
    assert answer.status == 400
    assert "supported format" in answer.json["error"]


def test_a_document_with_several_pages_is_refused(served: Served) -> None:
    pages = pdf_of([page(["One"]), page(["Two"])])
    answer = served.post_form("/ocr", {}, {"file": ("a.pdf", pages)})
    assert answer.status == 413
    assert answer.json["error"] == "the file has 2 pages, and this answer holds one; send them one by one"


def test_an_unknown_field_is_refused(served: Served) -> None:
    answer = served.post_form("/ocr", {"lang": "en"}, {"file": ("a.png", HELLO)})
    assert answer.status == 400
    assert answer.json["error"] == "'lang' is not a field of this request; did you mean language?"


def test_two_files_are_refused(served: Served) -> None:
    answer = served.post_form("/ocr", {}, {"file": ("a.png", HELLO), "more": ("b.png", file_of(page(["B"])))})
    assert answer.status in (400, 413)
