"""Documents as plain text."""

from collections.abc import Sequence

from ppocr_serving.outputs.items import Check, Item
from ppocr_serving.outputs.texts import blocks, plain

__all__ = ["write"]

_END_OF_PAGE = "\f"


def write(items: Sequence[Item], check: Check) -> bytes:
    """Write documents as `ppocr_serving.outputs.write` does.

    One row per line, in the order of the lines; an empty row between paragraphs, a form feed between pages. A page that
    could not be read is empty.
    """
    pages = []
    for item in items:
        check()
        for page in item.document.pages:
            check()
            paragraphs = ("".join(f"{plain(line.text)}\n" for line in lines) for lines in blocks(page))
            pages.append("\n".join(paragraphs))
    return _END_OF_PAGE.join(pages).encode()
