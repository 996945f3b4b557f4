"""The options of a call as options of a command: generated from `ReadOptions`, so that none is forgotten."""

import argparse
import inspect
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.reading.options import ReadOptions

__all__ = ["add_read_options", "dashed", "read_options"]

_METAVARS: Final[Mapping[str, str]] = {"region": "X,Y,WIDTH,HEIGHT", "pages": "1-3,7,10-", "password": "TEXT"}
_TEXTS: Final[Mapping[str, str]] = {
    "region": "Part of each page to read, in pixels of the page as displayed; may be repeated.",
    "pdf_text": "Take the text that a page of a PDF holds itself if it is usable (prefer), or never (default).",
}
"""What differs from the documentation for Python."""

PASSWORD: Final = "PPOCR_PASSWORD"  # noqa: S105  # the name of a variable
_VISIBLE: Final = f"Other users of this machine can see it: rather set {PASSWORD}."


def add_read_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each field of `ReadOptions`, with dashes in its name, and with its text as help."""
    group = parser.add_argument_group(
        "how files are read", "Without them, the settings (PPOCR_*) hold; docs/settings.md has their defaults."
    )
    texts = {**_descriptions(), **_TEXTS}
    for name, hint in get_type_hints(ReadOptions, include_extras=True).items():
        text = texts.get(name, "")
        if name == "password":
            text = f"{text} {_VISIBLE}"
        option: dict[str, Any] = {"dest": name, "help": text.replace("%", "%%").replace("`", ""), "default": None}
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        if kinds == [bool]:
            group.add_argument(dashed(name), action=argparse.BooleanOptionalAction, **option)
        elif any(get_origin(kind) is tuple for kind in kinds):
            group.add_argument(dashed(name), action="append", metavar=_METAVARS.get(name, "VALUE"), **option)
        else:
            group.add_argument(dashed(name), metavar=_METAVARS.get(name, _metavar(kinds[0])), **option)


def read_options(values: Mapping[str, Any], password: str | None) -> ReadOptions:
    """Return the options that were given.

    Args:
        values: The command's options by name.
        password: The password from elsewhere, unless one is given.

    Raises:
        InvalidRequest: A value is not allowed; the message names the option as it is typed.
    """
    texts: dict[str, str] = {}
    for name in get_type_hints(ReadOptions):
        value = values[name]
        if name == "password" and value is None:
            value = password
        if value is None:
            continue
        text = str(value).lower() if isinstance(value, bool) else ";".join(value) if isinstance(value, list) else value
        if text == "":
            raise InvalidRequest(f"{dashed(name)} is empty; give a value, or leave it out")
        try:
            ReadOptions.from_text({name: text})
        except InvalidRequest as error:
            raise InvalidRequest(re.sub(rf"^{name}\b", dashed(name), str(error))) from error
        texts[name] = text
    return ReadOptions.from_text(texts)


def dashed(name: str) -> str:
    """Return the option of a field's name."""
    return f"--{name.replace('_', '-')}"


def _descriptions() -> dict[str, str]:
    """Return what the documentation of `ReadOptions` says of each field."""
    section = inspect.cleandoc(ReadOptions.__doc__ or "").partition("Attributes:\n")[2].partition("\nRaises:")[0]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _metavar(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "{" + ",".join(map(str, get_args(kind))) + "}"
    return "TEXT" if kind is str else "NUMBER"
