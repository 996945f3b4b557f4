"""What made an answer: models, options and version."""

import functools
from pathlib import Path
from typing import Final

import msgspec

from ppocr_serving.models.files import sha256_of
from ppocr_serving.outputs import Origin
from ppocr_serving.reading.models import spec_of
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader

__all__ = ["effective_options", "model_hashes", "origin_header", "origin_of"]

_SECRET: Final = frozenset({"password"})
_DICTIONARIES: Final = ("inference.yml", "dictionary.txt")
_SETTINGS: Final = {"dpi": "pdf_dpi"}  # options whose setting has another name
_KEPT_HASHES: Final = 64


def origin_of(reader: Reader, options: ReadOptions) -> Origin:
    """Return what makes the answers of a reader.

    Args:
        reader: The reader.
        options: Options of the call.
    """
    return Origin(reader.settings.models.profile.name, model_hashes(reader), effective_options(reader, options))


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


def model_hashes(reader: Reader) -> dict[str, str]:
    """Return the SHA-256 of the files of a reader's models and dictionaries, by role and name."""
    settings = reader.settings
    hashes: dict[str, str] = {}
    for role in reader.roles:
        model = spec_of(settings, role).model
        files = [model.program, *([] if model.params is None else [model.params])]
        if role in ("rec", "reread"):
            own = settings.models.rec_dict if role == "rec" else None
            files += [own] if own is not None else [model.program.with_name(name) for name in _DICTIONARIES]
        for path in filter(Path.is_file, files):
            hashes[f"{role}/{path.name}"] = _sha256(path, path.stat().st_mtime_ns)
    return hashes


def origin_header(origin: Origin) -> tuple[str, str]:
    """Return the header that says what made an answer, for formats that do not."""
    stated = {
        "profile": origin.profile,
        "files": dict(origin.files),
        "options": {name: value for name, value in origin.options.items() if value is not None},
        "version": origin.version,
    }
    text = msgspec.json.encode(stated).decode()
    # JSON escapes keep it within ASCII, as headers have to be.
    return "X-OCR-Origin", "".join(f"\\u{ord(c):04x}" if not " " <= c <= "~" else c for c in text)


@functools.lru_cache(maxsize=_KEPT_HASHES)
def _sha256(path: Path, _changed: int) -> str:
    return sha256_of(path)


def _plain(value: object) -> bool | float | str | None:
    if isinstance(value, tuple):  # regions, as they are given in a query
        return ";".join(",".join(map(str, region)) for region in value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
