"""The commands of `ppocr`, by name; what one of them takes is imported when it is chosen.

A command NAME is a module `ppocr_serving.cli.NAME` with two functions:

    build_parser() -> argparse.ArgumentParser    its options, under the name `ppocr NAME`
    main(arguments: Sequence[str]) -> int        runs it with what follows its name; returns the exit status
"""

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Final, Protocol, cast

__all__ = ["COMMANDS", "PROGRAM", "Command", "load_command"]

PROGRAM: Final = "ppocr"

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "serve": "serve OCR over HTTP; the same as no command",
        "read": "read files and folders, here or through a server",
        "batch": "read millions of files into Parquet, on Ray",
        "models": "list, fetch, verify and describe the models",
        "bench": "measure how many requests per second a server answers",
        "mcp": "offer OCR as tools to language models",
        "completion": "print a completion script for your shell",
    }
)
"""What each command does, by its name."""


class Command(Protocol):
    """The module of a command."""

    def build_parser(self) -> argparse.ArgumentParser:
        """Return the parser of its options."""
        ...

    def main(self, arguments: Sequence[str], /) -> int:
        """Run it.

        Args:
            arguments: What follows its name.

        Returns:
            The exit status: 0, or 1 if something failed, 2 for wrong usage, 130 if interrupted.
        """
        ...


def load_command(name: str) -> Command:
    """Return the module of a command.

    Args:
        name: One of `COMMANDS`.
    """
    return cast(Command, import_module(f"{__package__}.{name}"))
