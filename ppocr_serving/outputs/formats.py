"""The formats by name, without what it takes to write them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.values import suggestion

__all__ = ["FORMATS", "Format", "find_format", "require_pages"]


class Format(NamedTuple):
    """A form in which documents can be had.

    Attributes:
        name: Its name in requests and options.
        media_type: For the header Content-Type.
        extension: Of files, without a dot.
        needs_image: Whether it shows the pictures, which have to be at hand then.
        is_one_page: Whether it shows exactly one page.
    """

    name: str
    media_type: str
    extension: str
    needs_image: bool = False
    is_one_page: bool = False


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        form.name: form
        for form in (
            Format("json", "application/json", "json"),
            Format("text", "text/plain; charset=utf-8", "txt"),
            Format("markdown", "text/markdown; charset=utf-8", "md"),
            Format("hocr", "application/xhtml+xml; charset=utf-8", "hocr"),
            Format("alto", "application/xml; charset=utf-8", "xml"),
            Format("csv", "text/csv; charset=utf-8; header=present", "csv"),
            Format("jsonl", "application/x-ndjson", "jsonl"),
            Format("pdf", "application/pdf", "pdf", needs_image=True),
            Format("png", "image/png", "png", needs_image=True, is_one_page=True),
        )
    }
)
"""All formats by name, the most detailed and the plainest one first."""


def find_format(name: str) -> Format:
    """Return the format of a name.

    Raises:
        InvalidRequest: There is none.
    """
    if name not in FORMATS:
        hint = suggestion(name[:40].lower(), FORMATS) or f"; known formats: {', '.join(FORMATS)}"
        raise InvalidRequest(f"unknown format {name[:40]!r}{hint}")
    return FORMATS[name]


def require_pages(form: Format, count: int) -> None:
    """Refuse pages that a format has no place for, before they are read.

    Args:
        form: The format.
        count: How many pages of a file are chosen.

    Raises:
        InvalidRequest: There are several, and the format shows one.
    """
    if form.is_one_page and count > 1:
        raise InvalidRequest(
            f"the format {form.name} shows one page, and {count} are chosen; choose one, as pages=1 does"
        )
