"""The application in process: real models behind Flask's test client, without a server."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.readiness import Readiness
from ppocr_serving.settings import ServerSettings, Settings
from ppocr_serving.web.app import create_app
from tests.flat_settings import with_values
from tests.served.samples import as_base64, line, page
from tests.services import POOL

HELLO = as_base64(line("Hello World"))


def client_of(readers: dict[str, Reader], settings: ServerSettings) -> FlaskClient:
    """Return a client of an application whose models are loaded."""
    readiness = Readiness(readers, settings.queue_timeout)
    readiness.warm_up()
    return create_app(readers, settings, readiness).test_client()


@pytest.fixture(scope="module")
def client(settings: Settings) -> FlaskClient:
    """Two modules, one of which allows only smaller pictures."""
    small = with_values(settings, max_pixels=5000)
    readers = {
        "ocr_system": Reader(settings=settings, pool=POOL),
        "ocr_rec": Reader(settings=small, pool=POOL, roles=("rec",)),
    }
    return client_of(readers, ServerSettings(max_images=2, max_body_mb=1))


def predict(client: FlaskClient, module: str, body: Any, content_type: str = "application/json") -> Any:
    return client.post(f"/predict/{module}", data=json.dumps(body).encode(), content_type=content_type)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/vnd.example+json"]
)
def test_all_json_content_types_are_accepted(client: FlaskClient, content_type: str) -> None:
    answer = predict(client, "ocr_system", {"images": [HELLO]}, content_type)
    assert answer.status_code == 200
    assert answer.get_json()["results"][0][0]["text"].startswith("Hello")


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonp", "multipart/form-data", ""])
def test_other_content_types_are_refused(client: FlaskClient, content_type: str) -> None:
    answer = predict(client, "ocr_system", {"images": [HELLO]}, content_type)
    assert (answer.status_code, answer.json["status"]) == (415, "112")


def test_each_module_has_its_own_pixel_limit(client: FlaskClient) -> None:
    picture = as_base64(Image.new("RGB", (100, 51)))
    assert predict(client, "ocr_system", {"images": [picture]}).status_code == 200
    refused = predict(client, "ocr_rec", {"images": [picture]})
    assert (refused.status_code, refused.json["status"]) == (413, "101")
    assert refused.json["msg"] == "images[0]: has 100x51 = 5100 pixels; the limit is 5000, send a smaller one"


def test_options_apply_only_to_their_request(client: FlaskClient) -> None:
    body = {"images": [as_base64(page(["Invoice 2024", "Total 318.50"]))]}
    plain = predict(client, "ocr_system", body).json
    assert len(plain["results"][0]) == 2
    assert predict(client, "ocr_system", {**body, "options": {"drop_score": 1.0}}).json["results"] == [[]]
    assert predict(client, "ocr_system", body).json == plain


def test_a_client_may_shorten_the_deadline(client: FlaskClient) -> None:
    def read(timeout: str) -> Any:
        headers = {"X-Request-Timeout": timeout}
        return client.post("/predict/ocr_system", json={"images": [HELLO]}, headers=headers)

    assert read("5").status_code == 200
    assert read("1e9").status_code == 200
    late = read("1e-9")
    assert (late.status_code, late.json["status"]) == (503, "101")
    assert late.headers["Retry-After"] == "1"
    for wrong in ("", "soon", "0", "-1", "nan"):
        answer = read(wrong)
        assert answer.status_code == 400
        assert answer.json["msg"] == f"X-Request-Timeout must be a number of seconds above 0, got {wrong!r}"


def test_a_request_that_takes_too_long_ends(settings: Settings) -> None:
    readers = {"ocr_system": Reader(settings=settings, pool=POOL)}
    client = client_of(readers, ServerSettings(request_timeout=0.3, max_images=1000))
    answer = predict(client, "ocr_system", {"images": [HELLO] * 1000})
    assert (answer.status_code, answer.json["status"]) == (504, "101")
    assert answer.json["msg"].startswith("the request was not finished within 0.3 seconds; ")
    assert "Retry-After" not in answer.headers
    assert predict(client, "ocr_system", {"images": [HELLO]}).status_code == 200


@pytest.mark.parametrize("module", ["ocr_system", "ocr_det"])
def test_too_many_lines_are_refused(settings: Settings, module: str) -> None:
    reader = Reader(settings=with_values(settings, max_lines=3), pool=POOL)
    client = client_of({module: reader}, ServerSettings())
    two = as_base64(page(["Invoice 2024", "Total 318.50"]))
    assert predict(client, module, {"images": [two, HELLO]}).status_code == 200
    answer = predict(client, module, {"images": [two, two]})
    assert (answer.status_code, answer.json["status"]) == (413, "101")
    assert answer.json["msg"] == "the pictures have 4 lines or more; the limit is 3 per request, send fewer"


def test_an_unknown_option_is_named_with_the_nearest_known_one(client: FlaskClient) -> None:
    answer = predict(client, "ocr_system", {"images": [HELLO], "options": {"drop_scor": 0.5}})
    assert answer.status_code == 400
    assert answer.json["msg"] == "options: unknown option 'drop_scor'; did you mean drop_score?"


def test_the_body_limit_applies_while_the_body_is_read(client: FlaskClient) -> None:
    answer = predict(client, "ocr_system", {"images": ["A" * 2**20]})
    assert answer.status_code == 413
    assert answer.json["msg"] == "the body exceeds the limit of 1048576 bytes; send fewer or smaller pictures"


def test_an_event_without_a_body_is_answered_in_the_gateways_format(client: FlaskClient) -> None:
    for event in ({"path": "/predict/ocr_system"}, {"path": "/predict/ocr_system", "body": None}):
        answer = client.post("/invoke", data=json.dumps(event).encode())
        assert answer.status_code == 200
        assert answer.get_json()["statusCode"] == 400
        assert json.loads(answer.get_json()["body"])["msg"].startswith("the body is not valid JSON")
