"""The form of documents in JSON, to write and to read.

The bounds are far above what any picture has; they keep numbers of a hand-made file from becoming absurd sizes later.
"""

from typing import Annotated, Literal

import msgspec

__all__ = [
    "WireDocument",
    "WireDocuments",
    "WireError",
    "WireLine",
    "WirePage",
    "WireParagraph",
    "WireSize",
    "WireWord",
]

_Pixels = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
_Coordinate = Annotated[int, msgspec.Meta(ge=-1_000_000, le=2_000_000)]
_Confidence = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Text = Annotated[str, msgspec.Meta(max_length=100_000)]
_Name = Annotated[str, msgspec.Meta(max_length=4096)]
_Number = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_Dpi = Annotated[float, msgspec.Meta(ge=1, le=10_000)]
_WirePoint = tuple[_Coordinate, _Coordinate]
_WireBox = tuple[_WirePoint, _WirePoint, _WirePoint, _WirePoint]
_Length = Annotated[float, msgspec.Meta(ge=0, le=10_000_000)]
_QuarterTurns = Annotated[int, msgspec.Meta(ge=0, le=270, multiple_of=90)]
_Degrees = Annotated[float, msgspec.Meta(ge=-360, le=360)]


class WireError(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why something could not be read."""

    code: _Name
    message: _Name


class WireSize(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size of a text: pixels along it and across it."""

    width: _Length
    height: _Length


class WireWord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word; `size` follows from `box` and is ignored when read."""

    text: _Text
    confidence: _Confidence = 1.0
    box: _WireBox
    size: WireSize | None = None


class WireLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line; `size` and `angle` follow from `box` and are ignored when read.

    `order` is its position among the lines of the page, from 1, in the order that was asked for.
    """

    text: _Text
    confidence: _Confidence = 1.0
    box: _WireBox
    size: WireSize | None = None
    angle: _Degrees = 0.0
    order: _Number | None = None
    words: tuple[WireWord, ...] = ()


class WireParagraph(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A paragraph; `box` follows from its lines and is ignored when read."""

    box: _WireBox | None = None
    lines: tuple[WireLine, ...]


class WirePage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page, as `ppocr_serving.results.Page` has it."""

    number: _Number = 1
    width: _Pixels
    height: _Pixels
    angle: _QuarterTurns = 0
    dpi: _Dpi | None = None
    text_source: Literal["ocr", "pdf"] = "ocr"
    error: WireError | None = None
    paragraphs: tuple[WireParagraph, ...] = ()


class WireDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document; `partial`, `origin` and `times` are ignored when read."""

    name: _Name = ""
    partial: bool = False
    error: WireError | None = None
    origin: msgspec.Raw = msgspec.Raw(b"null")
    times: msgspec.Raw = msgspec.Raw(b"{}")
    pages: tuple[WirePage, ...]


class WireDocuments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file."""

    documents: tuple[WireDocument, ...]
