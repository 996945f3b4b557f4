"""Names of files: as clients send them, and as answers carry them."""

import re
from typing import Final
from urllib.parse import quote

__all__ = ["content_disposition", "safe_name"]

_MAX_CHARACTERS: Final = 120
# Control characters, those that turn the direction of writing, and halves of characters.
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_RESERVED: Final = re.compile(r'[<>:"/\\|?*%;\s]+')
_DEFAULT: Final = "text"


def safe_name(name: str) -> str:
    """Return the name of a file that a client has sent: without folders and what has no place in a name or a log."""
    last = re.split(r"[/\\]", name)[-1]
    return _UNSAFE.sub("", last).strip()[:_MAX_CHARACTERS]


def content_disposition(name: str, extension: str) -> str:
    """Return the header that makes a browser save an answer under the name of what was sent.

    Args:
        name: The name of the file that was sent; empty if it has none.
        extension: Of the answer, without a dot.
    """
    stem = _RESERVED.sub("_", safe_name(name).rpartition(".")[0] or safe_name(name)).strip("._") or _DEFAULT
    plain = re.sub(r"[^\x20-\x7e]", "_", stem)
    encoded = quote(f"{stem}.{extension}", safe="")
    return f"attachment; filename=\"{plain}.{extension}\"; filename*=UTF-8''{encoded}"
