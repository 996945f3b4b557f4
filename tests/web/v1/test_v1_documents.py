"""Files with pages through the native API, answers in parts, and rendering."""

import base64
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from ppocr_serving import errors
from ppocr_serving.settings import ServerSettings
from tests.asgi import Answer
from tests.exposition import Samples
from tests.pdf_files import show, text_page
from tests.served.samples import file_of, line, page
from tests.web.v1.service import Native, form_of, native

ONE, TWO = page(["Page one"]), page(["Page two"])
TYPED = text_page(show("First page", 40, 100, 40), show("Second page", 40, 100, 40))


@pytest.fixture(scope="module")
def service() -> Iterator[Native]:
    with native(ServerSettings(max_images=4, max_request_pixels=1_000_000)) as served:
        yield served


def several(file_format: str, pictures: list[Image.Image]) -> bytes:
    first, *others = (picture.copy() for picture in pictures)  # to save a picture leaves something in it
    file = io.BytesIO()
    first.save(file, file_format, save_all=True, append_images=others)
    return file.getvalue()


def pages_of(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    (document,) = answer.json["documents"]
    pages: list[dict[str, Any]] = document["pages"]
    return pages


def text_of(page: dict[str, Any]) -> str:
    return " ".join(line["text"] for paragraph in page["paragraphs"] for line in paragraph["lines"])


def records(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    assert answer.body.endswith(b"\n")
    return [json.loads(record) for record in answer.body.splitlines()]


@pytest.mark.parametrize("file_format", ["TIFF", "GIF"])
def test_all_pages_of_a_picture_file_are_read(service: Native, file_format: str) -> None:
    pages = pages_of(service.read(several(file_format, [ONE, TWO]), f"image/{file_format.lower()}"))
    assert [(one["number"], text_of(one)) for one in pages] == [(1, "Page one"), (2, "Page two")]
    (second,) = pages_of(service.read(several(file_format, [ONE, TWO]), pages="2"))
    assert (second["number"], text_of(second)) == (2, "Page two")


def test_pages_of_a_pdf_are_rendered_or_their_own_text_is_taken(service: Native) -> None:
    first, second = pages_of(service.read(TYPED, "application/pdf", dpi="150"))
    assert (first["dpi"], first["text_source"], text_of(first)) == (150, "ocr", "First page")
    assert text_of(second) == "Second page"
    (only,) = pages_of(service.read(TYPED, "application/pdf", pdf_text="prefer", pages="2-"))
    assert (only["number"], only["text_source"], text_of(only)) == (2, "pdf", "Second page")


def test_pages_that_are_read_are_counted_and_those_that_cannot_be_are_not(service: Native) -> None:
    counting = service._replace(application=service.client.application(ServerSettings()))
    pages_of(counting.read(TYPED, "application/pdf", dpi="72"))
    damaged = several("TIFF", [ONE, TWO, ONE])[:-2000]
    pages = pages_of(counting.read(damaged, partial="true"))
    failed = [one for one in pages if one["error"]]
    assert failed
    found = Samples(counting.get("/metrics").body.decode())
    assert found.value("ppocr_pictures_total") == 2
    assert found.value("ppocr_pages_total") == 2 + len(pages) - len(failed)


@pytest.mark.parametrize("file_format", ["TIFF", "PDF"])
def test_several_pages_for_an_answer_of_one_are_refused_before_they_are_read(service: Native, file_format: str) -> None:
    counting = service._replace(application=service.client.application(ServerSettings()))
    file = several(file_format, [ONE, TWO])
    answer = counting.read_form([("file", "a.b", file)], format="png")
    assert answer.status == 400
    assert answer.json["error"]["message"] == (
        "files[0] (a.b): the format png shows one page, and 2 are chosen; choose one, as pages=1 does"
    )
    answer = counting.read_form([("file", "a.b", file), ("file", "c.png", file_of(ONE))], format="png")
    assert answer.status == 400
    assert answer.json["error"]["message"] == ("the format png shows one page, and there are 2 files; send one of them")
    found = Samples(counting.get("/metrics").body.decode())
    assert found.value("ppocr_requests_total", status="400") == 2
    assert found.value("ppocr_stage_seconds_count", stage="det_engine") == 0
    assert counting.read(file, format="png", pages="1").status == 200


def test_only_a_region_is_read(service: Native) -> None:
    both = file_of(page(["Upper line", "Lower line"]))
    (found,) = pages_of(service.read(both, region="0,90,640,110"))
    assert text_of(found) == "Lower line"
    answer = service.read_json([both], {"region": [0, 0, 640, 90]})
    assert text_of(pages_of(answer)[0]) == "Upper line"
    assert answer.json["documents"][0]["origin"]["options"]["region"] == "0,0,640,90"


def test_all_pages_together_have_a_limit_of_pixels(service: Native) -> None:
    answer = service.read_form([("file", "a.tif", several("TIFF", [ONE] * 16))])
    assert answer.status == 413
    assert answer.json["error"]["name"] == "a.tif"
    assert service.read(several("TIFF", [ONE] * 16), pages="1-2").status == 200


def test_all_files_together_have_a_limit_of_pixels(service: Native) -> None:
    scan = several("PDF", [ONE])
    answer = service.read_form([("file", f"{name}.pdf", scan) for name in "ab"], dpi="200")
    assert answer.status == 413
    assert answer.json["error"]["message"].startswith("files[1] (b.pdf) brings the call to more than 1000000 pixels ")
    assert answer.json["error"]["file"] == 1


def test_a_file_of_no_known_format_is_told_all_of_them(service: Native) -> None:
    for file, message in (
        (b"text", "is not a picture or document in a supported format; send one of JPEG, "),
        (b"", "is empty; "),
    ):
        error = service.read_form([("file", "a.txt", file)]).json["error"]
        assert error["code"] == "image_decode_error"
        assert error["message"].startswith(f"files[0] (a.txt) {message}")
        assert not file or error["message"].endswith("GIF, PDF")


def test_a_page_that_cannot_be_read_is_named_or_leaves_the_others_an_answer() -> None:
    tiff = several("TIFF", [ONE, Image.new("RGB", (1100, 1000)), TWO])
    with native(max_pixels=1_000_000) as small:
        refused = small.read_form([("file", "a.png", file_of(ONE)), ("file", "b.tif", tiff)])
        error = refused.json["error"]
        assert (refused.status, error["code"]) == (413, "limit_exceeded")
        assert (error["file"], error["name"], error["page"]) == (1, "b.tif", 2)
        assert error["message"].startswith("files[1] (b.tif): page 2: ")

        first, second, third = pages_of(small.read(tiff, partial="true"))
        assert (text_of(first), text_of(third)) == ("Page one", "Page two")
        assert second["error"]["code"] == "limit_exceeded"

        kinds = [(one["type"], one.get("number")) for one in records(small.read(tiff, format="jsonl"))]
        assert kinds == [("page", None), ("error", 2), ("page", None), ("end", None)]


def test_json_lines_end_with_the_first_error_if_others_do_not_count(service: Native) -> None:
    parts = [("file", "a.png", file_of(ONE)), ("file", "b.pdf", b"%PDF-1.7 damaged"), ("file", "c.png", file_of(TWO))]
    found = records(service.read_form(parts, format="jsonl", partial="false"))
    assert [one["type"] for one in found] == ["page", "error"]
    assert found[1]["error"]["file"] == 1
    found = records(service.read_form(parts, format="jsonl"))
    assert [(one["type"], one.get("document")) for one in found] == [
        ("page", 0),
        ("error", 1),
        ("page", 2),
        ("end", None),
    ]
    assert (found[3]["documents"], found[3]["pages"], found[3]["errors"]) == (3, 2, 1)


def test_a_password_opens_a_pdf_and_is_shown_nowhere(service: Native) -> None:
    answer = service.read(TYPED, "application/pdf", password="open sesame", pages="1")
    assert answer.status == 200
    assert b"sesame" not in answer.body
    assert "sesame" not in str(answer.headers)


def test_what_was_read_is_rendered_the_same_without_reading_again(service: Native) -> None:
    for file, name in ((file_of(ONE), "a.png"), (file_of(ONE, "JPEG"), "a.jpg"), (TYPED, "a.pdf")):
        read = service.read_form([("file", name, file)], dpi="100")
        for form in ("text", "markdown", "hocr", "alto", "csv", "pdf"):
            expected = service.read_form([("file", name, file)], dpi="100", format=form)
            parts = [("documents", "answer.json", read.body), ("file", name, file), ("format", None, form.encode())]
            rendered = service.post("/v1/render", *form_of(parts))
            assert rendered.status == 200, rendered.body
            if form in ("text", "markdown", "csv"):
                assert rendered.body == expected.body
            assert rendered.headers["Content-Type"] == expected.headers["Content-Type"]
            assert rendered.headers["Content-Disposition"] == expected.headers["Content-Disposition"]
            assert "rec_engine" not in rendered.headers["Server-Timing"]


def test_corrections_are_rendered(service: Native) -> None:
    documents = service.read(file_of(ONE)).json["documents"]
    documents[0]["pages"][0]["paragraphs"][0]["lines"][0]["text"] = "Page 1"
    files = [{"data": base64.b64encode(file_of(ONE)).decode(), "name": "one.png"}]
    for sent in (documents, {"documents": documents, "page_images": []}):
        body = json.dumps({"documents": sent, "options": {"format": "text"}}).encode()
        assert service.post("/v1/render", body, "application/json").body == b"Page 1\n"
        body = json.dumps({"documents": sent, "files": files}).encode()
        shown = service.post("/v1/render", body, "application/json", "application/pdf")
        assert shown.headers["Content-Type"] == "application/pdf"
        again = service.read(shown.body, "application/pdf", pdf_text="prefer", format="text")
        assert again.body == b"Page 1\n"


def test_errors_of_any_code_in_a_document_are_rendered(service: Native) -> None:
    codes = [getattr(errors, name).code for name in errors.__all__]
    reasons = [{"code": code, "message": f"because of {code}"} for code in (*codes, "of-another-program")]
    pages = [{"width": 0, "height": 0, "number": n, "error": reason} for n, reason in enumerate(reasons, 1)]
    body = json.dumps({"documents": [{"pages": pages}], "options": {"format": "jsonl"}}).encode()
    found = records(service.post("/v1/render", body, "application/json"))
    assert [one["error"]["message"] for one in found[:-1]] == [reason["message"] for reason in reasons]
    for reason in reasons:  # the client's word, and not what happens to this request
        body = json.dumps({"documents": [{"pages": [], "error": reason}], "options": {"format": "png"}}).encode()
        answer = service.post("/v1/render", body, "application/json")
        assert answer.status in (400, 413, 504), reason
        assert answer.json["error"]["message"] == reason["message"]


def test_errors_in_documents_count_the_bytes_of_their_own_field(service: Native) -> None:
    for documents, byte in ((b"nonsense", 1), (b'[{"pages": x}]', 11), (b'{"documents": x}', 14)):
        form = form_of([("documents", None, documents)])
        answer = service.post("/v1/render", form.body, form.content_type)
        assert answer.status == 400
        message = answer.json["error"]["message"]
        assert re.search(rf"^documents: are not an answer in JSON \(.*\(byte {byte}\)\); send what ", message), message


@pytest.mark.parametrize("content_type", ["", "application/json"])
def test_an_empty_request_to_render_is_told_what_is_missing(service: Native, content_type: str) -> None:
    answer = service.post("/v1/render", b"", content_type)
    assert answer.status == 400
    assert answer.json["error"]["message"].startswith("documents: there are none; send what /v1/read has answered ")


def test_what_cannot_be_rendered_is_refused(service: Native) -> None:
    documents = service.read(file_of(ONE)).json["documents"]
    other = base64.b64encode(file_of(line("Hello"))).decode()
    one = base64.b64encode(file_of(ONE)).decode()
    (first,) = documents[0]["pages"]
    for body, status, message in (
        ({}, 400, "documents: there are none; "),
        ({"documents": []}, 400, "documents: the list is empty; "),
        ({"documents": 1}, 400, "documents: must be a list, and is a whole number"),
        ({"documents": {"a": 1}}, 400, "documents: are not an answer in JSON "),
        (
            {"documents": [{"pages": [{"width": "wide"}]}]},
            400,
            "documents[0].pages[0].width: must be a whole number, and is text",
        ),
        ({"documents": documents, "files": [one, one]}, 400, "files: 2, but documents: 1; send "),
        ({"documents": documents, "options": {"words": True}}, 400, "unknown option 'words'"),
        ({"documents": documents, "options": {"format": "pdf"}}, 400, "format=pdf needs the files of the documents; "),
        ({"documents": documents, "files": [other], "options": {"format": "png"}}, 400, "page 1 has "),
        (
            {"documents": [{"pages": [first | {"number": 2}]}], "files": [one], "options": {"format": "pdf"}},
            400,
            "the file has no page 2, and the document has one; ",
        ),
        ({"documents": documents * 5}, 413, "there are 5 documents; the limit is 4, "),
    ):
        answer = service.post("/v1/render", json.dumps(body).encode(), "application/json")
        assert answer.status == status, answer.body
        assert answer.json["error"]["message"].startswith(message), answer.json
    form = form_of([("documents", "a.json", b"[]"), ("documents", "b.json", b"[]")])
    answer = service.post("/v1/render", form.body, form.content_type)
    assert answer.json["error"]["message"] == "documents: is there twice; send it once"
    documents[0]["pages"][0]["number"] = 2
    shown = json.dumps({"documents": documents, "files": [one], "options": {"format": "png"}})
    answer = service.post("/v1/render", shown.encode(), "application/json")
    assert (answer.status, answer.json["error"]["code"]) == (400, "invalid_request")
    answer = service.post("/v1/render", file_of(ONE), "image/png")
    assert (answer.status, answer.json["error"]["code"]) == (415, "unsupported_media_type")


def test_an_answer_in_binary_goes_through_a_gateway_as_base64(service: Native) -> None:
    event = {
        "path": "/v1/read",
        "queryString": {"format": "pdf"},
        "body": base64.b64encode(file_of(ONE)).decode(),
        "isBase64Encoded": True,
    }
    answer = service.post("/invoke", json.dumps(event).encode()).json
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert base64.b64decode(answer["body"]).startswith(b"%PDF-")
    lines = service.post("/invoke", json.dumps({**event, "queryString": {"format": "jsonl"}}).encode()).json
    assert not lines["isBase64Encoded"]
    assert [json.loads(one)["type"] for one in lines["body"].splitlines()] == ["page", "end"]


def test_a_pdf_of_scans_becomes_searchable(service: Native) -> None:
    scans = several("PDF", [ONE, TWO])
    searchable = service.read(scans, "application/pdf", format="pdf", dpi="72")
    assert searchable.headers["Content-Type"] == "application/pdf"
    pages = pages_of(service.read(searchable.body, "application/pdf", pdf_text="prefer", dpi="72"))
    assert [(one["text_source"], text_of(one)) for one in pages] == [("pdf", "Page one"), ("pdf", "Page two")]


def test_a_file_that_takes_too_long_is_named(service: Native) -> None:
    hurried = service._replace(application=service.client.application(ServerSettings(request_timeout=1e-6)))
    parts = [("file", "a.png", file_of(ONE)), ("file", "b.tif", several("TIFF", [ONE, TWO]))]
    answer = hurried.read_form(parts)
    error = answer.json["error"]
    assert (answer.status, error["code"], error["name"]) == (504, "page_deadline_exceeded", "a.png")
    assert service.read_form(parts).status == 200
