"""What is said to and by the processes that open PDF files: see `ppocr_serving.vision.pdf`."""

from typing import Final

import msgspec

__all__ = ["MAX_TEXT_BYTES", "Character", "Close", "Done", "Open", "Render", "Request", "Sizes", "Text"]

MAX_TEXT_BYTES: Final = 2**24
"""Bytes of the text of a page, with the place of each character."""


class Open(msgspec.Struct, frozen=True, tag=True):
    """Open the file that comes with this; answered with the number of its pages.

    Attributes:
        password: To open it with; may be empty.
        seconds: CPU time that opening it may take.
        page_seconds: CPU time that each page may take.
        memory: Bytes that opening it, and each page, may take.
    """

    password: str
    seconds: float
    page_seconds: float
    memory: int

    def __repr__(self) -> str:  # a password is in no message and no log
        return "Open(...)"


class Sizes(msgspec.Struct, frozen=True, tag=True):
    """Write the sizes of pages to the file that comes with this: a list of pairs of width and height in points.

    Attributes:
        first: Number of the first page, from 1.
        count: How many.
    """

    first: int
    count: int


class Render(msgspec.Struct, frozen=True, tag=True):
    """Draw a page into the file that comes with this: (height, width, 3) uint8, BGR.

    Attributes:
        number: Number of the page, from 1.
        width: In pixels.
        height: In pixels.
    """

    number: int
    width: int
    height: int


class Text(msgspec.Struct, frozen=True, tag=True):
    """Write the text of a page to the file that comes with this: a list of `Character`.

    Attributes:
        number: Number of the page, from 1.
    """

    number: int


class Close(msgspec.Struct, frozen=True, tag=True):
    """Let go of the file; answered when nothing more of it is read."""


Request = Open | Sizes | Render | Text | Close


class Done(msgspec.Struct, frozen=True):
    """How that went.

    Attributes:
        error: Number of PDFium's error; 0 if it went well.
        value: What was asked for, if that is a number.
        signal: What has ended the process that did it, or 0.
        lacks_memory: Whether that process has ended by itself.
        is_over: Whether the file is not open any more.
    """

    error: int = 0
    value: int = 0
    signal: int = 0
    lacks_memory: bool = False
    is_over: bool = False


class Character(msgspec.Struct, frozen=True, array_like=True):
    r"""One character of a page's own text.

    Attributes:
        text: The character; "\n" ends a line. A blank that no box belongs to has been added between two pieces.
        turned: Quarters clockwise by which it is turned as displayed, 0 to 3.
        is_unmapped: Whether the file does not say which character it is.
        left: Points from the left edge of the page as displayed.
        top: Points from its top edge.
        right: As `left`.
        bottom: As `top`.
    """

    text: str
    turned: int
    is_unmapped: bool
    left: float
    top: float
    right: float
    bottom: float
