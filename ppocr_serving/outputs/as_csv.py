"""Documents as comma-separated values, a row per line of text."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Final

from ppocr_serving.outputs.items import Check, Item
from ppocr_serving.outputs.shapes import confidence_of
from ppocr_serving.outputs.texts import plain

__all__ = ["COLUMNS", "guarded", "write"]

COLUMNS: Final = (
    "document", "page", "paragraph", "line", "text", "confidence",
    "x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4",
)  # fmt: skip
"""The header. Page, paragraph and line are numbers from 1; a line's is its position on the page."""

_BYTE_ORDER_MARK = "\ufeff"  # without it, spreadsheets take the text for one in the system's older encoding
# Spreadsheets take what begins like this for a formula, the wide forms too in East Asian versions.
# Spaces are tried in one way only: a text may have 100,000 of them.
_FORMULA: Final = re.compile(r"\s*(?:'+\s*)?[=+\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBER: Final = re.compile(r"[+-]?\d[\d.,]*")


def write(items: Sequence[Item], check: Check) -> bytes:
    """Write documents as `ppocr_serving.outputs.write` does: RFC 4180 in UTF-8, with a byte order mark."""
    file = io.StringIO(newline="")
    rows = csv.writer(file, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for item in items:
        check()
        name = guarded(item.document.name)
        for page in item.document.pages:
            check()
            for number, line in enumerate(page.lines, 1):
                corners = (value for corner in line.box for value in corner)
                place = (name, page.number, line.paragraph + 1, number)
                rows.writerow((*place, guarded(line.text), confidence_of(line.confidence), *corners))
    return (_BYTE_ORDER_MARK + file.getvalue()).encode()


def guarded(text: str) -> str:
    """Return a text that no spreadsheet computes: with an apostrophe before it, if it begins like a formula.

    Numbers such as -12.50 stay as they are. Texts that begin with apostrophes and then like a formula get another one,
    so that taking one away from all of them restores every text.
    """
    shown = plain(text)
    if _FORMULA.match(shown) and not _NUMBER.fullmatch(shown):
        return f"'{shown}"
    return shown
