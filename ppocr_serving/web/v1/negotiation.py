"""The format of an answer: by name, or by the header Accept."""

import re
from typing import Final

from ppocr_serving.errors import NotAcceptable
from ppocr_serving.outputs import FORMATS, Format

__all__ = ["accepted_format", "essence"]

_QUALITY: Final = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")
_MAX_RANGES: Final = 100


def accepted_format(accept: str) -> Format:
    """Return the format that a client likes best.

    Of equally good ones it is the first of `FORMATS`, so that it is JSON for those who accept everything.

    Args:
        accept: The header; empty accepts everything.

    Raises:
        NotAcceptable: The client accepts none of them.
    """
    ranges = _parse(accept)
    if not ranges:
        return next(iter(FORMATS.values()))
    best = max(FORMATS.values(), key=lambda form: _quality(essence(form), ranges))
    if _quality(essence(best), ranges) > 0:
        return best
    kinds = ", ".join(f"{essence(form)} ({form.name})" for form in FORMATS.values())
    raise NotAcceptable(f"Accept is {accept[:80]!r}; answers can be {kinds}, or choose one with format=NAME")


def essence(form: Format) -> str:
    """Return a format's media type without parameters."""
    return form.media_type.partition(";")[0]


def _parse(accept: str) -> dict[str, float]:
    """Return the quality of each range of media types; those that are not well-formed are ignored."""
    ranges: dict[str, float] = {}
    for item in accept.split(",")[:_MAX_RANGES]:
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        if re.fullmatch(r"[^\s/]+/[^\s/]+", kind) is None:
            continue
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                quality = float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
        ranges[kind] = max(quality, ranges.get(kind, 0.0))
    return ranges


def _quality(media_type: str, ranges: dict[str, float]) -> float:
    """Return how much a client likes a media type: as its most specific range says."""
    for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0
