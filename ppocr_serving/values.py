"""Convert external values to their declared types, with one-line error messages."""

import difflib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from ppocr_serving.errors import OcrError

__all__ = ["convert", "parse_text", "suggestion"]

_MAX_REASON = 120
_MAX_NAME = 80  # characters that are compared with known names: clients may send megabytes


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


def _convert(name: str, given: object, raw: object, hint: Any, error: type[OcrError], *, strict: bool) -> Any:
    try:
        return msgspec.convert(raw, hint, strict=strict)
    except msgspec.ValidationError as cause:
        reason = str(cause)[:1].lower() + str(cause)[1:_MAX_REASON]  # it may repeat the value
        shown = repr(given)
        shown = shown if len(shown) <= 80 else f"{shown[:80]}..."
        raise error(f"{name} is {shown}: {reason}{_allowed(hint)}") from cause


def _allowed(hint: Any) -> str:
    if get_origin(hint) is tuple and Ellipsis in get_args(hint):
        return _allowed(get_args(hint)[0])
    alternatives = [part for part in get_args(hint) if part is not type(None)]
    if type(None) in get_args(hint) and len(alternatives) == 1:
        return _allowed(alternatives[0])
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return f"; allowed: {', '.join(hint)}"
    if get_origin(hint) is Literal:
        return f"; allowed: {', '.join(map(str, get_args(hint)))}"
    if get_origin(hint) is Annotated:
        kind, meta = get_args(hint)
        lowest = f"above {meta.gt}" if meta.gt is not None else f"from {meta.ge}"
        return f"; allowed: {'whole ' if kind is int else ''}numbers {lowest} to {meta.le}"
    return "; allowed: true, false" if hint is bool else ""


def _without_metadata(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _is_path(hint: Any) -> bool:
    return hint is Path or Path in get_args(hint)
