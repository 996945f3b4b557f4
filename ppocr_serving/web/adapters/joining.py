"""Lines of text, joined into running text."""

import unicodedata

__all__ = ["separator"]


def separator(text: str, after: str) -> str:
    """Return what stands between two lines of a paragraph: nothing in scripts without spaces, else a space.

    Args:
        text: The first line.
        after: The second one.
    """
    if not text or not after:
        return ""
    return "" if _has_no_spaces(text[-1]) and _has_no_spaces(after[0]) else " "


def _has_no_spaces(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F") and not "\uac00" <= character <= "\ud7a3"
