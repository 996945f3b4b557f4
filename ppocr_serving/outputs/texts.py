"""Texts without what would break the lines and the characters of a format."""

import re
from typing import Final

from ppocr_serving.errors import OcrError
from ppocr_serving.results import Document, Line, Page

__all__ = ["blocks", "error_message", "plain", "title"]

_BREAKS: Final = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]|[\U0001fffe-\U0010ffff]")
_REPLACEMENT = "\ufffd"


def plain(text: str) -> str:
    """Return a text that every format can hold, in one line.

    Tabs and line breaks of all kinds become spaces. Control characters, lone surrogates and code points that are no
    characters become U+FFFD.
    """
    return _UNFIT.sub(_replacement, _BREAKS.sub(" ", text))


def blocks(page: Page) -> tuple[tuple[Line, ...], ...]:
    """Return the lines of a page as blocks to be set apart: its paragraphs, if its lines are in their order.

    Otherwise, lines go straight across the page, and what belongs together lies between lines that do not: one block.
    """
    numbers = [line.paragraph for line in page.lines]
    if numbers == sorted(numbers):
        return page.paragraphs
    return (page.lines,) if page.lines else ()


def title(document: Document, index: int) -> str:
    """Return what to call a document: its name, or "Document 3" for the one with index 2."""
    return plain(document.name).strip() or f"Document {index + 1}"


def error_message(error: OcrError) -> str:
    """Return the message of an error, in one line."""
    return plain(str(error))


def _replacement(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _REPLACEMENT if code < 0x10000 or code & 0xFFFE == 0xFFFE else found[0]
