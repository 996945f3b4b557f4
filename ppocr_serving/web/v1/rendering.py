"""The answers of `/v1/render`, in a worker process: documents in another format, without reading them again."""

from collections.abc import Sequence
from typing import Final

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.outputs import Item, as_json
from ppocr_serving.reading.documents import DocumentLimits
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.shelf import Shelf
from ppocr_serving.results import Document
from ppocr_serving.web.bounded_json import DECODING_ERRORS
from ppocr_serving.web.call import Call
from ppocr_serving.web.doors import RENDER
from ppocr_serving.web.responses import Response
from ppocr_serving.web.v1.choices import choose_rendering
from ppocr_serving.web.v1.fetching import with_fetched_files
from ppocr_serving.web.v1.files import File
from ppocr_serving.web.v1.parcels import Sent, open_parcel
from ppocr_serving.web.v1.writing import answer

__all__ = ["render"]

_EXAMPLE: Final = "send what /v1/read has answered with format=json, as curl -F documents=@answer.json does"


class _Answer(msgspec.Struct):
    """What is read of an answer of `/v1/read`."""

    documents: msgspec.Raw


def render(call: Call) -> Response:
    """Answer a request to render documents.

    Raises:
        OcrError: It cannot be answered.
    """
    reader = call.reader(RENDER.module)
    parcel = open_parcel(call.head, call.body, call.settings.max_images, documents=True)
    form, password = choose_rendering(parcel, call.head.accept)
    if parcel.documents is None:
        raise InvalidRequest(f"documents: there are none; {_EXAMPLE}")
    with call.watch("decode"):
        documents = _read(parcel.documents, reader, call)
    _require_files(parcel.files, documents)
    if form.needs_image and not parcel.files and any(document.pages for document in documents):
        raise InvalidRequest(
            f"format={form.name} needs the files of the documents; "
            "send each, in order, as curl -F file=@picture.png does"
        )
    parcel = with_fetched_files(parcel, call)
    call.record.pictures = len(parcel.files)
    call.record.lines = sum(len(document.lines) for document in documents)
    limits = DocumentLimits.of(reader.settings)._replace(max_total_pixels=call.settings.max_request_pixels)
    with Shelf(limits, password, call.watch.check) as shelf:
        items = [Item(document) for document in documents]
        if parcel.files:
            call.record.pixels = _count_pixels(documents, shelf)
            for index, (sent, document) in enumerate(zip(parcel.files, documents, strict=True)):
                file = File(sent.data, shelf, reader.settings.reading.pdf_dpi)
                file.belongs_to(document)
                items[index] = Item(document, pages=file)
        return answer(items, form, call)


def _read(data: bytes, reader: Reader, call: Call) -> tuple[Document, ...]:
    """Read documents from an answer, or from the list in it."""
    plain = data.removeprefix(b"\xef\xbb\xbf")
    stripped = plain.lstrip(b" \t\r\n")
    try:
        # Both look at all of the field, so that an error counts its bytes, and not those of what is made of it below.
        if stripped[:1] == b"{":
            stripped = bytes(msgspec.json.decode(plain, type=_Answer).documents)
        else:
            msgspec.json.decode(plain, type=msgspec.Raw)
    except DECODING_ERRORS as error:
        raise InvalidRequest(f"documents: are not an answer in JSON ({error}); {_EXAMPLE}") from error
    limits = as_json.Limits(
        max_documents=call.settings.max_images,
        max_pages=reader.settings.reading.max_pages,
        max_lines=reader.settings.reading.max_lines,
    )
    documents = as_json.read(b'{"documents":' + stripped + b"}", limits)
    if not documents:
        raise InvalidRequest(f"documents: the list is empty; {_EXAMPLE}")
    return documents


def _require_files(files: Sequence[Sent], documents: Sequence[Document]) -> None:
    if files and len(files) != len(documents):
        raise InvalidRequest(
            f"files: {len(files)}, but documents: {len(documents)}; send the file of each document, in order"
        )


def _count_pixels(documents: Sequence[Document], shelf: Shelf) -> int:
    for document in documents:
        for page in document.pages:
            shelf.count(page.width * page.height)
    return shelf.pixels
