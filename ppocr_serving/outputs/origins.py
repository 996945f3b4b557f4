"""What makes documents: models and options of a reader, or of a server."""

import hashlib
import json
from typing import Final

from ppocr_serving.outputs.items import Origin
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader

__all__ = ["effective_options", "fingerprint_of", "origin_of"]

_SETTINGS: Final = {"dpi": "pdf_dpi"}  # options whose setting has another name


def origin_of(reader: Reader, options: ReadOptions) -> Origin:
    """Return what makes the documents of a reader.

    Args:
        reader: The reader.
        options: Options of the call.
    """
    return Origin(reader.settings.models.profile.name, reader.model_hashes, effective_options(reader, options))


def fingerprint_of(origin: Origin, *others: str) -> str:
    """Return a short hash of what decides how documents are read and written.

    Args:
        origin: What makes them; its version has no part in it, so that an update does not have all read again.
        *others: What else has a part in it.
    """
    text = json.dumps([origin.profile, dict(origin.files), dict(origin.options), *others], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def effective_options(reader: Reader, options: ReadOptions) -> dict[str, bool | float | str | None]:
    """Return what takes effect of each option, by name: of those that are set, and of the settings for the others."""
    reading = reader.settings.reading
    effective = {
        name: getattr(reading, _SETTINGS.get(name, name), None) if value is None else value
        for name, value in options.plain().items()
    }
    effective["reading_order"] = effective["reading_order"] or "natural"
    effective["pdf_text"] = effective["pdf_text"] or "never"
    return effective
