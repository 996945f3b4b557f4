"""Write documents in any format."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.outputs.formats import find_format
from ppocr_serving.outputs.items import Check, Item

__all__ = ["write"]

_MODULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "json": "as_json",
        "text": "as_text",
        "markdown": "as_markdown",
        "hocr": "as_hocr",
        "alto": "as_alto",
        "csv": "as_csv",
        "jsonl": "jsonl",
        "pdf": "as_pdf",
        "png": "as_png",
    }
)


def write(items: Sequence[Item], format_name: str, *, check: Check = lambda: None) -> bytes:
    """Write documents in one format.

    The same items give the same bytes. No text that was read can become markup of the format.

    Args:
        items: The documents.
        format_name: One of `FORMATS`.
        check: Called at least once for each page and each picture. It may raise, to end the writing.

    Returns:
        A file of the format.

    Raises:
        InvalidRequest: There is no such format, it does not hold so many pages, or it needs pictures that are missing.
    """
    form = find_format(format_name)
    if form.needs_image:
        for item in items:
            if item.pages is None and item.document.pages:
                name = item.document.name or "a document"
                raise InvalidRequest(
                    f"the format {form.name} shows the pictures, and {name} comes without its file; "
                    "give Item(document, pages=FileSource(file, document))"
                )
    module = import_module(f"{__package__}.{_MODULES[form.name]}")
    writer = cast(Callable[[Sequence[Item], Check], bytes], module.write)
    return writer(items, check)
