"""Files and other items by their names: the bytes of a file, and errors that say what they are about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ppocr_serving.errors import InvalidRequest, LimitExceeded

__all__ = ["ENDINGS", "name_of", "naming_item", "naming_source", "read_file"]

ENDINGS: Final = (
    ".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".pdf", ".png", ".tif", ".tiff", ".webp", ".dib", ".jfif",
)  # fmt: skip
"""Endings, in lower case, of the files that are looked for in folders."""


def read_file(path: str | Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        InvalidRequest: It cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"cannot be read ({error.strerror}); give a picture or PDF file") from error
    except ValueError as error:  # a path with a null character
        raise InvalidRequest("is not the path of a file; give a picture or PDF file") from error


def name_of(source: object) -> str:
    """Return the path of a source; empty if it has none."""
    return str(source) if isinstance(source, str | Path) else ""


@contextmanager
def naming_item(name: str) -> Iterator[None]:
    """Prefix the errors of the enclosed block with the name of an item."""
    try:
        yield
    except (InvalidRequest, LimitExceeded) as error:
        named = type(error)(f"{name} {error}")
        named.details = error.details
        raise named from error


@contextmanager
def naming_source(source: object) -> Iterator[None]:
    """Prefix the errors of the enclosed block with the path of a source, if it has one."""
    if name := name_of(source):
        with naming_item(f"{name}:"):
            yield
    else:
        yield
