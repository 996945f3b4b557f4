"""The tables of the output: their columns, and pages as rows."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import pyarrow as pa

from ppocr_serving.outputs.shapes import angle_of
from ppocr_serving.results import Line, Page, Word

__all__ = ["ERRORS", "PAGES", "SOURCES", "FileError", "FileId", "page_row"]

SOURCES: Final = pa.schema([("source", pa.string()), ("version", pa.string()), ("size", pa.int64())])
"""What is to be read."""

_BOX: Final = pa.list_(pa.int32(), 8)
_WORD: Final = pa.struct([("text", pa.string()), ("confidence", pa.float64()), ("box", _BOX)])
_LINE: Final = pa.struct(
    [
        ("text", pa.string()),
        ("confidence", pa.float64()),
        ("box", _BOX),
        ("order", pa.int32()),
        ("paragraph", pa.int32()),
        ("angle", pa.float32()),
        ("words", pa.list_(_WORD)),
    ]
)

PAGES: Final = pa.schema(
    [
        ("source", pa.string()),
        ("version", pa.string()),
        ("sha256", pa.string()),
        ("page", pa.int32()),
        ("options_hash", pa.string()),
        ("lines", pa.list_(_LINE)),
        ("text", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("angle", pa.int16()),
        ("dpi", pa.float64()),
        ("text_source", pa.string()),
        ("timings", pa.map_(pa.string(), pa.float64())),
        ("error_code", pa.string()),
        ("error", pa.string()),
    ]
)
"""A row per page. `error` is null unless this page of a file, whose others may be read, cannot be read."""

ERRORS: Final = pa.schema(
    [
        ("source", pa.string()),
        ("version", pa.string()),
        ("sha256", pa.string()),
        ("options_hash", pa.string()),
        ("error_code", pa.string()),
        ("error", pa.string()),
    ]
)
"""A row per file that cannot be read."""


class FileId(NamedTuple):
    """What identifies a file and how it is read.

    Attributes:
        source: Its address.
        version: See `find_sources`.
        sha256: Of its content, in hexadecimal digits; None if that could not be fetched.
        options_hash: Of the models and the options.
    """

    source: str
    version: str
    sha256: str | None
    options_hash: str


class FileError(NamedTuple):
    """Why a file cannot be read; a row of `ERRORS`.

    Attributes:
        source: As in `FileId`.
        version: Likewise.
        sha256: Likewise.
        options_hash: Likewise.
        error_code: A word that stays the same when the message changes.
        error: A line that says what is wrong.
    """

    source: str
    version: str
    sha256: str | None
    options_hash: str
    error_code: str
    error: str


def page_row(file: FileId, page: Page, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return a page as a row of `PAGES`.

    Args:
        file: The page's file.
        page: The page.
        seconds: What its stages took, by name.
    """
    return {
        **file._asdict(),
        "page": page.number,
        "lines": [_line(order, line) for order, line in enumerate(page.lines)],
        "text": page.text,
        "width": page.width,
        "height": page.height,
        "angle": page.angle,
        "dpi": page.dpi,
        "text_source": page.text_source,
        "timings": list(seconds.items()),
        "error_code": page.error and page.error.code,
        "error": page.error and str(page.error),
    }


def _line(order: int, line: Line) -> dict[str, Any]:
    return {
        **_word(line),
        "order": order,
        "paragraph": line.paragraph,
        "angle": angle_of(line.box),
        "words": [_word(word) for word in line.words],
    }


def _word(word: Word | Line) -> dict[str, Any]:
    return {
        "text": word.text,
        "confidence": word.confidence,
        "box": [coordinate for corner in word.box for coordinate in corner],
    }
