"""Responses in the contract's form, errors included."""

import logging
from http import HTTPStatus
from typing import NamedTuple

from ppocr_serving.errors import OcrError
from ppocr_serving.web.contract import encode_error
from ppocr_serving.web.errors import to_http

__all__ = [
    "Response",
    "client_message",
    "error_code",
    "error_record",
    "error_response",
    "json_response",
    "retry_headers",
    "text_response",
]

_log = logging.getLogger(__name__)

_RETRY_AFTER = ("Retry-After", "1")  # seconds


class Response(NamedTuple):
    """A response, regardless of the server that sends it.

    Attributes:
        status: HTTP status.
        headers: Names and values, without the length.
        body: The body.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def json_response(body: bytes, status: int = HTTPStatus.OK, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return a response with a JSON body."""
    return Response(status, (("Content-Type", "application/json"), *headers), body)


def text_response(text: str) -> Response:
    """Return a response with plain text."""
    return Response(HTTPStatus.OK, (("Content-Type", "text/plain; charset=utf-8"),), text.encode())


def error_code(error: BaseException) -> str:
    """Return the stable code of an error, for the log."""
    return error.code if isinstance(error, OcrError) else type(error).__name__


def error_response(error: BaseException, request_id: str) -> Response:
    """Answer an error according to the contract; server faults are logged, and the client gets the request's id.

    Args:
        error: Any error.
        request_id: The request's id.
    """
    http_form = to_http(error)
    body = encode_error(client_message(error, request_id), http_form.status)
    return json_response(body, http_form.http_status, retry_headers(http_form.http_status))


def client_message(error: BaseException, request_id: str) -> str:
    """Return what a client may know of an error; server faults are logged instead, under the request's id."""
    if to_http(error).http_status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("id=%s failed", request_id, exc_info=error)
        return f"the server failed; see its log for the reason, under the id {request_id}"
    if isinstance(error, MemoryError):
        _log.error("id=%s: out of memory", request_id)
        return "the server has too little memory for the request at the moment; try again later"
    return str(error)


def retry_headers(status: int) -> tuple[tuple[str, str], ...]:
    """Return the headers that say when to try again after an answer with a status."""
    return (_RETRY_AFTER,) if status == HTTPStatus.SERVICE_UNAVAILABLE else ()


def error_record(error: BaseException, request_id: str) -> bytes:
    """Return an error as a line that ends an answer whose status has been sent; otherwise as `error_response`.

    Args:
        error: Any error.
        request_id: The request's id.
    """
    return error_response(error, request_id).body + b"\n"
