"""The application in process: real models in a worker, and a client without a connection."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from PIL import Image

from ppocr_serving.settings import ServerSettings, Settings
from ppocr_serving.web.app import Application
from tests.asgi import Answer
from tests.flat_settings import with_values
from tests.served.samples import as_base64, line, page
from tests.web.reading_pool import Client, reading

HELLO = as_base64(line("Hello World"))


class Served(NamedTuple):
    """An application and its client."""

    client: Client
    application: Application

    def post(self, path: str, body: bytes, **headers: str) -> Answer:
        return self.client.post(self.application, path, body, **headers)


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    """Three modules: one allows only smaller pictures, the two others only a few lines."""
    few_lines = with_values(settings, max_lines=3)
    modules = {"ocr_system": few_lines, "ocr_det": few_lines, "ocr_rec": with_values(settings, max_pixels=5000)}
    with reading(modules, ServerSettings(max_images=1000)) as client:
        yield Served(client, client.application(ServerSettings(max_body_mb=1)))


def predict(served: Served, module: str, body: Any, content_type: str = "application/json", **headers: str) -> Answer:
    return served.post(f"/predict/{module}", json.dumps(body).encode(), content_type=content_type, **headers)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/vnd.example+json"]
)
def test_all_json_content_types_are_accepted(served: Served, content_type: str) -> None:
    answer = predict(served, "ocr_system", {"images": [HELLO]}, content_type)
    assert answer.status == 200
    assert answer.json["results"][0][0]["text"].startswith("Hello")


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonp", "multipart/form-data", ""])
def test_other_content_types_are_refused(served: Served, content_type: str) -> None:
    answer = predict(served, "ocr_system", {"images": [HELLO]}, content_type)
    assert (answer.status, answer.json["status"]) == (415, "112")


def test_each_module_has_its_own_pixel_limit(served: Served) -> None:
    picture = as_base64(Image.new("RGB", (100, 51)))
    assert predict(served, "ocr_system", {"images": [picture]}).status == 200
    refused = predict(served, "ocr_rec", {"images": [picture]})
    assert (refused.status, refused.json["status"]) == (413, "101")
    assert refused.json["msg"] == "images[0]: has 100x51 = 5100 pixels; the limit is 5000, send a smaller one"


def test_options_apply_only_to_their_request(served: Served) -> None:
    body = {"images": [as_base64(page(["Invoice 2024", "Total 318.50"]))]}
    plain = predict(served, "ocr_system", body).json
    assert len(plain["results"][0]) == 2
    assert predict(served, "ocr_system", {**body, "options": {"drop_score": 1.0}}).json["results"] == [[]]
    assert predict(served, "ocr_system", body).json == plain


def test_a_client_may_shorten_the_deadline(served: Served) -> None:
    def read(timeout: str) -> Answer:
        return predict(served, "ocr_system", {"images": [HELLO]}, x_request_timeout=timeout)

    assert read("5").status == 200
    assert read("1e9").status == 200
    late = read("1e-9")
    assert (late.status, late.json["status"]) == (503, "101")
    assert late.headers["Retry-After"] == "1"
    for wrong in ("", "soon", "0", "-1", "nan"):
        answer = read(wrong)
        assert answer.status == 400
        assert answer.json["msg"] == f"X-Request-Timeout must be a number of seconds above 0, got {wrong!r}"


def test_a_request_that_takes_too_long_ends(served: Served) -> None:
    hurried = served._replace(application=served.client.application(ServerSettings(request_timeout=0.3)))
    answer = predict(hurried, "ocr_system", {"images": [as_base64(page([]))] * 1000})
    assert (answer.status, answer.json["status"]) == (504, "101")
    assert answer.json["msg"].startswith("the request was not finished within 0.3 seconds; ")
    assert "Retry-After" not in answer.headers
    assert predict(served, "ocr_system", {"images": [HELLO]}).status == 200


@pytest.mark.parametrize("module", ["ocr_system", "ocr_det"])
def test_too_many_lines_are_refused(served: Served, module: str) -> None:
    two = as_base64(page(["Invoice 2024", "Total 318.50"]))
    assert predict(served, module, {"images": [two, HELLO]}).status == 200
    answer = predict(served, module, {"images": [two, two]})
    assert (answer.status, answer.json["status"]) == (413, "101")
    assert answer.json["msg"] == "the pictures have 4 lines or more; the limit is 3 per request, send fewer"


def test_an_unknown_option_is_named_with_the_nearest_known_one(served: Served) -> None:
    answer = predict(served, "ocr_system", {"images": [HELLO], "options": {"drop_scor": 0.5}})
    assert answer.status == 400
    assert answer.json["msg"] == "options: unknown option 'drop_scor'; did you mean drop_score?"


def test_the_body_limit_applies_while_the_body_is_read(served: Served) -> None:
    answer = predict(served, "ocr_system", {"images": ["A" * 2**20]})
    assert answer.status == 413
    assert answer.json["msg"] == "the body exceeds the limit of 1048576 bytes; send fewer or smaller pictures"


def test_an_event_without_a_body_is_answered_in_the_gateways_format(served: Served) -> None:
    for event in ({"path": "/predict/ocr_system"}, {"path": "/predict/ocr_system", "body": None}):
        answer = served.post("/invoke", json.dumps(event).encode())
        assert answer.status == 200
        assert answer.json["statusCode"] == 400
        assert json.loads(answer.json["body"])["msg"].startswith("the body is not valid JSON")
