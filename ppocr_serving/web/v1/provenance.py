"""The header that says what made an answer."""

import msgspec

from ppocr_serving.outputs import Origin

__all__ = ["origin_header"]


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
