"""Which file, and which page of it, an error is about."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ppocr_serving.errors import InvalidRequest, LimitExceeded, OcrError, PageDeadlineExceeded

__all__ = ["CLIENTS_OWN", "at_file", "placed"]

CLIENTS_OWN = (InvalidRequest, LimitExceeded, PageDeadlineExceeded)
"""Errors that are of one file, and not of the server or of the time for the whole request."""

_PREDICATE: Final = re.compile(r"(?:is|has|brings) ")
"""What a message begins with whose subject is the file."""


@contextmanager
def at_file(index: int, name: str) -> Iterator[None]:
    """Say of the client's own errors in the enclosed block which file they are about.

    Args:
        index: Its position in the request, from 0.
        name: Its name; empty if it has none.
    """
    try:
        yield
    except CLIENTS_OWN as error:
        raise placed(error, index, name) from error


def placed(error: OcrError, index: int, name: str, page: int | None = None) -> OcrError:
    """Return an error that says what it is about, in its message and for programs; one that does already as it is.

    Args:
        error: The error as it is, of a file or a page.
        index: The file's position in the request, from 0.
        name: The file's name; empty if it has none.
        page: The page's number, from 1; None for the file as a whole.
    """
    if "file" in error.details:
        return error
    where = f"files[{index}]{f' ({name})' if name else ''}"
    located = type(error)(f"{where}{'' if _PREDICATE.match(str(error)) else ':'} {error}")
    details: dict[str, str | int] = {**error.details, "file": index}
    if name:
        details["name"] = name
    if page is not None:
        details["page"] = page
    located.details = details
    return located
