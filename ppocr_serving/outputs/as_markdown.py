"""Documents as Markdown, in which no text that was read is markup."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ppocr_serving.outputs.items import Check, Item
from ppocr_serving.outputs.texts import blocks, error_message, plain, title
from ppocr_serving.results import Line

__all__ = ["escaped", "write"]

# CommonMark reads a backslash before any of its punctuation as that character itself. Escaping all of it would spoil
# the text for people, so that what has a meaning only at the start of a row is escaped there alone.
_ANYWHERE: Final = re.compile(r"[\\`*_\[\]<>&~|$@^{}]")
_DOUBLE: Final = re.compile(r"==|::|--|\+\+")  # extensions: marked and deleted text, directives
_AT_START: Final = re.compile(r"^(?:[#+\-=:!]|\d+(?=[.)]))")
_LINKS: Final = re.compile(r":(?=//)|(?<=www)\.|:(?=\w+:)|(?<=mailto):|(?<=xmpp):", re.IGNORECASE)
_BETWEEN_PAGES = "---"


def write(items: Sequence[Item], check: Check) -> bytes:
    """Write documents as `ppocr_serving.outputs.write` does.

    One paragraph each, a rule between pages and, if there are several documents, a heading with the name of each.
    """
    parts: list[str] = []
    for index, item in enumerate(items):
        check()
        if len(items) > 1:
            parts.append(f"# {escaped(title(item.document, index))}")
        if item.document.error is not None:
            parts.append(f"*not read: {escaped(error_message(item.document.error))}*")
        for number, page in enumerate(item.document.pages):
            check()
            if number:
                parts.append(_BETWEEN_PAGES)
            if page.error is not None:
                parts.append(f"*page {page.number} not read: {escaped(error_message(page.error))}*")
            parts += filter(None, ("\n".join(_rows(block)) for block in blocks(page)))
    return "".join(f"{part}\n\n" for part in parts).removesuffix("\n").encode()


def escaped(text: str) -> str:
    """Return a text in one row that Markdown shows as it is, without the spaces at its ends."""
    row = " ".join(plain(text).split())
    row = _ANYWHERE.sub(r"\\\g<0>", row)
    row = _LINKS.sub(r"\\\g<0>", row)
    row = _DOUBLE.sub(lambda found: "".join(f"\\{character}" for character in found[0]), row)
    return _AT_START.sub(lambda found: f"{found[0]}\\" if found[0][0].isdigit() else f"\\{found[0]}", row)


def _rows(lines: Sequence[Line]) -> Iterator[str]:
    return filter(None, (escaped(line.text) for line in lines))
