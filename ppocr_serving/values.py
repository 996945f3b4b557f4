"""Convert external values to their declared types, with one-line error messages."""

import difflib
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec

from ppocr_serving.errors import OcrError

__all__ = ["convert", "parse_text", "plain_reason", "shortened", "suggestion"]

_MAX_REASON = 120
_MAX_NAME = 80  # characters that are compared with known names: clients may send megabytes
_EXPECTED: Final = re.compile(
    r"Expected `(?P<kinds>[a-z |]+)`(?:, got `(?P<got>[a-z]+)`| (?P<sign>[<>]=?) (?P<bound>[-0-9.e+]+))?"
)
_SIZED: Final = re.compile(r"Expected `array` of length ([0-9]+)(?:, got [0-9]+)?")
_NAMES: Final[Mapping[str, str]] = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_BOUNDS: Final[Mapping[str, str]] = {"<": "below", "<=": "up to", ">": "above", ">=": "from"}


def parse_text(name: str, text: str, hint: Any, error: type[OcrError]) -> Any:
    """Parse a setting given as text, for example in the environment.

    Args:
        name: Its name in error messages.
        text: The value; a tuple's items are separated by commas.
        hint: The type to convert to.
        error: The class to raise.

    Returns:
        A value of the type.

    Raises:
        OcrError: The text is not a value of the type; raised as `error`.
    """
    stripped = text.strip()
    if _is_path(hint):
        try:
            return Path(stripped).expanduser()
        except RuntimeError as cause:
            raise error(f"{name} is {text!r}: there is no such home directory") from cause
    is_tuple = get_origin(_without_metadata(hint)) is tuple
    raw = [part.strip() for part in stripped.split(",")] if is_tuple else stripped
    return _convert(name, text, raw, hint, error, strict=False)


def convert(name: str, value: object, hint: Any, error: type[OcrError], *, strict: bool = True) -> Any:
    """Convert a value of plain types (numbers, strings, lists).

    Args:
        name: Its name in error messages.
        value: The value.
        hint: The type to convert to.
        error: The class to raise.
        strict: Reject numbers in place of booleans, and strings in place of numbers.

    Returns:
        A value of the type.

    Raises:
        OcrError: The value is not of the type; raised as `error`.
    """
    return _convert(name, value, value, hint, error, strict=strict)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the suffix "did you mean ..." for a message about an unknown name; empty if no known one is similar."""
    close = difflib.get_close_matches(name[:_MAX_NAME], tuple(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def shortened(value: object) -> str:
    """Return how a message shows a value: its start, if it is long."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:80]}..."


def plain_reason(error: msgspec.ValidationError) -> str:
    """Return in plain words what msgspec says of a value, without its place."""
    reason = str(error).partition(" - at `")[0]
    match = _EXPECTED.fullmatch(reason)
    if sized := _SIZED.fullmatch(reason):
        return f"must be a list of {sized[1]} items"
    if match is None:
        # It may repeat what was given: any length, and characters that no log or terminal should get.
        shown = reason[:1].lower() + reason[1:_MAX_REASON]
        return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown)
    kinds = [_NAMES.get(kind, kind) for kind in match["kinds"].split(" | ") if kind != "null"]
    bound = f" {_BOUNDS[match['sign']]} {match['bound']}" if match["sign"] else ""
    got = f", and is {_NAMES.get(match['got'], match['got'])}" if match["got"] else ""
    return f"must be {' or '.join(kinds)}{bound}{got}"


def _convert(name: str, given: object, raw: object, hint: Any, error: type[OcrError], *, strict: bool) -> Any:
    try:
        return msgspec.convert(raw, hint, strict=strict)
    except msgspec.ValidationError as cause:
        raise error(f"{name} is {shortened(given)}{_allowed(hint) or f': {plain_reason(cause)}'}") from cause


def _allowed(hint: Any) -> str:
    """Return what a message says of the values of a type; empty if only the error knows."""
    if get_origin(hint) is tuple and Ellipsis in get_args(hint):
        return _allowed(get_args(hint)[0])
    alternatives = [part for part in get_args(hint) if part is not type(None)]
    if type(None) in get_args(hint) and len(alternatives) == 1:
        return _allowed(alternatives[0])
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return f": must be one of {', '.join(hint)}"
    if get_origin(hint) is Literal:
        return f": must be one of {', '.join(map(str, get_args(hint)))}"
    if get_origin(hint) is Annotated:
        kind, meta = get_args(hint)
        if kind not in (int, float) or meta.le is None or (meta.gt is None and meta.ge is None):
            return ""
        lowest = f"above {meta.gt} and up" if meta.gt is not None else f"from {meta.ge}"
        return f": must be {_NAMES[kind.__name__]} {lowest} to {meta.le}"
    return ": must be true or false" if hint is bool else ""


def _without_metadata(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _is_path(hint: Any) -> bool:
    return hint is Path or Path in get_args(hint)
