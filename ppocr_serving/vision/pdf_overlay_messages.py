"""What is said to and by the processes that put text over PDF files: see `ppocr_serving.vision.pdf_overlay`."""

import msgspec

__all__ = ["Done", "Look", "Overlay", "Request"]


class Look(msgspec.Struct, frozen=True, tag=True):
    """Look how pages of a PDF are turned.

    With this comes a file that has the PDF, then a list of numbers of pages, from 1. A second file receives a list: the
    quarters clockwise by which each page is turned to be displayed.

    Attributes:
        original: Bytes of the PDF.
        seconds: CPU time that this may take.
        memory: Bytes that it may take.
    """

    original: int
    seconds: float
    memory: int


class Overlay(msgspec.Struct, frozen=True, tag=True):
    """Put the pages of one PDF over pages of another one.

    With this comes a file that has the one underneath, then the one to put over it, then a list of numbers: for each of
    its pages the page underneath, from 1. A second file receives what comes out.

    Attributes:
        original: Bytes of the PDF underneath.
        layer: Bytes of the PDF to put over it.
        seconds: CPU time that this may take.
        memory: Bytes that it may take.
        max_bytes: Bytes that may come out.
    """

    original: int
    layer: int
    seconds: float
    memory: int
    max_bytes: int


Request = Look | Overlay


class Done(msgspec.Struct, frozen=True):
    """How that went.

    Attributes:
        is_done: Whether the file is there.
    """

    is_done: bool = False
