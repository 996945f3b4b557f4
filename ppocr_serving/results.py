"""Results: documents of pages, pages of lines, in paragraphs, and lines of words.

Coordinates are integer pixels of the picture as a viewer shows it (EXIF orientation applied), origin top left, x to the
right, y down.
"""

from dataclasses import dataclass
from typing import Literal

from ppocr_serving.errors import OcrError

__all__ = ["Box", "Document", "Line", "Page", "Point", "TextSource", "Word"]

TextSource = Literal["ocr", "pdf"]
"""Where the text of a page came from: it was recognised, or is the text that a PDF holds itself."""

Point = tuple[int, int]
"""x and y."""

Box = tuple[Point, Point, Point, Point]
"""Four corners, clockwise as displayed, starting at the text's top left."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a line, or one character of a script without spaces.

    Attributes:
        text: The word.
        confidence: The mean probability of its characters, in [0, 1].
        box: Its corners.
    """

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text.

    Attributes:
        text: The text that was read.
        confidence: The mean probability of its characters, in [0, 1].
        box: Its corners.
        words: Its words in reading order; empty unless requested.
        paragraph: Number of its paragraph on the page, from 0 in natural reading order.
    """

    text: str
    confidence: float
    box: Box
    words: tuple[Word, ...] = ()
    paragraph: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """One picture, or one page of a document.

    Attributes:
        width: Width in pixels.
        height: Height in pixels.
        lines: The lines, in the order that was asked for; empty if no text was found.
        angle: Degrees clockwise by which the picture has to be turned to be upright: 0, 90, 180 or 270. Width, height
            and boxes are those of the picture as it is.
        number: Its number in the document, from 1.
        dpi: Pixels per inch at which a page of a PDF was rendered; None for pictures.
        text_source: Where the text came from: `ocr`, or `pdf` for the text that a PDF holds itself.
        error: Why the page could not be read (it then has no lines, and its size may be 0); None if it was read.
    """

    width: int
    height: int
    lines: tuple[Line, ...] = ()
    angle: int = 0
    number: int = 1
    dpi: float | None = None
    text_source: TextSource = "ocr"
    error: OcrError | None = None

    @property
    def text(self) -> str:
        """The text of all lines, one per row."""
        return "\n".join(line.text for line in self.lines)

    @property
    def paragraphs(self) -> tuple[tuple[Line, ...], ...]:
        """The lines of each paragraph, in natural reading order whatever the order of the lines."""
        paragraphs: dict[int, list[Line]] = {}
        for line in self.lines:
            paragraphs.setdefault(line.paragraph, []).append(line)
        return tuple(tuple(paragraphs[number]) for number in sorted(paragraphs))


@dataclass(frozen=True, slots=True)
class Document:
    """Everything read from one source.

    Attributes:
        pages: In order; a picture has one.
        name: The path of the source; empty if it has none.
        error: Why the source could not be read (it then has no pages); None if it was read.
    """

    pages: tuple[Page, ...]
    name: str = ""
    error: OcrError | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of all pages."""
        return tuple(line for page in self.pages for line in page.lines)

    @property
    def text(self) -> str:
        """The text of all lines of all pages, one per row."""
        return "\n".join(line.text for line in self.lines)
