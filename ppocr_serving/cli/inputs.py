"""The files that a command is to read: paths, folders, patterns and standard input."""

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.reading.files import ENDINGS, read_file

__all__ = ["STANDARD", "Input", "find_inputs"]

STANDARD: Final = "-"
_STANDARD_NAME: Final = "stdin"


class Input(NamedTuple):
    """A file to read.

    Attributes:
        path: Its path; `-` is standard input.
        place: Where what is written of it belongs in a folder, without the ending of its format.
    """

    path: str
    place: Path

    @property
    def name(self) -> str:
        """Its name in what is written."""
        return _STANDARD_NAME if self.path == STANDARD else self.path

    def data(self) -> bytes:
        """Return its bytes.

        Raises:
            InvalidRequest: It cannot be read.
        """
        if self.path != STANDARD:
            return read_file(self.path)
        try:
            return sys.stdin.buffer.read()
        except OSError as error:
            raise InvalidRequest(f"cannot be read ({error.strerror})") from error


def find_inputs(arguments: Sequence[str], others: Sequence[Path | None]) -> list[Input]:
    """Return the files that arguments name, in their order; those of folders and patterns sorted.

    Args:
        arguments: Paths of files, whatever their endings; folders, of which the pictures and PDF files are taken at any
            depth; patterns with * and **, for shells that leave them as they are; `-`.
        others: Folders that are written to, whose files are not read though they may be within one of the folders.

    Raises:
        InvalidRequest: A folder or a pattern has no file, a folder cannot be read, or standard input is named twice.
    """
    if arguments.count(STANDARD) > 1:
        raise InvalidRequest("- is given twice, but standard input can be read only once")
    excluded = {other.resolve() for other in others if other is not None}
    found: list[Input] = []
    for argument in arguments:
        if argument == STANDARD:
            found.append(Input(argument, Path(_STANDARD_NAME)))
        elif os.path.isdir(argument):  # noqa: PTH112  # Path.is_dir raises where a folder above may not be read
            inside = list(_inside(Path(argument), excluded))
            if not inside:
                raise InvalidRequest(f"{argument} has no picture and no PDF file; give another folder, or files")
            found += inside
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            found += _matching(argument)
        else:
            found.append(Input(argument, Path(Path(argument).name)))
    return found


def _inside(folder: Path, excluded: set[Path]) -> Iterator[Input]:
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (Path(parent) / name).resolve() not in excluded
        )
        for name in sorted(names):
            path = Path(parent) / name
            if not name.startswith(".") and path.suffix.lower() in ENDINGS and _is_file(path):
                yield Input(str(path), path.relative_to(folder))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> NoReturn:
    raise InvalidRequest(
        f"{error.filename} cannot be read ({error.strerror}); make it readable, or name other files"
    ) from error


def _matching(pattern: str) -> Iterator[Input]:
    fixed = Path(*_fixed_parts(Path(pattern)))
    matches = [Path(match) for match in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207  # Path has no **
    files = [match for match in matches if _is_file(match)]
    if not files:
        raise InvalidRequest(f"no file matches {pattern!r}; give another pattern, or files")
    for file in files:
        yield Input(str(file), file.relative_to(fixed))


def _fixed_parts(pattern: Path) -> Iterator[str]:
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            return
        yield part
