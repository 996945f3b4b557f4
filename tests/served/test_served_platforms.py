"""What Aliyun Function Compute and Tencent SCF require beyond the contract."""

import base64
import json
from typing import Any

import pytest
import requests

from tests.served.samples import as_base64, line, page
from tests.served.server import Served

PICTURE = as_base64(page(["Hello World"]))
EVENT_PATHS = ("/invoke", "/event-invoke")


def call(served: Served, path: str, payload: bytes, **headers: str) -> requests.Response:
    """Send an event as the platforms do: any bytes, of no particular type."""
    all_headers = {"Content-Type": "application/octet-stream", **headers}
    return requests.post(served.url + path, data=payload, headers=all_headers, timeout=60)


def text_of(answer: Any) -> str:
    assert (answer["msg"], answer["status"]) == ("", "000")
    return str(answer["results"][0][0]["text"])


@pytest.mark.parametrize("path", EVENT_PATHS)
def test_an_event_can_be_the_body_of_a_prediction(limited_served: Served, path: str) -> None:
    answer = call(limited_served, path, json.dumps({"images": [PICTURE]}).encode())

    assert (answer.status_code, answer.headers["x-fc-status"]) == (200, "200")
    assert text_of(answer.json()) == "Hello World"


@pytest.mark.parametrize("path", EVENT_PATHS)
@pytest.mark.parametrize(
    "payload", [b"", b"no JSON", b'{"images": []}', b'{"images": ["?"]}', b'{"paths": ["/etc/passwd"]}']
)
def test_an_invalid_event_is_a_failed_invocation(limited_served: Served, path: str, payload: bytes) -> None:
    answer = call(limited_served, path, payload)

    assert (answer.status_code, answer.headers["x-fc-status"]) == (404, "404")
    assert (answer.json()["results"], answer.json()["status"]) == ("", "101")
    assert answer.json()["msg"]


@pytest.mark.parametrize("path", EVENT_PATHS)
@pytest.mark.parametrize("is_base64", [True, False])
def test_an_event_can_be_a_request_through_a_gateway(limited_served: Served, path: str, is_base64: bool) -> None:
    body = json.dumps({"images": [as_base64(line("Hello World"))]})
    event = {
        "path": "/predict/ocr_rec",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"},
        "queryParameters": {},
        "body": base64.b64encode(body.encode()).decode() if is_base64 else body,
        "isBase64Encoded": is_base64,
    }

    answer = call(limited_served, path, json.dumps(event).encode())

    assert (answer.status_code, answer.headers["x-fc-status"]) == (200, "200")
    form = answer.json()
    assert (form["statusCode"], form["isBase64Encoded"]) == (200, False)
    assert form["headers"] == {"Content-Type": "application/json"}
    assert text_of(json.loads(form["body"])) == "Hello World"


@pytest.mark.parametrize(
    ("event", "status", "words"),
    [
        ({"path": "/predict/ocr_rec", "body": "no JSON"}, 400, "the body is not valid JSON"),
        ({"path": "/predict/ocr_rec", "body": "%", "isBase64Encoded": True}, 400, "body: is not valid base64"),
        ({"path": "/predict/nothing", "body": "{}"}, 404, "'nothing' is unknown"),
        ({"path": "/elsewhere", "body": "{}"}, 404, "'/elsewhere' is unknown"),
        ({"path": "/predict/ocr_rec", "body": None}, 400, "the body is not valid JSON"),
        (
            {"path": "/predict/ocr_rec", "body": json.dumps({"images": ["x"] * 5})},
            413,
            "5 pictures; the limit is 4 per",
        ),
    ],
)
def test_an_invalid_request_through_a_gateway_is_explained_to_its_client(
    limited_served: Served, event: dict[str, Any], status: int, words: str
) -> None:
    answer = call(limited_served, "/invoke", json.dumps(event).encode())

    assert (answer.status_code, answer.headers["x-fc-status"]) == (200, "200")
    assert answer.json()["statusCode"] == status
    assert words in json.loads(answer.json()["body"])["msg"]


def test_the_body_limit_applies_to_events(limited_served: Served) -> None:
    answer = call(limited_served, "/invoke", b" " * (3 << 20))  # 2 MiB are allowed

    assert (answer.status_code, answer.json()["status"]) == (413, "101")


def test_lifecycle_hooks_are_answered(limited_served: Served) -> None:
    answers = [requests.post(limited_served.url + "/initialize", timeout=60)]
    answers += [requests.get(limited_served.url + path, timeout=60) for path in ("/pre-stop", "/pre-freeze")]

    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [(200, "000")] * 3


def test_an_invocation_is_marked_in_the_log_without_its_secrets(limited_served: Served) -> None:
    secrets = {"x-fc-access-key-id": "KEYID7", "x-fc-access-key-secret": "SECRET7", "x-fc-security-token": "TOKEN7"}

    call(
        limited_served,
        "/invoke",
        json.dumps({"images": [PICTURE]}).encode(),
        **{"x-fc-request-id": "1-abc-77", **secrets},
    )

    log = limited_served.wait_for_log("FC Invoke End RequestId: 1-abc-77")
    assert "FC Invoke Start RequestId: 1-abc-77\n" in log
    assert " id=1-abc-77 module=ocr_system status=200 " in log
    assert not [secret for secret in secrets.values() if secret in log]


def test_other_requests_are_not_marked(limited_served: Served) -> None:
    limited_served.post("ocr_rec", [PICTURE], **{"x-request-id": "not-from-fc", "x-fc-request-id": "with space"})

    assert "FC Invoke Start RequestId: not-from-fc" not in limited_served.log()
    assert "RequestId: with space" not in limited_served.log()
