"""Scripts, in the sense of writing systems: which of them put no spaces between words."""

__all__ = ["is_unspaced"]

# Hangul is not among them.
_UNSPACED = (
    (0x2E80, 0x312F),  # radicals, punctuation, kana, bopomofo
    (0x31A0, 0x9FFF),  # strokes, more kana, enclosed characters, Han
    (0xF900, 0xFAFF),  # Han for compatibility
    (0xFE30, 0xFE4F),  # punctuation of vertical text
    (0xFF01, 0xFF9F),  # full-width letters and punctuation, half-width kana
    (0x1F200, 0x1F2FF),  # enclosed Han
    (0x20000, 0x3FFFF),  # rare Han
)


def is_unspaced(character: str) -> bool:
    """Return whether a character belongs to a script that is written without spaces, so that it is a word by itself.

    Args:
        character: One character, or none, which belongs to no script.
    """
    return character != "" and any(first <= ord(character) <= last for first, last in _UNSPACED)
