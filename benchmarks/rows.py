"""Rows of a table: pictures by their folder, and by what a regular expression finds in their names."""

import argparse
import re
from pathlib import Path

__all__ = ["add_split", "row_name"]


def add_split(parser: argparse.ArgumentParser) -> None:
    """Add the option `--split` to a command line."""
    parser.add_argument(
        "--split",
        type=_pattern,
        metavar="REGEX",
        help="rows by what the groups of a regular expression find in the file names, such as '^([a-z]+)_'",
    )


def row_name(folder: Path, picture: Path, split: re.Pattern[str] | None) -> str:
    """Return the name of a picture's row: its folder, and what the groups of `split` find in its own name."""
    found = split.search(picture.name) if split else None
    return " ".join([str(folder), *(part for part in found.groups() if part)]) if found else str(folder)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from error
