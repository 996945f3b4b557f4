"""Documents as JSON, with all that is known of them, and back."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from ppocr_serving import errors
from ppocr_serving.errors import InvalidRequest, LimitExceeded, OcrError
from ppocr_serving.outputs.items import Check, Item, Origin
from ppocr_serving.outputs.shapes import angle_of, confidence_of, enclosing_box, size_of
from ppocr_serving.outputs.texts import error_message
from ppocr_serving.outputs.wire import (
    WireDocument,
    WireDocuments,
    WireError,
    WireLine,
    WirePage,
    WireParagraph,
    WireSize,
    WireWord,
)
from ppocr_serving.results import Box, Document, Line, Page, Word
from ppocr_serving.values import plain_reason

__all__ = [
    "Limits",
    "encodable",
    "encode_times",
    "error_of",
    "page_of",
    "read",
    "read_items",
    "wire_error",
    "wire_page",
    "write",
]

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_ERRORS: Final = {
    kind.code: kind
    for name in errors.__all__
    # What takes more than a message to make is an error of a request, and not of a document.
    if issubclass(kind := getattr(errors, name), OcrError) and "__init__" not in vars(kind)
}
_MILLISECOND_DIGITS = 3
_MAX_NAME = 4096


class _SentOrigin(msgspec.Struct, frozen=True):
    profile: str
    files: dict[str, str]
    options: dict[str, bool | int | float | str | None]
    version: str


class Limits(NamedTuple):
    """Limits of a file to read.

    Attributes:
        max_bytes: Of the file; what is read takes up to twelve times as much memory.
        max_documents: Documents.
        max_pages: Pages of all documents together.
        max_lines: Lines of all pages together.
        max_words: Words of all lines together.
    """

    max_bytes: int = 16_000_000
    max_documents: int = 1000
    max_pages: int = 2000
    max_lines: int = 50_000
    max_words: int = 200_000


def write(items: Sequence[Item], check: Check) -> bytes:
    """Write documents as `ppocr_serving.outputs.write` does."""
    return msgspec.json.encode(WireDocuments(documents=tuple(_wire_document(item, check) for item in items)))


def read(data: bytes, limits: Limits = Limits()) -> tuple[Document, ...]:  # noqa: B008  # is immutable
    """Read documents from what `write` has written, as it is or after corrections by hand.

    Texts, boxes and whatever else may differ. `confidence`, `order`, `number` and most others may be missing; sizes,
    angles of lines and boxes of paragraphs may too, and are ignored, because they follow from the boxes.

    Args:
        data: JSON in UTF-8.
        limits: Its limits.

    Raises:
        InvalidRequest: It is not such a file; the message says where.
        LimitExceeded: There is more of something than a limit allows.
    """
    if len(data) > limits.max_bytes:
        raise LimitExceeded(f"the documents have {len(data)} bytes; the limit is {limits.max_bytes}")
    file = _decode(data)
    _require_within(file, limits)
    return tuple(map(_document, file.documents))


def read_items(data: bytes) -> tuple[Item, ...]:
    """Read documents with all that is said of them, as a server has written them.

    Args:
        data: JSON in UTF-8.

    Raises:
        InvalidRequest: It is not such a file.
    """
    return tuple(map(_item, _decode(data).documents))


def wire_page(page: Page) -> WirePage:
    """Return a page in the form that it has in JSON."""
    paragraphs: dict[int, list[WireLine]] = {}
    for order, line in enumerate(page.lines, 1):
        paragraphs.setdefault(line.paragraph, []).append(_wire_line(line, order))
    return WirePage(
        width=page.width,
        height=page.height,
        number=page.number,
        angle=page.angle,
        dpi=page.dpi,
        text_source=page.text_source,
        error=wire_error(page.error),
        paragraphs=tuple(
            WireParagraph(box=enclosing_box(line.box for line in lines), lines=tuple(lines))
            for _, lines in sorted(paragraphs.items())
        ),
    )


def page_of(wire: WirePage) -> Page:
    """Return the page that is in JSON in this form."""
    placed = [
        (line.order, _line(line, number))
        for number, paragraph in enumerate(wire.paragraphs)
        for line in paragraph.lines
    ]
    if all(order is not None for order, _ in placed):  # a line that was added by hand need not have any
        placed.sort(key=lambda pair: pair[0] or 0)
    return Page(
        width=wire.width,
        height=wire.height,
        lines=tuple(line for _, line in placed),
        angle=wire.angle,
        number=wire.number,
        dpi=wire.dpi,
        text_source=wire.text_source,
        error=_error(wire.error),
    )


def wire_error(error: OcrError | None) -> WireError | None:
    """Return an error in the form that it has in JSON."""
    return None if error is None else WireError(code=error.code, message=error_message(error)[:_MAX_NAME])


def error_of(code: str, message: str) -> OcrError:
    """Return the error of a code; an `OcrError` if there is none, or if it takes more than a message."""
    kind: type[OcrError] = _ERRORS.get(code, OcrError)
    return kind(message)


def encodable(text: str) -> str:
    """Return a text that UTF-8 can hold; names of files may not be such."""
    return _SURROGATES.sub("\ufffd", text)


def encode_times(times: Mapping[str, float]) -> dict[str, float]:
    """Return times in milliseconds by stage."""
    return {str(stage): round(seconds * 1000, _MILLISECOND_DIGITS) for stage, seconds in times.items()}


def _decode(data: bytes) -> WireDocuments:
    try:
        return msgspec.json.decode(data, type=WireDocuments)
    except msgspec.ValidationError as error:
        where = str(error).partition(" - at `$.")[2].rstrip("`") or "the documents"
        raise InvalidRequest(f"{where}: {plain_reason(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the documents are not valid JSON ({' '.join(str(error).split())})") from error


def _wire_document(item: Item, check: Check) -> WireDocument:
    document = item.document
    check()
    pages = []
    for page in document.pages:
        check()
        pages.append(wire_page(page))
    return WireDocument(
        name=encodable(document.name)[:_MAX_NAME],
        partial=_is_partial(document),
        error=wire_error(document.error),
        pages=tuple(pages),
        origin=msgspec.Raw(msgspec.json.encode(_wire_origin(item.origin))),
        times=msgspec.Raw(msgspec.json.encode(encode_times(item.times))),
    )


def _is_partial(document: Document) -> bool:
    """Return whether some of a document could be read, and some could not."""
    failed = [page.error is not None for page in document.pages]
    return not all(failed) and (any(failed) or document.error is not None)


def _wire_origin(origin: Origin | None) -> dict[str, object] | None:
    if origin is None:
        return None
    return {
        "profile": origin.profile,
        "files": dict(origin.files),
        "options": dict(origin.options),
        "version": origin.version,
    }


def _wire_line(line: Line, order: int) -> WireLine:
    return WireLine(
        text=encodable(line.text),
        box=line.box,
        confidence=confidence_of(line.confidence),
        size=_wire_size(line.box),
        angle=angle_of(line.box),
        order=order,
        words=tuple(map(_wire_word, line.words)),
    )


def _wire_word(word: Word) -> WireWord:
    return WireWord(
        text=encodable(word.text),
        confidence=confidence_of(word.confidence),
        box=word.box,
        size=_wire_size(word.box),
    )


def _wire_size(box: Box) -> WireSize:
    width, height = size_of(box)
    return WireSize(width=width, height=height)


def _require_within(file: WireDocuments, limits: Limits) -> None:
    pages = [page for document in file.documents for page in document.pages]
    lines = [line for page in pages for paragraph in page.paragraphs for line in paragraph.lines]
    counts = (
        (len(file.documents), "documents", limits.max_documents),
        (len(pages), "pages", limits.max_pages),
        (len(lines), "lines", limits.max_lines),
        (sum(len(line.words) for line in lines), "words", limits.max_words),
    )
    for count, name, limit in counts:
        if count > limit:
            raise LimitExceeded(f"there are {count} {name}; the limit is {limit}, send fewer")


def _item(wire: WireDocument) -> Item:
    try:
        sent = msgspec.json.decode(wire.origin, type=_SentOrigin | None)
        times = msgspec.json.decode(wire.times, type=dict[str, float])
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"the documents are not those of a server ({' '.join(str(error).split())})") from error
    origin = None if sent is None else Origin(sent.profile, sent.files, sent.options, sent.version)
    return Item(_document(wire), origin, {stage: milliseconds / 1000 for stage, milliseconds in times.items()})


def _document(wire: WireDocument) -> Document:
    return Document(tuple(map(page_of, wire.pages)), wire.name, _error(wire.error))


def _line(wire: WireLine, paragraph: int) -> Line:
    words = tuple(Word(word.text, word.confidence, word.box) for word in wire.words)
    return Line(wire.text, wire.confidence, wire.box, words, paragraph)


def _error(wire: WireError | None) -> OcrError | None:
    return None if wire is None else error_of(wire.code, wire.message)
