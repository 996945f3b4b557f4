"""Read files and folders, here or through a server, and write text, JSON, searchable PDF, or another format."""

import argparse
import logging
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ppocr_serving.cli.commands import PROGRAM
from ppocr_serving.cli.inputs import STANDARD, Input, find_inputs
from ppocr_serving.cli.output_files import OutputFile, require_free
from ppocr_serving.cli.progress import Progress
from ppocr_serving.cli.read_options import PASSWORD, add_read_options, read_options
from ppocr_serving.cli.usage import INTERRUPTED, Parser, WrongUsageError, parse, whole_number
from ppocr_serving.errors import InvalidRequest, OcrError
from ppocr_serving.outputs import FORMATS, Format
from ppocr_serving.outputs.formats import find_format
from ppocr_serving.reading.options import ReadOptions

if TYPE_CHECKING:
    from ppocr_serving.cli.documents import Failures, Readings
    from ppocr_serving.cli.folder import Drawings
    from ppocr_serving.outputs import Item

__all__ = ["build_parser", "main"]

_NAME: Final = "read"
_MAX_PASSWORD_FILE: Final = 4096
_MAX_JOBS: Final = 64
_REMOTE_JOBS: Final = 4
_SHOWN_FAILURES: Final = 20
_EXAMPLES: Final = f"""examples:
  {PROGRAM} read receipt.jpg
  {PROGRAM} read scan.pdf --format pdf --output searchable.pdf
  {PROGRAM} read scans/ --format pdf --output searchable/ --resume
  {PROGRAM} read scans/*.tif --format json --output results/ --draw drawings/
  {PROGRAM} read scans/ --url http://127.0.0.1:9000 --jobs 8 --output texts/
  cat scan.pdf | {PROGRAM} read - --pages 1-3 --format jsonl

The exit status is 0 if everything was read, 1 if something was not (standard error says what), 2 for wrong usage, 130
if interrupted.
"""


class _Request(NamedTuple):
    """What is to be done.

    Attributes:
        files: What to read.
        form: The format.
        options: How files are read.
        output: The file or the folder; None is standard output.
        is_folder: Whether the output is a folder.
        draw: The folder for drawings; None draws none.
        url: The server; None reads in this process.
        jobs: How many files are read at a time.
        force: Replace files that exist.
        resume: Leave out what has been read before.
    """

    files: Sequence[Input]
    form: Format
    options: ReadOptions
    output: Path | None
    is_folder: bool
    draw: Path | None
    url: str | None
    jobs: int
    force: bool
    resume: bool


def main(arguments: Sequence[str]) -> int:
    """Run `ppocr read`.

    Args:
        arguments: What follows `read`.

    Returns:
        0 if everything was read, 1 if something could not be read or written, 2 for wrong usage, 130 if interrupted.
    """
    try:
        request = _request(parse(build_parser(), arguments))
    except (WrongUsageError, OcrError) as error:
        _complain(str(error))
        return 2
    except OSError as error:  # a folder above may not be searched
        _complain(f"{error.filename} cannot be reached ({error.strerror}); give another path")
        return 2
    except KeyboardInterrupt:  # while folders were searched
        _complain("interrupted")
        return INTERRUPTED
    try:
        return 0 if _run(request) else 1
    except (OcrError, ModuleNotFoundError) as error:
        _complain(str(error))
    except BrokenPipeError:  # whoever took the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _complain(f"{error.filename or request.output or 'standard output'}: {error.strerror}")
    except KeyboardInterrupt:
        way = ""
        if request.is_folder:
            way = "; what is done stays" + ("" if request.resume else ", and --resume goes on from there")
        _complain(f"interrupted{way}")
        if request.jobs > 1:
            # Threads wait for files or answers that nobody needs any more. That its connections end tells a server.
            sys.stdout.flush()
            os._exit(INTERRUPTED)
        return INTERRUPTED
    return 1


def _run(request: _Request) -> bool:
    """Read all files; return whether everything could be read."""
    if request.output is not None and not request.is_folder:
        require_free(request.output, force=request.force)
    # Heavy.
    from ppocr_serving.cli.documents import Failures, Readings
    from ppocr_serving.cli.folder import Drawings
    from ppocr_serving.cli.sources import source_of

    logging.getLogger("stamina").setLevel(logging.ERROR)  # each retry is not worth a line
    is_text_shown = request.output is None and sys.stdout.isatty()  # a bar has no place between its lines
    progress = Progress(_NAME, len(request.files), None if is_text_shown else sys.stderr)
    failures = Failures(progress.line)
    source = source_of(request.url, request.options, request.form)
    images = request.form.needs_image or request.draw is not None
    readings = Readings(source, images=images)
    drawings = None if request.draw is None else Drawings(request.draw, failures)
    try:
        if request.is_folder:
            _write_folder(request, readings, drawings, failures, progress)
        else:
            _write_one(request, readings, drawings, failures, progress)
    except BaseException:
        source.stop()
        raise
    finally:
        progress.end()
        source.close()
    return not failures.count


def _write_one(
    request: _Request,
    readings: "Readings",
    drawings: "Drawings | None",
    failures: "Failures",
    progress: Progress,
) -> None:
    """Write everything to one file, or to standard output."""
    from ppocr_serving.cli.documents import write_together

    count = 0

    def done(file: Input, item: "Item | None") -> None:
        nonlocal count
        count += 1
        if drawings is not None and item is not None:
            drawings.draw(file, item, lambda _: request.force)
        progress.show(count, count, len(failures.files))

    arguments = (readings, request.files, request.form, request.jobs, failures)
    if request.output is None:
        write_together(*arguments, _put, done)
    else:
        with OutputFile(request.output, force=request.force) as output:
            try:
                output.is_kept = write_together(*arguments, output.write, done)
            except KeyboardInterrupt:
                if part := output.keep_part():
                    progress.line(f"what has been read is in {part}")
                raise
    if failures.files and len(request.files) > 1:
        progress.line(_summary(len(request.files) - len(failures.files), 0, failures, len(request.files)))


def _write_folder(
    request: _Request,
    readings: "Readings",
    drawings: "Drawings | None",
    failures: "Failures",
    progress: Progress,
) -> None:
    """Write a file per input, and say in the end what became of them."""
    from ppocr_serving.cli.folder import FolderWriter
    from ppocr_serving.cli.journal import Journal
    from ppocr_serving.outputs.origins import fingerprint_of

    folder = request.output or Path()
    options = fingerprint_of(readings.source.origin(), request.form.name, str(request.draw or ""))
    folder.mkdir(parents=True, exist_ok=True)
    writer = FolderWriter(
        readings,
        request.form,
        folder,
        force=request.force,
        resume=request.resume,
        drawings=drawings,
        failures=failures,
        progress=progress,
    )
    is_whole = False
    with Journal(folder, options) as journal:
        try:
            writer.write(request.files, request.jobs, journal)
            is_whole = not failures.count
        finally:
            progress.end()
            if not is_whole or writer.kept or progress.has_written:
                progress.line(_summary(writer.written, writer.kept, failures, len(request.files)))
        if is_whole and journal.is_new and not request.resume:
            journal.remove()


def _summary(written: int, kept: int, failures: "Failures", total: int) -> str:
    text = f"{written + kept} of {total} files are done"
    if kept:
        text += f", {kept} of them from before"
    if failures.files:
        shown = list(failures.files)[:_SHOWN_FAILURES]
        more = len(failures.files) - len(shown)
        text += f"; {len(failures.files)} failed: {', '.join(shown)}{f' and {more} more' if more else ''}"
    return text


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `ppocr read`."""
    parser = Parser(
        prog=f"{PROGRAM} read",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="PATH",
        help="JPEG, PNG, BMP, WebP, TIFF, GIF or PDF file; a folder, of which all these are read, at any depth; a "
        "pattern in quotes, such as 'scans/**/*.tif'; - is standard input",
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        help="read through the server at this address instead of in this process; its key is taken from PPOCR_API_KEY",
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
    parser.add_argument(
        "--draw", metavar="FOLDER", help="also draw each page with what was found on it, as PNG files in this folder"
    )
    parser.add_argument(
        "--jobs",
        metavar="NUMBER",
        help=f"files that are read at a time, 1 to {_MAX_JOBS} (default: 1; with --url and several files, "
        f"{_REMOTE_JOBS})",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out what an earlier command has read into the folder --output with the same options, unless the "
        "file has changed",
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    parser.add_argument(
        "--password-file", metavar="FILE", help=f"file whose first line opens PDF files (or set {PASSWORD})"
    )
    add_read_options(parser)
    return parser


def _request(given: argparse.Namespace) -> _Request:
    output = Path(given.output) if given.output else None
    is_folder = output is not None and (given.output.endswith("/") or output.is_dir())
    form = find_format(given.format) if given.format else _format_of(None if is_folder else output)
    draw = Path(given.draw) if given.draw else None
    if draw is not None and draw.exists() and not draw.is_dir():
        raise WrongUsageError(f"--draw {given.draw} is not a folder; give one, which need not exist")
    if given.resume and not is_folder:
        raise WrongUsageError("--resume goes on in a folder; give one as --output, with a slash at the end")
    jobs = _jobs(given.jobs)
    files = find_inputs(given.files, [output if is_folder else None, draw])
    if is_folder or draw is not None:
        name, count = Counter(str(file.place) for file in files).most_common(1)[0]
        if count > 1:
            raise WrongUsageError(
                f"{count} files are called {name!r}, and would be written to the same file; read them separately"
            )
    if output is not None and output.is_file() and any(_is_same(file.path, output) for file in files):
        raise WrongUsageError(f"--output {given.output} is one of the files to read; give another path")
    if form.needs_image and output is None and sys.stdout.isatty():
        raise WrongUsageError(f"{form.name} is not for a terminal; give --output FILE")
    return _Request(
        files=files,
        form=form,
        options=read_options(vars(given), _password(given.password_file)),
        output=output,
        is_folder=is_folder,
        draw=draw,
        url=given.url,
        jobs=min(jobs or (1 if given.url is None else _REMOTE_JOBS), len(files)),
        force=given.force,
        resume=given.resume,
    )


def _jobs(text: str | None) -> int | None:
    if text is None:
        return None
    return whole_number("--jobs", text, 1, _MAX_JOBS)


def _format_of(output: Path | None) -> Format:
    if output is None or not output.suffix:
        return FORMATS["text"]
    by_ending = {f".{form.extension}": form for form in FORMATS.values()}
    form = by_ending.get(output.suffix.lower())
    if form is None:
        raise WrongUsageError(
            f"--output {output} has an unknown ending; use one of {', '.join(by_ending)}, or give --format"
        )
    return form


def _is_same(file: str, output: Path) -> bool:
    try:
        return file != STANDARD and output.samefile(file)
    except OSError:
        return False


def _password(file: str | None) -> str | None:
    if file is None:
        return os.environ.get(PASSWORD) or None
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
    print(f"{_NAME}: {message}", file=sys.stderr)
