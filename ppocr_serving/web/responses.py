"""Responses in the contract's form, errors included."""

import logging
from http import HTTPStatus

from flask import Response, g, request
from werkzeug.exceptions import HTTPException

from ppocr_serving.errors import OcrError
from ppocr_serving.web.errors import to_http
from ppocr_serving.web.hubserving import encode_error
from ppocr_serving.web.log import RequestRecord

__all__ = ["answer_error", "json_response"]

_log = logging.getLogger(__name__)

_RETRY_AFTER_SECONDS = "1"


def answer_error(error: Exception) -> Response:
    """Answer an error according to the contract; server faults are logged, and the client gets the request's id.

    Must be called while a request is handled.
    """
    if isinstance(error, HTTPException):
        return _answer_http_exception(error)
    http_form = to_http(error)
    record: RequestRecord = g.record
    record.error = error.code if isinstance(error, OcrError) else type(error).__name__
    if http_form.http_status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("id=%s failed", record.request_id, exc_info=error)
        message = f"the server failed; see its log for the reason, under the id {record.request_id}"
    else:
        message = str(error)
    response = json_response(encode_error(message, http_form.status), http_form.http_status)
    if http_form.http_status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return response


def _answer_http_exception(error: HTTPException) -> Response:
    """Answer a routing error or malformed HTTP with Werkzeug's status and headers and the contract's body."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    allowed = ", ".join(sorted(set(getattr(error, "valid_methods", None) or ()) - {"HEAD", "OPTIONS"}))
    messages = {
        HTTPStatus.NOT_FOUND: f"the path {request.path[:80]!r} is unknown; post pictures to /predict/ocr_system",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not allowed at {request.path[:80]!r}; use {allowed}",
    }
    message = messages.get(HTTPStatus(status), f"{error.name}: {error.description}")
    response = json_response(encode_error(message, "101"), status)
    response.headers.extend(
        (name, value) for name, value in error.get_headers(request.environ) if name.lower() == "allow"
    )
    return response


def json_response(body: bytes, status: int) -> Response:
    """Return a response with a JSON body."""
    return Response(body, status=status, mimetype="application/json")
