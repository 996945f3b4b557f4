"""Read a large collection of files into Parquet, on all CPUs of this machine or of a Ray cluster.

If a run ends early, the same command continues it.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ppocr_serving.cli.commands import PROGRAM
from ppocr_serving.cli.read_options import PASSWORD, add_read_options, read_options
from ppocr_serving.cli.usage import INTERRUPTED, Parser, WrongUsageError, parse, whole_number
from ppocr_serving.errors import OcrError

if TYPE_CHECKING:
    from ppocr_serving.integrations.batch.run import Summary
    from ppocr_serving.integrations.batch.worker import ShardResult

__all__ = ["build_parser", "main"]

_MOST: Final = 999_999
_PACKAGES: Final = ("ray", "pyarrow", "fsspec", "pandas", "stamina")
_SECONDS_BETWEEN_LINES: Final = 10.0
_EXAMPLES: Final = f"""examples:
  {PROGRAM} batch scans/ results/
  {PROGRAM} batch 's3://archive/2024/**/*.pdf' s3://results/2024 --pages 1-3
  {PROGRAM} batch addresses.parquet results/ --column url --actors 8
  RAY_ADDRESS=auto {PROGRAM} batch s3://archive/2024 s3://results/2024 --actors 4-64

OUTPUT receives pages/ (Parquet, a row per page), errors/ (a row per file that cannot be read) and plan/.
The exit status is 0 if everything was tried, however many files are in the error table, 1 if the run ended before that,
2 for wrong usage, 130 if interrupted.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `ppocr batch`."""
    parser = Parser(
        prog=f"{PROGRAM} batch",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "input",
        metavar="INPUT",
        help="folder (with all that is below it), glob, or a .csv or .parquet file of addresses; a path, or a URL such "
        "as s3://bucket/prefix",
    )
    parser.add_argument("output", metavar="OUTPUT", help="folder or URL for the results; what is there is kept")
    parser.add_argument(
        "--column", metavar="NAME", help="column of the addresses in a table (default: found by its name)"
    )
    parser.add_argument(
        "--actors",
        metavar="N",
        default="0",
        help="number of processes that read, or a range such as 4-64 for a cluster that grows (default: as many as "
        "CPUs and memory allow)",
    )
    parser.add_argument("--threads", metavar="N", default="1", help="CPU threads of each (default: 1)")
    parser.add_argument(
        "--shard-files",
        metavar="N",
        default="0",
        help="files per Parquet file; those in progress are read again if a run is killed (default: 16 to 1000, by the "
        "number of files)",
    )
    add_read_options(parser)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run `ppocr batch`.

    Args:
        arguments: What follows `batch`.

    Returns:
        0 if everything was tried, 1 if the run ended before that, 2 for wrong usage, 130 if interrupted.
    """
    try:
        given = parse(build_parser(), arguments)
        options = read_options(vars(given), os.environ.get(PASSWORD) or None)
        least, most = _processes(given.actors)
        threads = whole_number("--threads", given.threads, 1, _MOST)
        shard_files = whole_number("--shard-files", given.shard_files, 0, _MOST)
    except (WrongUsageError, OcrError) as error:
        _complain(str(error))
        return 2
    try:
        from ppocr_serving.integrations.batch.run import Actors, run_batch
    except KeyboardInterrupt:  # it takes seconds
        _complain("interrupted; nothing was read")
        return INTERRUPTED
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _PACKAGES:
            raise
        _complain(f"needs the package {package}; run pip install 'ppocr-serving[ray]'")
        return 1
    try:
        summary = run_batch(
            given.input,
            given.output,
            options,
            Actors(least, most, threads),
            column=given.column,
            shard_files=shard_files,
            tell=_Progress(),
        )
    except OcrError as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename or given.output}: {error.strerror or error}; run the same command to continue")
    except KeyboardInterrupt:
        _complain("interrupted; run the same command to continue")
        return INTERRUPTED
    else:
        _summarize(summary, given.output)
        return 0
    return 1


class _Progress:
    """A line every few seconds, so that somebody who waits knows how fast it goes."""

    def __init__(self) -> None:
        self._start = self._told = time.monotonic()
        self._files = self._errors = 0

    def __call__(self, result: "ShardResult") -> None:
        self._files += result.files + result.errors
        self._errors += result.errors
        now = time.monotonic()
        if now - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = now
            rate = self._files / (now - self._start)
            _complain(f"{self._files} files, {self._errors} of them errors, {rate:.1f} files/s")


def _summarize(summary: "Summary", output: str) -> None:
    tried = summary.files + summary.errors
    line = f"{summary.files} files with {summary.pages} pages read in {summary.seconds:.0f} s"
    if tried:
        line += f" ({tried / summary.seconds:.1f} files/s)"
    line += f"; {summary.errors} files could not be read"
    if summary.errors:
        line += f" (see {output.rstrip('/')}/errors)"
    if summary.page_errors:
        line += f"; {summary.page_errors} pages of others could not be read (see their column error)"
    if summary.earlier:
        line += f"; {summary.earlier} files were done before"
    print(f"batch: {line}")


def _processes(text: str) -> tuple[int, int]:
    """Return how many processes there are at least and at most, 0 for as many as there is room for."""
    if "-" not in text:
        return (count := whole_number("--actors", text, 0, _MOST)), count
    match = re.fullmatch(r"([1-9][0-9]{0,5})-([1-9][0-9]{0,5})", text)
    least, most = map(int, match.groups()) if match else (1, 0)
    if most < least:
        raise WrongUsageError(f"--actors is {text[:40]!r}: must be a number, or a range such as 4-64")
    return least, most


def _complain(message: str) -> None:
    print(f"batch: {message}", file=sys.stderr)
