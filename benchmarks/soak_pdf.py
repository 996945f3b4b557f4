"""Measure whether memory grows over the pages of one long PDF.

    python -m benchmarks.soak_pdf [--pages N] [-- COMMAND]

Sends one PDF of pages with different texts to `/v1/read`, and has them as JSON lines. Every page must be read. Prints
the memory of all processes, shared pages counted once, over the pages. 1 MB is a million bytes.

COMMAND starts the server; the default is `python -m ppocr_serving`. The exit status is 1 if a page was not read, or if
memory grew more from the second quarter to the last than the limit.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from benchmarks.server import ServerFailed, check_running, serving, wait_until_ready
from benchmarks.small_files import pdf_of_pictures, text_picture
from benchmarks.soak_memory import MemoryLog, recording
from benchmarks.soak_report import report

__all__ = ["main"]

_OK: Final = 200
_SECONDS: Final = 3600  # timeout for a server that hangs
_QUARTERS: Final = 4
_ROWS: Final = 8  # of the table


class _Pages:
    """Pages that have been answered so far."""

    def __init__(self) -> None:
        self.read = 0
        self.failures: list[str] = []


def _send(port: int, pdf: bytes, dpi: int, pages: _Pages) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("POST", f"/v1/read?format=jsonl&dpi={dpi}", pdf, {"Content-Type": "application/pdf"})
        answer = connection.getresponse()
        if answer.status != _OK:
            raise ServerFailed(f"the PDF is answered with {answer.status}: {answer.read()[:300]!r}")
        for line in answer:
            record = json.loads(line)
            if record["type"] == "page":
                pages.read += 1
                expected = str(record["page"]["number"])
                if expected not in json.dumps(record["page"]["paragraphs"]):
                    pages.failures.append(f"page {expected}: its number was not read")
            elif record["type"] == "error":
                pages.failures.append(f"page {record['number']}: {record['error']}")
    except (OSError, HTTPException, ValueError) as error:
        raise ServerFailed(f"the answer was lost after page {pages.read} ({type(error).__name__}: {error})") from error
    finally:
        connection.close()


def _between(memory: MemoryLog, first: float, last: float) -> float:
    """Return the median memory in bytes while pages from the first to the last were read."""
    totals = [sample.total for sample in memory.samples if first <= sample.picture < last]
    # The pages were too fast to be sampled: use the next sample.
    return median(totals or [next(sample.total for sample in memory.samples if sample.picture >= first)])


def _soak(options: argparse.Namespace) -> Iterator[str]:
    """Run it and print the table; yield a line for each failed check."""
    count = options.pages
    pdf = pdf_of_pictures([text_picture(f"Page number {number}") for number in range(1, count + 1)], options.dpi)
    pages = _Pages()
    limits = {"PPOCR_REQUEST_TIMEOUT": str(_SECONDS), "PPOCR_MAX_PAGES": str(count)}
    command = options.command or [sys.executable, "-m", "ppocr_serving"]
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        serving(command, Path(folder), limits) as (process, url),
        recording(process.pid, lambda: pages.read) as memory,
    ):
        log = Path(folder, "log")
        wait_until_ready(process, url, log)
        memory.mark_ready()
        start = time.monotonic()
        _send(urlsplit(url).port or 0, pdf, options.dpi, pages)
        seconds = time.monotonic() - start
        check_running(process, log, "before the last page")
    print("| pages | all processes |")
    print("|---|---|")
    for row in range(_ROWS):
        first, last = 1 + row * count // _ROWS, 1 + (row + 1) * count // _ROWS
        print(f"| {first} to {last - 1} | {_between(memory, first, last) / 1e6:.0f} MB |")
    quarter = count / _QUARTERS
    growth = (_between(memory, count - quarter, count) / _between(memory, quarter, 2 * quarter) - 1) * 100
    print(
        f"\n{pages.read} of {count} pages ({len(pdf) / 1e6:.1f} MB) in {seconds:.0f} s; wrong: {len(pages.failures)}; "
        f"growth from the second quarter to the last {growth:+.1f} %; processes replaced: {memory.replaced_workers()}"
    )
    if pages.read + len(pages.failures) < count:
        yield f"only {pages.read} pages of {count} were answered"
    yield from pages.failures[:_ROWS]
    if growth > options.max_growth:
        yield f"the growth is {growth:.1f} %, above --max-growth {options.max_growth:g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=500, help="pages of the PDF, at least 8 (default: 500)")
    parser.add_argument("--dpi", type=int, default=100, help="at which pages are rendered (default: 100)")
    parser.add_argument("--max-growth", type=float, default=5.0, metavar="PERCENT", help="limit (default: 5)")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="command that starts the server, after --")
    options = parser.parse_args(arguments)
    if options.pages < _ROWS:
        parser.error(f"--pages is {options.pages}; give at least {_ROWS}")
    return report(_soak(options))


if __name__ == "__main__":
    sys.exit(main())
