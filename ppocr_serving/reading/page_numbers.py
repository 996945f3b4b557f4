"""Which pages of a file are read: numbers and ranges such as "1-3,7,10-"."""

import re
from typing import Final

from ppocr_serving.errors import InvalidRequest, LimitExceeded

__all__ = ["check_pages", "chosen_pages"]

_MAX_LENGTH = 500
_PART: Final = re.compile(r"\s*([0-9]{1,7})\s*(?:(-)\s*([0-9]{1,7})?\s*)?", re.ASCII)
_FORM = 'give numbers and ranges from 1 on, such as "1-3,7,10-"'


def check_pages(text: str) -> None:
    """Check the form of a choice of pages.

    Raises:
        InvalidRequest: It is not one.
    """
    _ranges(text)


def chosen_pages(text: str | None, count: int, limit: int) -> list[int]:
    """Return the numbers of the pages to read.

    Args:
        text: The choice: parts separated by commas, each a number, a range, or a range to the end. None means all.
        count: How many pages the file has. A range may end beyond the last one, but not begin there.
        limit: How many may be chosen.

    Returns:
        Numbers from 1, ascending, each once.

    Raises:
        InvalidRequest: A page does not exist.
        LimitExceeded: More pages are chosen than allowed.
    """
    chosen: set[int] = set()
    for first, last in [(1, None)] if text is None else _ranges(text):
        if first > count:
            raise InvalidRequest(f"pages is {text!r}, but the last page is {count}; choose pages up to it")
        end = count if last is None else min(last, count)
        if end - first >= limit:
            _refuse(end - first + 1, limit, text)
        chosen.update(range(first, end + 1))
        if len(chosen) > limit:
            _refuse(len(chosen), limit, text)
    return sorted(chosen)


def _refuse(count: int, limit: int, text: str | None) -> None:
    what = f"has {count} pages" if text is None else f"pages is {text!r}, which are {count} pages or more"
    raise LimitExceeded(f"{what}; the limit is {limit} per call, choose fewer with pages")


def _ranges(text: str) -> list[tuple[int, int | None]]:
    if len(text) > _MAX_LENGTH:
        raise InvalidRequest(f"pages has {len(text)} characters; the limit is {_MAX_LENGTH}")
    found: list[tuple[int, int | None]] = []
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise InvalidRequest(f"pages is {text!r}; {_FORM}")
        first = int(match[1])
        last = first if match[2] is None else None if match[3] is None else int(match[3])
        if first < 1 or (last is not None and last < first):
            raise InvalidRequest(f"pages is {text!r}, in which {part.strip()!r} is not a range; {_FORM}")
        found.append((first, last))
    return found
