"""Requests that an API gateway has wrapped in JSON, as serverless platforms deliver them."""

import binascii
from typing import NamedTuple

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.web.bounded_json import text_of_json, too_many_values

__all__ = ["GatewayEvent", "parse_event"]

_MAX_PATH_BYTES = 4096


class GatewayEvent(NamedTuple):
    """A request as a client sent it to the gateway.

    Attributes:
        path: With its query, if any.
        body: Empty if the request has none.
    """

    path: str
    body: bytes


class _Event(msgspec.Struct, rename={"is_base64": "isBase64Encoded"}):
    """What is read of an event; its other keys are ignored."""

    path: msgspec.Raw
    body: msgspec.Raw = msgspec.Raw(b"null")
    is_base64: bool = False


def parse_event(payload: bytes | memoryview) -> GatewayEvent | None:
    """Take the request out of a gateway's event.

    Args:
        payload: What the platform sent.

    Returns:
        None if it is something else: the body of a prediction, or not valid JSON.

    Raises:
        InvalidRequest: The body of the request is not encoded as the event says.
    """
    if too_many_values(payload, 0):
        return None
    try:
        event = msgspec.json.decode(payload, type=_Event)
        if memoryview(event.path).nbytes > _MAX_PATH_BYTES:
            return None
        path = msgspec.json.decode(event.path, type=str)
        return GatewayEvent(path, _body(event))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _body(event: _Event) -> bytes:
    if bytes(memoryview(event.body)[:1]) == b"n":  # null: how gateways represent a request without a body
        return b""
    try:
        text = text_of_json(event.body)
        return binascii.a2b_base64(text, strict_mode=True) if event.is_base64 else bytes(text)
    except binascii.Error as error:
        raise InvalidRequest(
            "body: is not valid base64, though isBase64Encoded is true; send the gateway's event unchanged"
        ) from error
