"""Documents made by hand: hostile texts, errors, and whatever hypothesis thinks of."""

from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np
from hypothesis import strategies as st

from ppocr_serving.errors import ImageDecodeError
from ppocr_serving.outputs import Item, Origin
from ppocr_serving.results import Box, Document, Line, Page, Word

Attach = Callable[..., Item]
"""A fixture that attaches a file to a document."""

DOTS_PER_POINT: Final = 200 / 72
"""Pixels per point on pages that are pictures."""

HOSTILE: Final = (
    "<img src=x onerror=alert(1)>",
    "</span></p></div><script>1</script>",
    "a \"b\" 'c' & d &amp; &#x41; ]]> <!-- -->",
    '=cmd|"/C calc"!A0',
    "@SUM(1+1)*2",
    "+1+2",
    "-1+2",
    "\t=1+1",
    "＝1+1",
    "''=1",
    "# heading",
    "1. one",
    "2) two",
    "- item",
    "+ item",
    "***",
    "---",
    "===",
    "```code",
    "~~~code",
    "    code",
    "> quote",
    "|a|b|",
    "[text](javascript:alert(1))",
    "![x](y)",
    "<http://a.example>",
    "http://a.example/ www.b.example c@d.example",
    "**bold** __bold__ _it_ `code` ~~gone~~ $x$ ^1^",
    "hard break\\",
    "two spaces  ",
    "&copy; &#0;",
    "nul \0 bell \a escape \x1b[31m delete \x7f c1 \x85\x9b",
    "row\nrow\rrow\r\nrow\vrow\frow\u2028row\u2029row",
    "surrogate \ud800 alone \udfff",
    "no characters \ufffe \uffff \ufdd0 \U0001ffff",
    "שלום עולם مرحبا",
    "\u202ereversed\u202c",
    "emoji 😀👍🏽 and 𠀀𪚥",
    "e\u0301 combining \u200d joined",
    "(brackets) \\ and <angles>",
    "图中的文字，2026年。",
    "",
    "   ",
)
"""Texts that are markup, a formula, or no text at all in one format or another."""


def box_at(left: int, top: int, width: int, height: int) -> Box:
    """Return an upright box."""
    return (left, top), (left + width, top), (left + width, top + height), (left, top + height)


def page_of(texts: Sequence[str], *, paragraphs: bool = False, number: int = 1) -> Page:
    """Return a page with a line for each text, 30 pixels high, and a paragraph for each line if wanted."""
    lines = tuple(
        Line(text, 0.9, box_at(20, 20 + 45 * index, 16 * max(len(text), 1), 30), (), index if paragraphs else 0)
        for index, text in enumerate(texts)
    )
    return Page(1000, 45 * len(texts) + 60, lines, number=number)


def hostile_item(texts: Sequence[str] = HOSTILE) -> Item:
    """Return a document of hostile texts with a hostile name, a failed page and an origin."""
    failed = Page(0, 0, number=2, error=ImageDecodeError("is <b>damaged</b>\n=1+1"))
    origin = Origin("p<b>", {"rec/x&y": "00"}, {"words": True, "name": "<i>"}, "1<2")
    name = "a\";<b>&\n\ud800'.png"
    return Item(Document((page_of(texts), failed), name), origin, {"decode": 0.25})


class Blank:
    """White pictures of the size of a document's pages; see `ppocr_serving.outputs.PageSource`."""

    file = b""
    kind: Final = "picture"

    def __init__(self, document: Document) -> None:
        self._pages = {page.number: page for page in document.pages}

    def image(self, number: int) -> "np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]":
        page = self._pages[number]
        return np.full((page.height, page.width, 3), 255, np.uint8)

    def original_jpeg(self, number: int) -> bytes | None:  # noqa: ARG002
        return None


def with_blank(item: Item) -> Item:
    """Return a document with white pictures."""
    return item._replace(pages=Blank(item.document))


def jpeg_of(image: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", orientation: int = 1) -> bytes:
    """Return a picture as a JPEG file with an EXIF orientation."""
    file: bytes = cv2.imencode(".jpg", image)[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + orientation.to_bytes(2) + bytes(6)
    return file[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + file[2:]


_coordinates = st.integers(-50, 700)
_points = st.tuples(_coordinates, _coordinates)
_boxes = st.tuples(_points, _points, _points, _points)
_texts = st.one_of(st.text(max_size=20), st.sampled_from(HOSTILE), st.text("ab 中=#-*_<&1.", max_size=12))
_confidences = st.floats(0, 1)
_words = st.builds(Word, _texts, _confidences, _boxes)


@st.composite
def _pages(draw: st.DrawFn) -> Page:
    lines = []
    paragraph = 0
    for index in range(draw(st.integers(0, 5))):
        paragraph += index > 0 and draw(st.booleans())
        words = tuple(draw(st.lists(_words, max_size=3)))
        lines.append(Line(draw(_texts), draw(_confidences), draw(_boxes), words, paragraph))
    if draw(st.booleans()):  # straight across the page
        lines = draw(st.permutations(lines))
    return Page(
        width=draw(st.integers(1, 600)),
        height=draw(st.integers(1, 600)),
        lines=tuple(lines),
        angle=draw(st.sampled_from((0, 90, 180, 270))),
        number=draw(st.integers(1, 9)),
        dpi=draw(st.sampled_from((None, 72.0, 200.0))),
        text_source=draw(st.sampled_from(("ocr", "pdf"))),
        error=draw(st.sampled_from((None, None, None, ImageDecodeError("is <damaged>")))),
    )


documents: Final = st.builds(
    Document,
    st.lists(_pages(), max_size=3).map(tuple),
    _texts,
    st.sampled_from((None, None, ImageDecodeError("is not a picture"))),
)
"""Any document."""
