"""Print a completion script for your shell: commands, options and paths at the tab key."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from ppocr_serving.cli.commands import COMMANDS, PROGRAM, load_command
from ppocr_serving.errors import OcrError

__all__ = ["build_parser", "main"]

_SHELLS: Final = ("bash", "zsh", "fish", "tcsh")
_FILES: Final = frozenset({"PATH", "FILE", "FILE-or-URL", "INPUT"})
_FOLDERS: Final = frozenset({"FOLDER", "DIR", "OUTPUT"})
_EXAMPLES: Final = f"""examples:
  {PROGRAM} completion bash > ~/.local/share/bash-completion/completions/{PROGRAM}
  {PROGRAM} completion zsh > ~/.zfunc/_{PROGRAM}
  {PROGRAM} completion fish > ~/.config/fish/completions/{PROGRAM}.fish
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `ppocr completion`."""
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} completion",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=_SHELLS, metavar="SHELL", help=", ".join(_SHELLS))
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run `ppocr completion`.

    Args:
        arguments: What follows `completion`.

    Returns:
        0, or 1 if the package that writes the script is missing.
    """
    shell = build_parser().parse_args(arguments).shell
    try:
        import shtab
    except ModuleNotFoundError:
        print("completion: needs the package shtab; run pip install 'ppocr-serving[completion]'", file=sys.stderr)
        return 1
    try:
        parser = _whole_parser()
    except OcrError as error:
        print(f"completion: {error}", file=sys.stderr)
        return 1
    _complete_paths(parser, shtab.FILE, shtab.DIRECTORY)
    print(shtab.complete(parser, shell))
    return 0


def _whole_parser() -> argparse.ArgumentParser:
    """Return one parser of all commands, as they are to be completed."""
    parser = argparse.ArgumentParser(prog=PROGRAM)
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers()
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text, parents=[load_command(name).build_parser()], add_help=False)
    return parser


def _complete_paths(parser: argparse.ArgumentParser, file: object, folder: object) -> None:
    for action in parser._actions:  # there is no other way to them
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _complete_paths(inner, file, folder)
        elif action.metavar in _FOLDERS or action.dest == "dest":
            action.complete = folder  # type: ignore[attr-defined]
        elif action.metavar in _FILES:
            action.complete = file  # type: ignore[attr-defined]
