"""Events of API gateways: what is taken out of them, and how much memory that takes."""

import base64
import json
from typing import Any

import pytest

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.web.gateway import GatewayEvent, event_path, parse_event
from tests.engines.inputs import run_program


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ({}, b""),
        ({"body": None}, b""),
        ({"body": ""}, b""),
        ({"body": '{"images": ["A/="]}', "isBase64Encoded": False}, b'{"images": ["A/="]}'),
        ({"body": "图", "headers": {"a": ["b", {}]}}, "图".encode()),
        ({"body": base64.b64encode(b"{}").decode(), "isBase64Encoded": True}, b"{}"),
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_request_is_taken_out_of_an_event(event: dict[str, Any], body: bytes, ascii_only: bool) -> None:
    payload = json.dumps({"path": "/predict/ocr_system?a=文", **event}, ensure_ascii=ascii_only).encode()
    assert parse_event(payload) == GatewayEvent("/predict/ocr_system?a=文", body)
    assert event_path(payload) == "/predict/ocr_system?a=文"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b'{"images": []}',
        b'{"path": 1}',
        b'{"path": "/", "body": 1}',
        b'{"path": "/", "body": []}',
        b'{"path": "' + b"a" * 5000 + b'"}',
        b'{"path": "/", "keys": [' + b'"a",' * 5000 + b'"a"]}',
    ],
)
def test_anything_else_is_not_an_event(payload: bytes) -> None:
    assert parse_event(payload) is None
    assert event_path(payload) is None


@pytest.mark.parametrize(
    ("method", "expected"), [('"GET"', "GET"), ('"POST"', "POST"), ("null", ""), ("7", ""), (f'"{"G" * 21}"', "")]
)
def test_the_method_of_an_event_is_known_if_it_has_one(method: str, expected: str) -> None:
    event = parse_event(f'{{"path": "/", "httpMethod": {method}}}'.encode())
    assert event is not None
    assert event.method == expected


def test_a_body_that_is_not_base64_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="isBase64Encoded is true"):
        parse_event(b'{"path": "/", "body": "####", "isBase64Encoded": true}')


def test_a_body_with_unknown_escapes_is_not_an_event() -> None:
    assert parse_event(b'{"path": "/", "body": "\\q"}') is None


HEAVY_EVENTS = {
    "keys": lambda: b'{"path": "/", ' + b",".join(b'"%x":0' % number for number in range(2**20)) + b"}",
    "wide path": lambda: b'{"path": "/\xf0\x9f\x98\x80' + b"A" * 2**24 + b'"}',
    "wide body": lambda: rb'{"path": "/", "body": "\ud83d\ude00' + b"A" * 2**24 + b'"}',
    "body": lambda: rb'{"path": "/", "body": "{\"images\":[\"' + b"A" * 2**24 + rb'\"]}"}',
    "base64": lambda: rb'{"path": "/", "isBase64Encoded": true, "body": "' + b"A" * 2**24 + rb'"}',
}


@pytest.mark.parametrize("name", HEAVY_EVENTS)
def test_no_event_takes_several_times_its_size(name: str) -> None:
    # In a process of its own, for the peak of its memory.
    program = """if True:
        import resource, sys
        from ppocr_serving.web.gateway import event_path, parse_event
        from tests.web.test_web_gateway import HEAVY_EVENTS
        payload = bytearray(HEAVY_EVENTS[sys.argv[1]]())
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # forget the peak
        before = peak()
        event_path(payload)
        assert peak() - before < len(payload) / 4 + 2**22
        parse_event(payload)
        print((peak() - before) / len(payload))
    """
    result = run_program(program, name)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 2.1  # with the event itself, it is three times its size
