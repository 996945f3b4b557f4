"""Entry point of `ppocr` and `python -m ppocr_serving`."""

import sys
from importlib import import_module
from pathlib import Path

from ppocr_serving.cli.commands import COMMANDS, PROGRAM, load_command

_WRONG_USAGE = 2
_EXAMPLES = f"""examples:
  {PROGRAM} read receipt.jpg
  {PROGRAM} read scans/ --format pdf --output searchable/
  {PROGRAM} models fetch ppocr-v6-small
  PORT=9001 {PROGRAM} serve

`{PROGRAM} COMMAND --help` describes a command. `python -m ppocr_serving` is the same program.
"""


def main() -> int:
    """Run the command that the arguments name; without one, serve.

    Returns:
        The exit status.
    """
    command, *others = sys.argv[1:] or ["serve"]
    try:
        import_module("msgspec")  # stands for all packages
    except ModuleNotFoundError as error:
        _complain(f"{sys.executable} has no package {error.name}; {_other_python()}")
        return 1
    if command.startswith("-"):
        return _describe(sys.argv[1:])
    if command not in COMMANDS:
        from ppocr_serving.values import suggestion

        hint = suggestion(command, COMMANDS) or f"; there are {', '.join(COMMANDS)}"
        _complain(f"unknown command {command[:40]!r}{hint}")
        return _WRONG_USAGE
    return load_command(command).main(others)


def _describe(arguments: list[str]) -> int:
    import argparse

    from ppocr_serving import __version__

    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage="%(prog)s [-h] [--version] [COMMAND ...]",
        description="OCR with PaddleOCR's models: read files, or serve over HTTP.",
        epilog=f"commands:\n{listed}\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.parse_args(arguments)
    return 0


def _other_python() -> str:
    root = Path(__file__).parent.parent
    python = root / ".venv" / "bin" / "python"
    if python.exists():
        return f"use {python}"
    return f"run {root / 'scripts' / 'setup.sh'}, then use {python}"


def _complain(message: str) -> None:
    sys.stderr.write(f"ppocr_serving: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
