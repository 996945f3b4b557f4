"""Responses that hold documents."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from ppocr_serving.outputs import Format, Item, write
from ppocr_serving.web.call import Call
from ppocr_serving.web.responses import Response
from ppocr_serving.web.v1.names import content_disposition
from ppocr_serving.web.v1.page_images import MAX_GATHERED_BYTES, MEDIA_TYPE, PageImages
from ppocr_serving.web.v1.provenance import origin_header

__all__ = ["answer", "answer_headers"]

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
    encoder = PageImages(call.watch, MAX_GATHERED_BYTES)
    for index, item in enumerate(items):
        for page in item.document.pages:
            call.check_request()
            if item.pages is None or page.error is not None:
                continue
            images.append(
                {
                    "document": index,
                    "page": page.number,
                    "media_type": MEDIA_TYPE,
                    "data": encoder.encode(item.pages.image(page.number)),
                }
            )
    return images
