"""What a gateway's event with a GET request is answered: the page and what belongs to it, as the server itself does."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ppocr_serving.settings import ServerSettings
from ppocr_serving.web.examples import EXAMPLES, EXAMPLES_PREFIX
from tests.web.v1.service import Native, native

# As Aliyun's and Tencent's gateways send it.
EVENT = {
    "httpMethod": "GET",
    "headers": {"Accept-Encoding": "gzip, br", "Host": "ocr.example"},
    "queryParameters": {},
    "queryString": {},
    "body": "",
    "isBase64Encoded": False,
}


@pytest.fixture(scope="module")
def service() -> Iterator[Native]:
    with native(ServerSettings(path_prefix="/ocr")) as served:
        yield served


def invoke(service: Native, path: str, **changes: Any) -> Any:
    answer = service.post("/event-invoke", json.dumps({**EVENT, "path": path, **changes}).encode())
    assert answer.status == 200
    return answer.json


@pytest.mark.parametrize(
    "path", ["/", "/version", "/openapi.json", "/v1/capabilities", *(f"{EXAMPLES_PREFIX}{name}" for name in EXAMPLES)]
)
def test_the_answer_is_that_of_the_server(service: Native, path: str) -> None:
    found, expected = invoke(service, path), service.get(path)
    body = base64.b64decode(found["body"]) if found["isBase64Encoded"] else found["body"].encode()
    assert (found["statusCode"], body) == (200, expected.body)
    assert found["isBase64Encoded"] == path.startswith(EXAMPLES_PREFIX)
    assert found["headers"]["Content-Type"] == expected.headers["Content-Type"]
    for name in ("Content-Security-Policy", "ETag", "Vary"):
        assert found["headers"].get(name) == expected.headers.get(name)


def test_the_page_is_html_with_its_policy(service: Native) -> None:
    page = invoke(service, "/")
    assert page["body"].startswith("<!doctype html>")
    assert '<base href="/ocr/">' in page["body"]
    assert page["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert page["headers"]["Content-Security-Policy"].startswith("default-src 'none'; script-src 'sha256-")
    assert "Content-Encoding" not in page["headers"]


@pytest.mark.parametrize("changes", [{"httpMethod": "POST"}, {"httpMethod": None}, {"httpMethod": "DELETE"}])
def test_other_methods_get_no_page(service: Native, changes: dict[str, Any]) -> None:
    assert invoke(service, "/", **changes)["statusCode"] == 404


def test_other_paths_are_unknown(service: Native) -> None:
    for path in ("/examples/other.png", "/examples/", "/index.html", "/../version"):
        assert invoke(service, path)["statusCode"] == 404
