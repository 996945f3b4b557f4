"""Reading files through the native API: ways to send them, options, and errors."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from ppocr_serving.engines import Runtime
from ppocr_serving.errors import EngineError, Overloaded
from ppocr_serving.settings import ServerSettings
from ppocr_serving.web.v1.refusals import error_record, refuse
from tests.asgi import Answer
from tests.conftest import settings_for
from tests.pdf_files import show, text_page
from tests.served.samples import file_of, line, page
from tests.web.reading_pool import reading
from tests.web.v1.service import Native, form_of, native

HELLO = file_of(line("Hello World"))
PDF = text_page(show("Total 42", 40, 100, 40))
INVOICE = file_of(page(["Invoice 2024", "Total 318.50"]))


@pytest.fixture(scope="module")
def service() -> Iterator[Native]:
    with native(max_pixels=1_000_000, max_lines=3) as served:
        yield served


def texts(answer: Answer) -> list[list[str]]:
    """Return the lines of each document."""
    assert answer.status == 200, answer.body
    return [
        [one["text"] for page in document["pages"] for paragraph in page["paragraphs"] for one in paragraph["lines"]]
        for document in answer.json["documents"]
    ]


def error_of(answer: Answer) -> tuple[int, str, str]:
    error = answer.json["error"]
    assert error["request_id"] == answer.headers["X-Request-Id"]
    return answer.status, error["code"], error["message"]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "content_type",
    ["image/png", "image/x-what-ever", "application/octet-stream", "", "application/x-www-form-urlencoded"],
)
def test_a_file_may_be_the_body_whatever_its_type_says(service: Native, content_type: str) -> None:
    assert texts(service.read(HELLO, content_type)) == [["Hello World"]]


def test_files_may_be_parts_of_a_form_in_order_and_under_any_name(service: Native) -> None:
    answer = service.read_form([("file", "a.png", HELLO), ("x", "b.png", INVOICE)])
    assert texts(answer) == [["Hello World"], ["Invoice 2024", "Total 318.50"]]
    assert [document["name"] for document in answer.json["documents"]] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    "file",
    [
        {"data": b64(HELLO), "name": "a.png"},
        {"data": f"data:image/png;base64,{b64(HELLO)}"},
        {"data": f"data:application/octet-stream;name=x.png;base64,{b64(HELLO)}"},
        b64(HELLO),
    ],
)
def test_files_may_be_base64_in_json(service: Native, file: Any) -> None:
    answer = service.read(json.dumps({"files": [file]}).encode(), "application/json; charset=utf-8")
    assert texts(answer) == [["Hello World"]]


def test_options_come_from_the_query_and_the_body_and_those_of_the_body_win(service: Native) -> None:
    assert texts(service.read(HELLO, drop_score="1")) == [[]]
    assert texts(service.read_form([("file", "a.png", HELLO), ("drop_score", None, b"1.0")])) == [[]]
    assert texts(service.read_json([HELLO], {"drop_score": 1})) == [[]]
    form = form_of([("file", "a.png", HELLO), ("drop_score", None, b"0.1")])
    assert texts(service.read(form.body, form.content_type, drop_score="1")) == [["Hello World"]]


def test_each_answer_says_what_made_it(service: Native) -> None:
    answer = service.read(HELLO, words="true")
    origin = answer.json["documents"][0]["origin"]
    assert origin["profile"] == "ppocr-v6"
    assert origin["options"]["words"] is True
    assert origin["options"]["reading_order"] == "natural"
    assert {name.partition("/")[0] for name in origin["files"]} == {"det", "cls", "rec", "reread"}
    assert all(len(digest) == 64 for digest in origin["files"].values())
    assert json.loads(answer.headers["X-OCR-Origin"])["files"] == origin["files"]
    times = dict(entry.split(";dur=") for entry in answer.headers["Server-Timing"].split(", "))
    assert float(times["total"]) >= float(times["rec_engine"]) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop_scor": "0.5"}, "unknown option 'drop_scor'; did you mean drop_score?"),
        ({"drop_score": "high"}, "drop_score is 'high': must be a number from 0 to 1"),
        ({"words": "maybe"}, "words is 'maybe'; allowed: true, false"),
        ({"format": "markdow"}, "unknown format 'markdow'; did you mean markdown?"),
        ({"format": "PDF"}, "unknown format 'PDF'; did you mean pdf?"),
        ({"languages": "ko"}, "languages: 'ko' is not read here; no profile reads it, but docs/languages.md says "),
        ({"languages": "eng"}, "languages: 'eng' is not read here; did you mean en? The models read zh-Hans, "),
        ({"languages": "ch"}, "languages: 'ch' is not read here; did you mean zh-Hans? The models read "),
        ({"languages": "?"}, "languages: '?' is not read here; give tags such as en or zh-Hans, "),
        ({"languages": ",".join(["en"] * 21)}, "languages has 21 languages; the limit is 20"),
        ({f"a{number}": "" for number in range(65)}, "the query has more than 64 options; "),
        ({"page_images": "true", "format": "text"}, "page_images is true, but the format is text; use format=json"),
    ],
)
def test_wrong_options_are_refused_with_the_way_out(service: Native, options: dict[str, str], message: str) -> None:
    status, code, text = error_of(service.read(HELLO, **options))
    assert (status, code) == (400, "invalid_request")
    assert text.startswith(message)


def test_side_lengths_have_the_same_limit_as_elsewhere(service: Native) -> None:
    assert error_of(service.read(HELLO, det_limit_side_len="2001")) == (
        413,
        "limit_exceeded",
        "det_limit_side_len is 2001; the limit is 2000 per request",
    )


@pytest.mark.parametrize("languages", ["en", "en-GB", "zh", "zh_Hans,en"])
def test_hints_for_languages_that_are_read_are_accepted(service: Native, languages: str) -> None:
    assert texts(service.read(HELLO, languages=languages)) == [["Hello World"]]
    assert texts(service.read_json([HELLO], {"languages": languages.split(",")})) == [["Hello World"]]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code", "message"),
    [
        (b"", "image/png", 400, "invalid_request", "the request has no file; "),
        (b"no picture", "image/png", 400, "image_decode_error", "files[0] is not a "),
        (HELLO, "text/plain", 415, "unsupported_media_type", "the content type is 'text/plain'; send image/*, "),
        (b"file=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type", "the body is a form of type "),
        (b"[]", "application/json", 400, "invalid_request", "the body: is a list; send an object: "),
        (b"{", "application/json", 400, "invalid_request", "the body: is not valid JSON "),
        (b"{}", "application/json", 400, "invalid_request", "the request has no file; "),
        (b'{"images": []}', "application/json", 400, "invalid_request", "'images': unknown key; send "),
        (b'{"files": 1}', "application/json", 400, "invalid_request", "files: is a number; send a list: "),
        (b'{"files": [1]}', "application/json", 400, "invalid_request", "files[0]: the file: is a number; send an "),
        (b'{"files": [{}]}', "application/json", 400, "invalid_request", "files[0]: data: the key is missing; "),
        (b'{"files": [{"data": "?"}]}', "application/json", 400, "image_decode_error", "files[0] is not valid base64"),
        (b'{"files": [{"data": 1}]}', "application/json", 400, "image_decode_error", "files[0]: data: is not valid "),
        (b'{"files": [{"dat": 1}]}', "application/json", 400, "invalid_request", "files[0]: 'dat': unknown key; "),
        (b'{"files": [{"data": "", "name": 1}]}', "application/json", 400, "invalid_request", "files[0]: name: is a "),
        (b'{"files": [], "options": []}', "application/json", 400, "invalid_request", "options: is a list; send an "),
        (b'{"files": [], "options": {"a": 1e999}}', "application/json", 400, "invalid_request", "options: contains a "),
        (b'{"documents": []}', "application/json", 400, "invalid_request", "documents: is for /v1/render; send "),
        (b"", "multipart/form-data", 400, "invalid_request", "the content type has no boundary; "),
        (b"--x", "multipart/form-data; boundary=x", 400, "invalid_request", "the form is not well-formed ("),
    ],
)
def test_what_has_not_the_required_form_is_refused(
    service: Native, body: bytes, content_type: str, status: int, code: str, message: str
) -> None:
    answer = service.read(body, content_type)
    assert error_of(answer)[:2] == (status, code)
    assert error_of(answer)[2].startswith(message)


@pytest.mark.parametrize("file", [HELLO, PDF], ids=["picture", "pdf"])
def test_a_file_that_curl_has_changed_is_refused_with_what_to_use_instead(service: Native, file: bytes) -> None:
    changed = file.replace(b"\n", b"").replace(b"\r", b"")  # as curl -d does
    status, code, message = error_of(service.read(changed, "application/x-www-form-urlencoded"))
    assert (status, code) == (400, "image_decode_error")
    assert message.endswith("; curl -d changes a file, --data-binary sends it as it is")
    assert "curl" not in error_of(service.read(changed, "image/png"))[2]


def test_a_field_with_the_name_of_a_file_is_refused_with_how_to_send_it(service: Native) -> None:
    answer = service.read_form([("file", None, b"example.png")])
    status, code, message = error_of(answer)
    assert (status, code) == (400, "invalid_request")
    assert message.startswith("'file': the field has no file, but a text; write @ before the name of a file, ")
    assert message.endswith("as curl -F file=@picture.png does")


def test_an_error_names_the_file_that_it_is_about(service: Native) -> None:
    answer = service.read_form([("file", "a.png", HELLO), ("file", "../b.png", b"no picture")])
    error = answer.json["error"]
    assert (answer.status, error["code"], error["file"], error["name"]) == (400, "image_decode_error", 1, "b.png")
    assert error["message"].startswith("files[1] (b.png) is not a ")


def test_files_that_can_be_read_are_answered_if_that_is_asked_for(service: Native) -> None:
    answer = service.read_form([("file", "a.png", b"no picture"), ("file", "b.png", HELLO)], partial="true")
    assert texts(answer) == [[], ["Hello World"]]
    first, second = answer.json["documents"]
    assert first["error"]["code"] == "image_decode_error"
    assert first["error"]["message"].startswith("is not a ")
    assert second["error"] is None


def test_a_request_has_limits_of_files_pixels_and_lines(service: Native) -> None:
    many = [("file", "a.png", HELLO)] * 5
    assert error_of(service.read_form(many)) == (413, "limit_exceeded", "files: 5 files; the limit is 4 per request")
    assert error_of(service.read_json([HELLO] * 5))[:2] == (413, "limit_exceeded")
    large = file_of(Image.new("1", (1001, 1000)))
    assert error_of(service.read(large))[:2] == (413, "limit_exceeded")
    answer = service.read_form([("file", "a.png", INVOICE), ("file", "b.png", INVOICE)])
    assert error_of(answer)[:2] == (413, "limit_exceeded")


def test_a_form_with_countless_parts_or_endless_fields_is_refused(service: Native) -> None:
    assert error_of(service.read_form([("words", None, b"true" * 2000)]))[:2] == (413, "limit_exceeded")
    assert error_of(service.read_form([(f"a{number}", None, b"") for number in range(100)]))[1] == "limit_exceeded"
    form = form_of([("file", "x" * 5000, HELLO)])
    assert error_of(service.read(form.body, form.content_type))[1] == "limit_exceeded"
    assert error_of(service.read_form([("words", None, b"true")] * 2))[2].startswith("option 'words' is there twice")


def test_options_that_are_not_text_are_refused(service: Native) -> None:
    assert error_of(service.read_form([("words", None, b"\xff")]))[2].startswith("'words': the field is not text; ")
    answer = service.post("/v1/read?words=%ff", HELLO, "image/png")
    assert error_of(answer) == (400, "invalid_request", "the query is not valid UTF-8; percent-encode it")


def test_nothing_is_read_where_entire_pages_are_not() -> None:
    settings = settings_for(Runtime.OPENVINO)
    with reading({"ocr_rec": settings}, ServerSettings()) as client:
        served = Native(client, client.application(ServerSettings()))
        for answer in (served.read(HELLO), served.get("/v1/capabilities")):
            assert error_of(answer)[:2] == (404, "module_not_served")
        event = json.dumps({"path": "/v1/read", "body": b64(HELLO), "isBase64Encoded": True}).encode()
        assert json.loads(served.post("/invoke", event).json["body"])["error"]["code"] == "module_not_served"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (MemoryError(), 503, "overloaded"),
        (ValueError("a secret"), 500, "internal_error"),
        (EngineError("a secret"), 500, "engine_error"),
        (Overloaded("try again later"), 503, "overloaded"),
    ],
)
def test_faults_of_the_server_have_the_same_form_and_say_nothing_of_their_reason(
    error: Exception, status: int, code: str
) -> None:
    response = refuse(error, "id-1")
    found = json.loads(response.body)["error"]
    assert (response.status, found["code"], found["request_id"]) == (status, code, "id-1")
    assert (("Retry-After", "1") in response.headers) == (status == 503)
    record = error_record(error, "id-1")
    assert json.loads(record) == {"type": "error", "document": None, "name": "", "number": None, "error": found}
    assert b"secret" not in response.body + record


def test_names_of_files_cannot_break_out_of_headers_or_messages(service: Native) -> None:
    answer = service.read_form([("file", "C:\\a\\b/\u202e文\x7f;x.png", HELLO)], format="text")
    assert answer.status == 200
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"__x.txt\"; filename*=UTF-8''%E6%96%87_x.txt"
    )


def test_the_format_follows_from_its_name_or_else_from_accept(service: Native) -> None:
    for accept, expected in {
        "": "application/json",
        "*/*": "application/json",
        "application/json, text/plain, */*": "application/json",
        "text/plain": "text/plain; charset=utf-8",
        "text/*;q=0.5, text/csv": "text/csv; charset=utf-8; header=present",
        "text/plain;q=0, text/*;q=0.1": "text/markdown; charset=utf-8",
        "image/webp, text/markdown;q=0.2": "text/markdown; charset=utf-8",
    }.items():
        answer = service.read(HELLO, accept=accept)
        assert (answer.status, answer.headers["Content-Type"]) == (200, expected), accept
    assert service.read(HELLO, accept="image/webp", format="text").body == b"Hello World\n"
    status, code, message = error_of(service.read(HELLO, accept="image/webp"))
    assert (status, code) == (406, "not_acceptable")
    assert "text/plain (text)" in message


def test_pages_can_be_returned_as_they_were_read(service: Native) -> None:
    answer = service.read(HELLO, page_images="true")
    assert texts(answer) == [["Hello World"]]
    (image,) = answer.json["page_images"]
    assert (image["document"], image["page"], image["media_type"]) == (0, 1, "image/jpeg")
    assert texts(service.read(base64.b64decode(image["data"]), "image/jpeg")) == [["Hello World"]]


def test_there_is_an_error_in_the_same_form_at_every_path_and_method(service: Native) -> None:
    assert error_of(service.get("/v1/read"))[:2] == (405, "method_not_allowed")
    assert error_of(service.get("/v1/other"))[:2] == (404, "path_not_served")
    assert service.get("/other").json["status"] == "101"


def test_a_gateways_event_may_hold_a_request_with_options(service: Native) -> None:
    def invoke(event: dict[str, Any]) -> Any:
        answer = service.post("/invoke", json.dumps(event).encode())
        assert answer.status == 200
        return answer.json

    file = {"path": "/v1/read", "body": b64(HELLO), "isBase64Encoded": True}
    for extra in (
        {"queryString": {"format": "text"}},
        {"queryStringParameters": {"format": ["json", "text"]}},
        {"queryParameters": {"format": "text"}},
        {"path": "/v1/read?format=text"},
        {"headers": {"accept": "text/plain", "Content-Type": "image/png"}},
    ):
        answer = invoke({**file, **extra})
        assert (answer["statusCode"], answer["isBase64Encoded"], answer["body"]) == (200, False, "Hello World\n")
    body = json.dumps({"files": [b64(HELLO)]})
    assert json.loads(invoke({"path": "/v1/read", "body": body})["body"])["documents"]
    refused = invoke({**file, "queryString": {"formt": "text"}})
    assert (refused["statusCode"], json.loads(refused["body"])["error"]["code"]) == (400, "invalid_request")
