"""What the server's process decides about requests to the native API by itself, and the form of its errors."""

import re
from typing import Final

import msgspec

from ppocr_serving.errors import OcrError, Overloaded, UnsupportedMediaType
from ppocr_serving.web.errors import to_http
from ppocr_serving.web.media_types import MULTIPART, URLENCODED, is_json, media_type_of
from ppocr_serving.web.responses import Response, client_message, json_response, retry_headers
from ppocr_serving.workers.messages import Head

__all__ = [
    "RAW_TYPES",
    "check_documents",
    "check_files",
    "error_record",
    "is_raw",
    "refuse",
]

RAW_TYPES: Final = ("image/*", "application/pdf", "application/octet-stream")
"""The media types of a body that is a file."""

_INTERNAL = "internal_error"
_OTHERS = f"application/json or {MULTIPART}"


def check_files(head: Head) -> None:
    """Refuse a body that cannot hold files.

    Raises:
        UnsupportedMediaType: The content type is none of those that are understood.
    """
    media_type = media_type_of(head.content_type)
    if not (is_raw(media_type) or media_type == MULTIPART or is_json(media_type)):
        raise UnsupportedMediaType(f"the content type is {media_type[:80]!r}; send {', '.join(RAW_TYPES)}, {_OTHERS}")


def check_documents(head: Head) -> None:
    """Refuse a body that cannot hold both documents and their files.

    Raises:
        UnsupportedMediaType: The content type is none of those that are understood.
    """
    media_type = media_type_of(head.content_type)
    if not (media_type in ("", MULTIPART) or is_json(media_type)):
        raise UnsupportedMediaType(f"the content type is {media_type[:80]!r}; send {_OTHERS}")


def is_raw(media_type: str) -> bool:
    """Return whether a body of a media type is a file, or may be one; what it is, its first bytes say."""
    return media_type in ("", URLENCODED, *RAW_TYPES[1:]) or re.fullmatch(r"image/[\w.+-]+", media_type) is not None


def refuse(error: BaseException, request_id: str) -> Response:
    """Answer an error in the form of the native API.

    Args:
        error: Any error.
        request_id: The request's id.
    """
    status = to_http(error).http_status
    body = msgspec.json.encode({"error": _error_body(error, request_id)})
    return json_response(body, status, retry_headers(status))


def error_record(error: BaseException, request_id: str) -> bytes:
    """Return an error as the last line of an answer in JSON lines, which then has no record of type `end`.

    Args:
        error: Any error.
        request_id: The request's id.
    """
    record = {"type": "error", "document": None, "name": "", "number": None, "error": _error_body(error, request_id)}
    return msgspec.json.encode(record) + b"\n"


def _error_body(error: BaseException, request_id: str) -> dict[str, str | int]:
    """Return what clients of the native API are told about an error."""
    if isinstance(error, OcrError):
        code, details = error.code, error.details
    else:
        code, details = Overloaded.code if isinstance(error, MemoryError) else _INTERNAL, {}
    return {"code": code, "message": client_message(error, request_id), "request_id": request_id, **details}
