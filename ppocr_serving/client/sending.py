"""What a client sends: files and options, in a form."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ppocr_serving.reading.files import naming_source, read_file
from ppocr_serving.reading.options import ReadOptions

__all__ = ["Loaded", "Source", "fields_of", "form_of", "load", "load_all"]

_READ: Final = "v1/read"

Source = str | Path | bytes
"""A file's path, or a file's bytes."""

_NAMELESS: Final = " "
"""A part of a form is a file only if it has a name; of this one, the server leaves nothing."""


class Loaded(NamedTuple):
    """A file to send.

    Attributes:
        name: Its path; empty if it has none.
        data: Its bytes.
    """

    name: str
    data: bytes


def load(source: Source) -> Loaded:
    """Return a source with its bytes.

    Raises:
        InvalidRequest: The file cannot be read.
    """
    if isinstance(source, bytes):
        return Loaded("", source)
    return Loaded(str(source), read_file(source))


def load_all(sources: Iterable[Source]) -> list[Loaded]:
    """Return sources with their bytes.

    Raises:
        InvalidRequest: A file cannot be read; the message names it.
    """
    files = []
    for source in sources:
        with naming_source(source):
            files.append(load(source))
    return files


def form_of(files: Sequence[Loaded], fields: Mapping[str, str]) -> dict[str, Any]:
    """Return a request with files and options; nothing of them is in its address, which proxies log."""
    parts = [("file", (Path(file.name).name or _NAMELESS, file.data, "application/octet-stream")) for file in files]
    return {"method": "POST", "url": _READ, "data": dict(fields), "files": parts}


def fields_of(options: ReadOptions | None, **answer: str) -> dict[str, str]:
    """Return options as texts by name.

    Args:
        options: How files are read.
        **answer: What is answered.
    """
    given = {} if options is None else options.given()
    return {**{name: _text(value) for name, value in given.items()}, **answer}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ";".join(",".join(map(str, region)) for region in value)
    return str(value)
