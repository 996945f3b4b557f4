"""Arguments that make no sense, told in one line."""

import argparse
from collections.abc import Sequence
from typing import Final, NoReturn

from ppocr_serving.values import suggestion

__all__ = ["INTERRUPTED", "Parser", "WrongUsageError", "parse", "whole_number"]

INTERRUPTED: Final = 130
"""Exit status of a command that was interrupted."""


class WrongUsageError(Exception):
    """Arguments that make no sense; the message is one line."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `WrongUsageError`."""

    def error(self, message: str) -> NoReturn:
        """Raise the error."""
        raise WrongUsageError(f"{message}; see `{self.prog} --help`")


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Return what was given; options may stand between other arguments.

    Raises:
        WrongUsageError: An option is unknown, and the message has the nearest known one; or the parser finds another
            fault.
    """
    given, unknown = parser.parse_known_intermixed_args(arguments)
    if unknown:
        name = unknown[0].partition("=")[0][:60]
        known = [text for action in parser._actions for text in action.option_strings]  # there is no other way to them
        raise WrongUsageError(f"unknown option {name!r}{suggestion(name, known)}")
    return given


def whole_number(option: str, text: str, least: int, most: int) -> int:
    """Return the value of an option that is a whole number.

    Args:
        option: The option as it is typed, for the message.
        text: What was given.
        least: Smallest value.
        most: Largest value, of at most eight digits.

    Raises:
        WrongUsageError: It is none, or outside of the limits.
    """
    if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= most:
        raise WrongUsageError(f"{option} is {text[:40]!r}: must be a whole number from {least} to {most}")
    return int(text)
