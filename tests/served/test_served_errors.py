"""The contract's errors, from real servers."""

import base64
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from ppocr_serving.settings import ReadingSettings, ServerSettings
from tests.served.samples import as_base64, bomb, file_of, line
from tests.served.server import Served, serving

GOOD = as_base64(line("Hello World"))
MIB = 1 << 20
MAX_PIXELS = ReadingSettings().max_pixels
MAX_REQUEST_PIXELS = ServerSettings().max_request_pixels
LARGEST_SIDE = math.isqrt(MAX_PIXELS)


def assert_error(answer: requests.Response, http_status: int, status: str, *words: str) -> None:
    """Check for one of the contract's errors: the three keys, and a one-line message with the given words."""
    assert answer.status_code == http_status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"msg", "results", "status"}
    assert body["results"] == ""
    assert body["status"] == status
    assert "\n" not in body["msg"]
    for word in words:
        assert word in body["msg"]


def post(
    served: Served, body: bytes | Iterator[bytes], module: str = "ocr_system", **headers: str
) -> requests.Response:
    return requests.post(
        f"{served.url}/predict/{module}",
        data=body,
        headers={"Content-Type": "application/json", **headers},
        timeout=60,
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ["JSON"]),
        (b"{'images': []}", ["JSON", '{"images": ']),
        (b'{"images": ["', ["JSON"]),
        (b"\xff\xfe{}", ["JSON"]),
        (b'{"images": ["\\ud800"]}', ["JSON"]),
        (b"[" * 100_000, ["send an object"]),
        (b'["a"]', ["a list", "send an object"]),
        (b'"text"', ["a string"]),
        (b"12", ["a number"]),
        (b"null", ["null"]),
        (b"{}", ["images: ", "missing"]),
        (b'{"images": []}', ["images: ", "empty"]),
        (b'{"images": "text"}', ["images: ", "a string", "send a list"]),
        (b'{"images": {"0": "text"}}', ["images: ", "an object"]),
        (b'{"images": null}', ["images: ", "null"]),
        (b'{"images": ["x"], "image": 1}', ["'image'"]),
        (b'{"images": ["x"], "use_gpu": true}', ["'use_gpu'"]),
        (b'{"images": ["x"], "line\\nbreak": true}', ["'line\\nbreak'"]),
        (b'{"images": ["x"], "paths": null}', ["paths: "]),
    ],
)
def test_an_invalid_body_is_explained(served: Served, body: bytes, words: list[str]) -> None:
    assert_error(post(served, body), 400, "101", *words)


@pytest.mark.parametrize("module", ["ocr_system", "ocr_det", "ocr_cls", "ocr_rec"])
@pytest.mark.parametrize(
    ("item", "words"),
    [
        (7, ["a number", "as a string"]),
        (None, ["null"]),
        (["text"], ["a list"]),
        ("no base64!", ["not valid base64"]),
        ("字", ["not valid base64"]),
        (GOOD[:-3], ["not valid base64"]),
        ("", ["empty"]),
        ("data:image/png;base64,", ["empty"]),
        (base64.b64encode(b"a text file").decode(), ["not a picture", "JPEG, PNG, BMP, WEBP, TIFF, GIF"]),
        (base64.b64encode(b"%PDF-1.7 ...").decode(), ["not a picture"]),
        (base64.b64encode(file_of(line("Hello World"))[:400]).decode(), ["damaged or truncated PNG"]),
        (base64.b64encode(file_of(line("Hello World"), "JPEG")[:-200]).decode(), ["damaged or truncated JPEG"]),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_one_bad_item_fails_its_request_and_is_named(served: Served, module: str, item: Any, words: list[str]) -> None:
    assert_error(served.post(module, [GOOD, GOOD, item]), 400, "101", "images[2]: ", *words)


def test_a_request_cannot_name_files_of_the_server(served: Served, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(file_of(line("Hello World")))
    body = {"images": [GOOD], "paths": [str(secret)]}

    answers = [
        post(served, json.dumps(changed).encode())
        for changed in (body, {"paths": body["paths"]}, {"paths": ["/no/such/file"]}, {"images": [str(secret)]})
    ]

    for answer in answers[:3]:
        assert_error(answer, 400, "101", "paths: ", "images")
    assert_error(answers[3], 400, "101", "images[0]: ", "not valid base64")
    # The answer does not reveal whether the file exists.
    assert answers[1].content == answers[2].content
    assert not any("Hello" in answer.text or secret.name in answer.text for answer in answers)


def test_too_many_pictures_are_refused(limited_served: Served) -> None:
    assert limited_served.post("ocr_rec", [GOOD] * 4).status_code == 200
    assert_error(limited_served.post("ocr_rec", [GOOD] * 5), 413, "101", "5 pictures", "4")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(served: Served) -> None:
    answer = served.post("ocr_system", [GOOD, bomb()])

    assert_error(answer, 413, "101", "images[1]: ", str(MAX_PIXELS))


def test_the_pixels_of_all_pictures_are_limited_together(served: Served) -> None:
    # Each alone is allowed. They are bombs too, so that they must be refused before decoding.
    count = MAX_REQUEST_PIXELS // LARGEST_SIDE**2 + 1
    answer = served.post("ocr_system", [bomb(LARGEST_SIDE, LARGEST_SIDE)] * count)

    assert_error(answer, 413, "101", f"images[{count - 1}]: ", str(MAX_REQUEST_PIXELS))


def test_a_body_over_the_limit_is_refused(limited_served: Served) -> None:
    body = json.dumps({"images": ["A" * 2 * MIB]}).encode()

    assert_error(post(limited_served, body), 413, "101", str(2 * MIB))


def test_a_chunked_body_over_the_limit_is_refused(limited_served: Served) -> None:
    body = json.dumps({"images": ["A" * 2 * MIB]}).encode()

    assert_error(post(limited_served, iter([body[:MIB], body[MIB:]])), 413, "101", str(2 * MIB))


def test_a_declared_length_over_the_limit_is_refused_before_the_body_is_sent(limited_served: Served) -> None:
    head = (
        "POST /predict/ocr_system HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {1 << 40}\r\n\r\n"
    )

    answer = limited_served.raw(head.encode())

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "101"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "nonsense"],
)
def test_another_content_type_is_refused(served: Served, content_type: str) -> None:
    answer = post(served, json.dumps({"images": [GOOD]}).encode(), **{"Content-Type": content_type})

    assert_error(answer, 415, "112", "Content-Type: application/json")


@pytest.mark.parametrize("module", ["no_such_module", "ocr_systeme", "字", "a%0Ab", "%2e%2e", "x" * 300])
def test_an_unknown_module_is_named(served: Served, module: str) -> None:
    answer = post(served, b"{}", module)

    assert_error(answer, 404, "111", "unknown", "this server has ocr_system, ", "ocr_cls", "ocr_det", "ocr_rec")


def test_a_module_that_was_not_started_is_distinguished_from_an_unknown_one(hub_home: Path) -> None:
    with serving(hub_home, modules=["ocr_rec"]) as server:
        assert_error(server.post("ocr_det", [GOOD]), 404, "111", "'ocr_det' was not started", "has ocr_rec")
        assert_error(server.post("other", [GOOD]), 404, "111", "'other' is unknown", "has ocr_rec")
        assert server.results("ocr_rec", [GOOD])


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict/ocr_system", "POST"),
        ("PUT", "/predict/ocr_system", "POST"),
        ("DELETE", "/predict/no_such_module", "POST"),
        ("POST", "/healthz", "GET"),
        ("POST", "/readyz", "GET"),
        ("POST", "/", "GET"),
    ],
)
def test_a_wrong_method_is_answered_with_the_allowed_one(served: Served, method: str, path: str, allowed: str) -> None:
    answer = requests.request(method, served.url + path, timeout=60)

    assert_error(answer, 405, "101", method, f"use {allowed}")
    assert allowed in answer.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    "path",
    ["/predict", "/predict/", "/predict/ocr_system/", "/predict/a/b", "/predict//ocr_system", "/static/x", "/%ff"],
)
def test_an_unknown_path_is_refused(served: Served, path: str) -> None:
    answer = requests.post(served.url + path, data=b"{}", timeout=60, allow_redirects=False)

    assert_error(answer, 404, "101", "unknown", "/predict/ocr_system")


@pytest.mark.parametrize(
    ("request_head", "http_status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-Large: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Many: 1\r\n" * 1000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nNo Colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gibberish\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\n", 417),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
    ids=[
        "words",
        "version",
        "long-path",
        "long-header",
        "many-headers",
        "no-host",
        "colon",
        "length",
        "two-lengths",
        "coding",
        "expect",
        "tls",
    ],
)
def test_malformed_http_is_answered_with_json(served: Served, request_head: bytes, http_status: int) -> None:
    head, _, body = served.raw(request_head).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % http_status)
    assert b"Content-Type: application/json" in head
    error = json.loads(body)
    assert error.keys() == {"msg", "results", "status"}
    assert (error["results"], error["status"]) == ("", "101")
    assert "not valid HTTP" in error["msg"]


def test_a_malformed_chunk_is_a_client_error(limited_served: Served) -> None:
    head = (
        b"POST /predict/ocr_system HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )

    answer = limited_served.raw(head + b"not a size\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "101"
    assert "Traceback" not in limited_served.log()


def test_the_smallest_and_the_largest_allowed_picture_are_accepted(served: Served) -> None:
    largest = Image.new("L", (LARGEST_SIDE, LARGEST_SIDE), 255)

    results = served.results("ocr_det", [as_base64(Image.new("RGB", (1, 1))), as_base64(largest.crop((0, 0, 99, 99)))])
    assert results == [[], []]
    assert served.results("ocr_det", [as_base64(largest)]) == [[]]
    assert "Warning" not in served.log()
