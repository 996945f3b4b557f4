"""Read files without a server, and write what is in them as text, JSON, a searchable PDF, or in another format."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from ppocr_serving.cli.output_files import OutputFile, require_free
from ppocr_serving.cli.read_options import add_read_options, dashed, read_options
from ppocr_serving.errors import InvalidRequest, OcrError
from ppocr_serving.outputs import FORMATS, Format
from ppocr_serving.outputs.formats import find_format
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.values import suggestion

if TYPE_CHECKING:
    from ppocr_serving.cli.documents import DocumentWriter

__all__ = ["main"]

_STANDARD: Final = "-"
_PASSWORD: Final = "PPOCR_PASSWORD"  # noqa: S105  # the name of a variable
_MAX_PASSWORD_FILE: Final = 4096
_INTERRUPTED: Final = 130
_EXAMPLES: Final = """examples:
  python -m ppocr_serving read receipt.jpg
  python -m ppocr_serving read scan.pdf --format pdf --output searchable.pdf
  python -m ppocr_serving read scans/*.tif --format json --output results/
  cat scan.pdf | python -m ppocr_serving read - --pages 1-3 --format jsonl

The exit status is 0 if everything was read, 1 if something was not (standard error says what), 2 for wrong usage.
"""


class _WrongUsageError(Exception):
    """Arguments that make no sense; the message is one line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _WrongUsageError(f"{message}; see `{self.prog} --help`")


class _Request(NamedTuple):
    """What is to be done.

    Attributes:
        files: Paths; `-` is standard input.
        form: The format.
        options: How they are read.
        output: The file or the folder; None is standard output.
        is_folder: Whether the output is a folder.
        force: Replace files that exist.
    """

    files: Sequence[str]
    form: Format
    options: ReadOptions
    output: Path | None
    is_folder: bool
    force: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m ppocr_serving read`.

    Args:
        arguments: What follows `read`; None means the process's own arguments.

    Returns:
        0 if everything was read, 1 if something could not be read or written, 2 for wrong usage, 130 if interrupted.
    """
    try:
        request = _request(_parse(arguments))
    except (_WrongUsageError, OcrError) as error:
        _complain(str(error))
        return 2
    try:
        return 0 if _run(request) else 1
    except OcrError as error:
        _complain(str(error))
    except BrokenPipeError:  # whoever took the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _complain(f"{error.filename or request.output or 'standard output'}: {error.strerror}")
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED
    return 1


def _run(request: _Request) -> bool:
    """Read all files; return whether everything could be read."""
    if request.output is not None and not request.is_folder:
        require_free(request.output, force=request.force)
    from ppocr_serving.cli.documents import DocumentWriter  # heavy

    writer = DocumentWriter(request.options, request.form, _complain)
    if request.output is None:
        writer.write(request.files, _put)
    elif request.is_folder:
        request.output.mkdir(parents=True, exist_ok=True)
        for file in request.files:
            _write_to_folder(writer, file, request.output, request.force)
    else:
        with OutputFile(request.output, force=request.force) as output:
            output.is_kept = writer.write(request.files, output.write)
    return not writer.failures


def _write_to_folder(writer: "DocumentWriter", file: str, folder: Path, force: bool) -> None:
    target = folder / f"{'stdin' if file == _STANDARD else Path(file).name}.{writer.form.extension}"
    try:
        with OutputFile(target, force=force) as output:
            output.is_kept = writer.write([file], output.write)
    except OcrError as error:
        writer.fail(f"{file}: {error}")
    except OSError as error:
        writer.fail(f"{file}: {target} cannot be written ({error.strerror})")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m ppocr_serving read",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="JPEG, PNG, BMP, WebP, TIFF, GIF or PDF file; - is standard input",
    )
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: what the ending of --output says, else text)",
    )
    parser.add_argument(
        "--output",
        default="",
        metavar="PATH",
        help="file for everything; or a folder, which exists or is given with a slash at the end, for one file per "
        "input, whose name has the format's ending added (default: standard output)",
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    parser.add_argument(
        "--password-file", metavar="FILE", help=f"file whose first line opens PDF files (or set {_PASSWORD})"
    )
    own = [name for name in vars(parser.parse_args([_STANDARD])) if name != "files"]
    add_read_options(parser)
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].partition("=")[0][:60]
        known = [dashed(known) for known in (*own, *ReadOptions.__struct_fields__)]
        raise _WrongUsageError(f"unknown option {name!r}{suggestion(name, known)}")
    return given


def _request(given: argparse.Namespace) -> _Request:
    output = Path(given.output) if given.output else None
    is_folder = output is not None and (given.output.endswith("/") or output.is_dir())
    form = find_format(given.format) if given.format else _format_of(None if is_folder else output)
    if given.files.count(_STANDARD) > 1:
        raise _WrongUsageError("- is given twice, but standard input can be read only once")
    if is_folder:
        names = Counter(Path(file).name for file in given.files)
        name, count = names.most_common(1)[0]
        if count > 1:
            raise _WrongUsageError(f"{count} files are called {name!r}, and would be written to one; read them apart")
    if output is not None and output.is_file() and any(_is_same(file, output) for file in given.files):
        raise _WrongUsageError(f"--output {given.output} is one of the files to read; give another path")
    if form.needs_image and output is None and sys.stdout.isatty():
        raise _WrongUsageError(f"{form.name} is not for a terminal; give --output FILE")
    options = read_options(vars(given), _password(given.password_file))
    return _Request(given.files, form, options, output, is_folder, given.force)


def _format_of(output: Path | None) -> Format:
    if output is None or not output.suffix:
        return FORMATS["text"]
    by_ending = {f".{form.extension}": form for form in FORMATS.values()}
    form = by_ending.get(output.suffix.lower())
    if form is None:
        raise _WrongUsageError(
            f"--output {output} has an ending that says no format; use one of {', '.join(by_ending)}, or give --format"
        )
    return form


def _is_same(file: str, output: Path) -> bool:
    try:
        return file != _STANDARD and output.samefile(file)
    except OSError:
        return False


def _password(file: str | None) -> str | None:
    if file is None:
        return os.environ.get(_PASSWORD) or None
    try:
        with Path(file).open(encoding="utf-8") as opened:
            return opened.readline(_MAX_PASSWORD_FILE).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise InvalidRequest(f"--password-file {file} cannot be read ({reason})") from error


def _put(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _complain(message: str) -> None:
    print(f"read: {message}", file=sys.stderr)
