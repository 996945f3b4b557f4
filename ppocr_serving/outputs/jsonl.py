r"""Documents as JSON lines: a record per page, which can be sent as soon as it is read.

Each record is one object and ends with "\n". Its `type` says which: `page`, `error` for a document or a page that could
not be read, and `end`, the last one, without which a file is not complete.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from ppocr_serving.errors import InvalidRequest, OcrError
from ppocr_serving.outputs.as_json import encodable, encode_times, error_of, page_of, wire_error, wire_page
from ppocr_serving.outputs.items import Check, Item
from ppocr_serving.outputs.wire import WireError, WirePage
from ppocr_serving.results import Page

__all__ = ["PageImage", "Record", "end_record", "error_record", "page_record", "read_record", "write"]


class PageImage(msgspec.Struct, frozen=True):
    """A page as it was read.

    Attributes:
        media_type: What `data` is.
        data: The bytes of a file; base64 in the record.
    """

    media_type: str
    data: bytes


class _PageRecord(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="page"):
    document: int
    name: str
    page: WirePage
    image: PageImage | None = None


class _ErrorRecord(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    document: int
    name: str
    number: int | None
    error: WireError | None


class _EndRecord(msgspec.Struct, frozen=True, tag_field="type", tag="end"):
    documents: int
    pages: int
    errors: int
    times: dict[str, float]


class _SentError(msgspec.Struct, frozen=True):
    """An error as a server sends it: with more than its message, if it ends the answer."""

    code: str
    message: str


class _SentErrorRecord(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    error: _SentError
    number: int | None = None


class Record(NamedTuple):
    """What a record says.

    Attributes:
        page: The page, which has an error if it could not be read; None if the record is not about one.
        error: Why the document or the rest of the answer could not be read; else None.
        times: Seconds by stage, in the last record; else None.
    """

    page: Page | None = None
    error: OcrError | None = None
    times: Mapping[str, float] | None = None


def write(items: Sequence[Item], check: Check) -> bytes:
    """Write documents as `ppocr_serving.outputs.write` does."""
    records = []
    pages = errors = 0
    times: dict[str, float] = {}
    for index, item in enumerate(items):
        check()
        document = item.document
        for page in document.pages:
            check()
            records.append(page_record(document.name, index, page))
            pages += page.error is None
            errors += page.error is not None
        if document.error is not None:
            records.append(error_record(document.name, index, document.error))
            errors += 1
        for stage, seconds in item.times.items():
            times[stage] = times.get(stage, 0.0) + seconds
    records.append(end_record(len(items), pages, errors, times))
    return b"".join(records)


def page_record(item_name: str, index: int, page: Page, image: PageImage | None = None) -> bytes:
    """Return the record of a page, or of its error, if it could not be read.

    Args:
        item_name: The document's name.
        index: The document's position in the request, from 0.
        page: The page.
        image: Its picture; None leaves it out.
    """
    if page.error is not None:
        return error_record(item_name, index, page.error, page.number)
    return _line(_PageRecord(index, encodable(item_name), wire_page(page), image))


def error_record(item_name: str, index: int, error: OcrError, number: int | None = None) -> bytes:
    """Return the record of an error.

    Args:
        item_name: The document's name.
        index: The document's position in the request, from 0.
        error: Why it could not be read.
        number: The page that could not be read, from 1; None for the entire document.
    """
    return _line(_ErrorRecord(index, encodable(item_name), number, wire_error(error)))


def end_record(documents: int, pages: int, errors: int, times: Mapping[str, float]) -> bytes:
    """Return the last record.

    Args:
        documents: Number of documents.
        pages: Number of pages that were read.
        errors: Number of records of errors.
        times: Seconds by stage.
    """
    return _line(_EndRecord(documents, pages, errors, encode_times(times)))


def read_record(line: bytes) -> Record:
    """Read one record.

    Raises:
        InvalidRequest: It is not one.
    """
    try:
        record = msgspec.json.decode(line, type=_PageRecord | _SentErrorRecord | _EndRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the record is not one of JSON lines ({' '.join(str(error).split())})") from error
    if isinstance(record, _PageRecord):
        return Record(page_of(record.page))
    if isinstance(record, _EndRecord):
        return Record(times={stage: milliseconds / 1000 for stage, milliseconds in record.times.items()})
    failure = error_of(record.error.code, record.error.message)
    return Record(error=failure) if record.number is None else Record(Page(0, 0, number=record.number, error=failure))


def _line(record: msgspec.Struct) -> bytes:
    return msgspec.json.Encoder().encode_lines([record])
