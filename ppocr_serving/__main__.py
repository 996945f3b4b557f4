"""Entry point of `python -m ppocr_serving`."""

import sys
from importlib import import_module
from pathlib import Path

from ppocr_serving.cli import serve

_COMMANDS = ("serve", "read", "models")
_WRONG_USAGE = 2


def main() -> int:
    """Run the command that the arguments name; without one, serve."""
    command, *others = sys.argv[1:] or [""]
    try:
        import_module("msgspec")  # stands for all packages
    except ModuleNotFoundError as error:
        _complain(f"{sys.executable} has no package {error.name}; {_other_python()}")
        return 1
    if command == "read":
        from ppocr_serving.cli import read

        return read.main(others)
    if command == "models":
        from ppocr_serving.cli import models

        return models.main(others)
    if command and not command.startswith("-") and command != "serve":
        from ppocr_serving.values import suggestion

        hint = suggestion(command, _COMMANDS) or f"; there are {', '.join(_COMMANDS)}"
        _complain(f"unknown command {command[:40]!r}{hint}")
        return _WRONG_USAGE
    return serve.main(others if command == "serve" else sys.argv[1:])


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
