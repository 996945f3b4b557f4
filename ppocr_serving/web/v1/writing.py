"""Responses that hold documents."""

import base64
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import cv2
import msgspec

from ppocr_serving.errors import EngineError, LimitExceeded
from ppocr_serving.outputs import Format, Item, write
from ppocr_serving.web.call import Call
from ppocr_serving.web.responses import Response
from ppocr_serving.web.v1.names import content_disposition
from ppocr_serving.web.v1.provenance import origin_header

__all__ = ["answer", "answer_headers"]

_QUALITY: Final = 90
_MAX_IMAGE_BYTES: Final = 2**25  # of all pages of an answer together
_NOT_FILES: Final = frozenset({"json", "jsonl"})


def answer(items: Sequence[Item], form: Format, call: Call, page_images: bool = False) -> Response:
    """Return a response with documents.

    Args:
        items: At least one.
        form: The response's format.
        call: What is answered.
        page_images: Add the pages as they were read; only for JSON.

    Raises:
        InvalidRequest: The format does not hold these documents.
        LimitExceeded: The pages are too large to be added.
    """
    call.next_page()  # to write it all may take longer than what the last page has left
    with call.watch("encode"):
        body = write(items, form.name, check=call.check_request)
        if page_images:
            sections = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            body = msgspec.json.encode({**sections, "page_images": _page_images(items, call)})
    return Response(HTTPStatus.OK, answer_headers(items, form), body)


def answer_headers(items: Sequence[Item], form: Format) -> tuple[tuple[str, str], ...]:
    """Return the headers of a response with documents."""
    headers = [("Content-Type", form.media_type)]
    if form.name not in _NOT_FILES:
        name = items[0].document.name if len(items) == 1 else ""
        headers.append(("Content-Disposition", content_disposition(name, form.extension)))
    if items[0].origin is not None:
        headers.append(origin_header(items[0].origin))
    return tuple(headers)


def _page_images(items: Sequence[Item], call: Call) -> list[dict[str, Any]]:
    images = []
    room = _MAX_IMAGE_BYTES
    for index, item in enumerate(items):
        for page in item.document.pages:
            call.check_request()
            if item.pages is None or page.error is not None:
                continue
            is_written, data = cv2.imencode(".jpg", item.pages.image(page.number), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
            if not is_written:
                raise EngineError(f"page {page.number} of {item.document.name!r} cannot be written as JPEG")
            room -= data.nbytes
            if room < 0:
                raise LimitExceeded(
                    f"page_images: the pages have more than {_MAX_IMAGE_BYTES} bytes as JPEG; "
                    "ask for fewer pages, or leave it out"
                )
            images.append(
                {
                    "document": index,
                    "page": page.number,
                    "media_type": "image/jpeg",
                    "data": base64.b64encode(data.tobytes()).decode(),
                }
            )
    return images
