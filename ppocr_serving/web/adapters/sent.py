"""Files that clients of other services send: in base64, with or without a data URL, or by their address."""

import re
from typing import Final

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.reading.files import naming_item
from ppocr_serving.reading.inputs import decode_base64_file
from ppocr_serving.web.call import Call
from ppocr_serving.web.urls import UrlLimits, fetch

__all__ = ["file_of_base64", "file_of_text", "file_of_url"]

_URL: Final = re.compile(rb"\s*https?://", re.IGNORECASE)
_MAX_URL_BYTES: Final = 2**14


def file_of_base64(field: str, text: bytes | memoryview) -> bytes:
    """Return a file that is sent in base64.

    Args:
        field: Its field's name.
        text: Base64, with optional white space and an optional data URL before it.

    Raises:
        ImageDecodeError: It is not valid base64, or empty.
    """
    with naming_item(f"{field}:"):
        return decode_base64_file(text)


def file_of_text(field: str, text: bytes | memoryview, call: Call) -> bytes:
    """Return a file that is sent in base64 or by its URL; raises as the two others."""
    if _URL.match(text[:200]) is None:
        return file_of_base64(field, text)
    if len(text) > _MAX_URL_BYTES:
        raise InvalidRequest(f"{field}: the URL has {len(text)} bytes; the limit is {_MAX_URL_BYTES}")
    return file_of_url(bytes(text).decode("utf-8", "replace").strip(), call)


def file_of_url(url: str, call: Call) -> bytes:
    """Return a file that is sent by its URL.

    Raises:
        InvalidRequest: URLs are not allowed, this one is not, or there is no file.
        LimitExceeded: The file is too large.
    """
    with call.watch.waiting("fetch"):
        return fetch(url, UrlLimits.of(call.settings))
