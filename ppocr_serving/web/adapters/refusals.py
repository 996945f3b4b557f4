"""What the server's process decides about requests of other services' clients by itself, and the forms of errors."""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from ppocr_serving.errors import InvalidSetting, UnsupportedMediaType
from ppocr_serving.web.errors import to_http
from ppocr_serving.web.media_types import MULTIPART, URLENCODED, is_json, media_type_of
from ppocr_serving.web.responses import Response, client_message, json_response, retry_headers
from ppocr_serving.workers.messages import Head

__all__ = [
    "check_form",
    "check_form_or_json",
    "check_json",
    "enabled_adapters",
    "is_form",
    "refuse_ocr",
    "refuse_ocrspace",
    "refuse_umiocr",
]

_FAILED: Final = 99  # OCR.space's exit code for errors that are not of one page


def enabled_adapters(names: Collection[str]) -> frozenset[str]:
    """Return the adapters that are switched on.

    Args:
        names: As in the settings.

    Raises:
        InvalidSetting: `none` stands beside others.
    """
    if "none" in names and len(names) > 1:
        raise InvalidSetting(f"PPOCR_ADAPTERS is {','.join(names)!r}: give either none or the names of adapters")
    return frozenset(names) - {"none"}


def is_form(head: Head) -> bool:
    """Return whether the body of a request is a form, of either type."""
    return media_type_of(head.content_type) in (MULTIPART, URLENCODED)


def check_form(head: Head) -> None:
    """Refuse a body that is not a form; raises UnsupportedMediaType."""
    if not is_form(head):
        raise _unsupported(head, f"a form ({MULTIPART} or {URLENCODED})")


def check_json(head: Head) -> None:
    """Refuse a body that is said to be something else than JSON; raises UnsupportedMediaType."""
    if not _may_be_json(head):
        raise _unsupported(head, "application/json")


def check_form_or_json(head: Head) -> None:
    """Refuse a body that is neither a form nor JSON; raises UnsupportedMediaType."""
    if not (is_form(head) or _may_be_json(head)):
        raise _unsupported(head, f"application/json, {MULTIPART} or {URLENCODED}")


def refuse_ocr(error: BaseException, request_id: str) -> Response:
    """Answer an error at `/ocr`, in a form that has the keys that clients of all its services look for."""
    message = client_message(error, request_id)
    status = to_http(error).http_status
    return _refusal(
        error, {"logId": request_id, "errorCode": status, "errorMsg": message, "error": message, "detail": message}
    )


def refuse_umiocr(error: BaseException, request_id: str) -> Response:
    """Answer an error in the form of Umi-OCR; its code is the HTTP status."""
    return _refusal(error, {"code": to_http(error).http_status, "data": client_message(error, request_id)})


def refuse_ocrspace(error: BaseException, request_id: str) -> Response:
    """Answer an error in the form of OCR.space."""
    message = client_message(error, request_id)
    return _refusal(
        error,
        {
            "ParsedResults": [],
            "OCRExitCode": _FAILED,
            "IsErroredOnProcessing": True,
            "ErrorMessage": [message],
            "ErrorDetails": message,
            "ProcessingTimeInMilliseconds": "0",
        },
    )


def _may_be_json(head: Head) -> bool:
    media_type = media_type_of(head.content_type)
    return media_type == "" or is_json(media_type)


def _unsupported(head: Head, expected: str) -> UnsupportedMediaType:
    return UnsupportedMediaType(f"the content type is {media_type_of(head.content_type)[:80]!r}; send {expected}")


def _refusal(error: BaseException, body: dict[str, Any]) -> Response:
    status = to_http(error).http_status
    return json_response(msgspec.json.encode(body), status, retry_headers(status))
