"""What made a document: models and options of a reader."""

from typing import Final

import msgspec

from ppocr_serving.outputs.items import Origin
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader

__all__ = ["effective_options", "origin_of"]

_SECRET: Final = frozenset({"password"})
_SETTINGS: Final = {"dpi": "pdf_dpi"}  # options whose setting has another name


def origin_of(reader: Reader, options: ReadOptions) -> Origin:
    """Return what makes the documents of a reader.

    Args:
        reader: The reader.
        options: Options of the call.
    """
    return Origin(reader.settings.models.profile.name, reader.model_hashes, effective_options(reader, options))


def effective_options(reader: Reader, options: ReadOptions) -> dict[str, bool | float | str | None]:
    """Return what takes effect of each option, by name: of those that are set, and of the settings for the others."""
    reading = reader.settings.reading
    effective = {
        name: getattr(reading, _SETTINGS.get(name, name), None) if value is None else value
        for name, value in msgspec.structs.asdict(options).items()
        if name not in _SECRET
    }
    effective["reading_order"] = effective["reading_order"] or "natural"
    effective["pdf_text"] = effective["pdf_text"] or "never"
    return {name: _plain(value) for name, value in effective.items()}


def _plain(value: object) -> bool | float | str | None:
    if isinstance(value, tuple):  # regions, as they are given in a query
        return ";".join(",".join(map(str, region)) for region in value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
