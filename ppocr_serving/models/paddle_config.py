"""What Paddle writes into `inference.yml` beside a model.

Only numbers and lists are needed, such as the dictionary, and lists are block sequences of scalars, as PyYAML writes
them. So a few lines read them, and the lean image needs no YAML library.
"""

import re

__all__ = ["read_list", "read_number"]

_DOUBLE_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SINGLE_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
# YAML 1.2, 5.7: escape sequences of double-quoted scalars.
_ESCAPED = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


def read_list(text: str, key: str) -> list[str]:
    """Return the entries of the first block sequence under a key.

    Args:
        text: The file's content.
        key: A key at any depth, for example `character_dict`.

    Returns:
        The entries as text; empty if there is no such sequence.

    Raises:
        ValueError: An entry takes several lines, which PyYAML only writes for a line break.
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    for number, line in enumerate(lines):
        if line.lstrip(" -") == f"{key}:":
            return _sequence(lines[number + 1 :])
    return []


def read_number(text: str, key: str) -> float | None:
    """Return the number under a key.

    Args:
        text: The file's content.
        key: A key at any depth, for example `box_thresh`.

    Returns:
        The first one; None if there is none.
    """
    match = re.search(rf"^[ -]*{re.escape(key)}: *([0-9]+(?:\.[0-9]+)?) *\r?$", text, re.MULTILINE)
    return None if match is None else float(match[1])


def _sequence(lines: list[str]) -> list[str]:
    entries: list[str] = []
    indent = None
    for line in lines:
        rest = line.lstrip(" ")
        if rest != "-" and not rest.startswith("- "):
            break
        depth = len(line) - len(rest)
        indent = depth if indent is None else indent
        if depth != indent:
            break
        entries.append(_scalar(rest[1:].strip(" ")))
    return entries


def _scalar(text: str) -> str:
    # Only ASCII spaces have been stripped: the full-width space U+3000 is an entry of its own.
    if match := _DOUBLE_QUOTED.fullmatch(text):
        return _ESCAPE.sub(_unescape, match[1])
    if match := _SINGLE_QUOTED.fullmatch(text):
        return match[1].replace("''", "'")
    if text[:1] in ("'", '"'):
        raise ValueError(f"{text[:20]!r} goes on in the next line")
    return text


def _unescape(match: re.Match[str]) -> str:
    name = match[1]
    return chr(int(name[1:], 16)) if len(name) > 1 else _ESCAPED.get(name, name)
