"""Measure the page in a browser: how soon it is painted, and how long a large answer keeps it from answering its user.

    python -m benchmarks.page_paint [URL] [--loads N] [--lines N] [--pages N] [--command COMMAND]

Each load has an empty cache. The first one is not measured: it also starts what the browser runs pages in. Bytes are
those of all answers with their headers, as they are transferred. In turn with the page, the answer of `/healthz` is
loaded, which is a line of text: what any page takes in this browser on this machine.

`--lines 5000` reads a PDF page with that many lines of its own text, `--pages 100` a PDF with that many drawn pages.
The table has each step of a user: how long it takes, the CPU time of the page's thread, the long tasks in it (50 ms
and more, in which the page answers no key), and the longest of them.

Without a URL, COMMAND starts a server on the loopback interface; the default is `python -m ppocr_serving`.
"""

import argparse
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from playwright.sync_api import Browser, Request
from playwright.sync_api import Error as BrowserFailed

from benchmarks.browser import chromium
from benchmarks.page_use import Step, pages_file, use_page
from benchmarks.server import ServerFailed, serving, wait_until_ready
from benchmarks.small_files import pdf_of_lines
from benchmarks.soak_report import report

__all__ = ["Load", "load_table", "main", "step_table"]

_MILLISECONDS: Final = 1000
# Buffered: it has most likely been painted before this runs.
_PAINTS: Final = """() => new Promise(done => {
  new PerformanceObserver(() => {
    const times = Object.fromEntries(performance.getEntriesByType("paint").map(entry => [entry.name, entry.startTime]));
    if ("first-contentful-paint" in times) done([times["first-paint"], times["first-contentful-paint"]]);
  }).observe({ type: "paint", buffered: true });
})"""


class Load(NamedTuple):
    """One load of the page.

    Attributes:
        first_paint: Milliseconds from the start of the navigation until anything is painted.
        first_contentful_paint: Until the first text or picture is.
        transferred: Bytes of all answers, with their headers.
        requests: Number of requests.
    """

    first_paint: float
    first_contentful_paint: float
    transferred: int
    requests: int


def load_table(loads: Sequence[Load], lines: Sequence[Load]) -> str:
    """Return a table of the median and the worst of several loads.

    Args:
        loads: Of the page.
        lines: Of a line of text.
    """
    rows = [f"| {len(loads)} loads | median | worst | a line of text, median |", "|---|---|---|---|"]
    names = ("first paint, ms", "first contentful paint, ms", "transferred, bytes", "requests")
    rows += [
        f"| {name} | {median(values):.0f} | {max(values):.0f} | {median(least):.0f} |"
        for name, values, least in zip(names, zip(*loads, strict=True), zip(*lines, strict=True), strict=True)
    ]
    return "\n".join(rows)


def step_table(title: str, steps: Sequence[Step]) -> str:
    """Return a table of what a user does.

    Args:
        title: What is read.
        steps: At least one.
    """
    rows = [f"| {title} | s | CPU s | long tasks | longest, ms |", "|---|---|---|---|---|"]
    rows += [
        f"| {step.name} | {step.seconds:.2f} | {step.cpu_seconds:.2f} | {len(step.tasks)} | {_longest(step)} |"
        for step in steps
    ]
    return "\n".join(rows)


def _longest(step: Step) -> str:
    return f"{max(step.tasks):.0f}" if step.tasks else "-"


def _load(browser: Browser, url: str) -> Load:
    context = browser.new_context()
    finished: list[Request] = []
    context.on("requestfinished", lambda request: finished.append(request))
    page = context.new_page()
    answer = page.goto(url)
    if answer is None or not answer.ok:
        raise ServerFailed(f"{url} is answered with status {'none' if answer is None else answer.status}")
    first, contentful = page.evaluate(_PAINTS)
    sizes = [request.sizes() for request in finished if request.url.startswith("http")]
    context.close()
    transferred = sum(size["responseHeadersSize"] + size["responseBodySize"] for size in sizes)
    return Load(first, contentful, transferred, len(sizes))


@contextmanager
def _server(options: argparse.Namespace) -> Iterator[str]:
    if options.url:
        yield options.url.rstrip("/") + "/"
        return
    command = options.command or [sys.executable, "-m", "ppocr_serving"]
    with (
        tempfile.TemporaryDirectory(prefix="page-") as folder,
        serving(command, Path(folder)) as (process, url),
    ):
        wait_until_ready(process, url, Path(folder, "log"))
        yield f"{url}/"


def _measure(options: argparse.Namespace) -> Iterator[str]:
    try:
        with _server(options) as url, chromium() as browser:
            loads = [(_load(browser, url), _load(browser, f"{url}healthz")) for _ in range(options.loads + 1)]
            print(load_table(*zip(*loads[1:], strict=True)))
            if options.lines:
                steps = use_page(browser, url, pdf_of_lines(options.lines), options.lines)
                print("\n" + step_table(f"{options.lines} lines", steps))
            if options.pages:
                steps = use_page(browser, url, pages_file(options.pages), None)
                print("\n" + step_table(f"{options.pages} pages", steps))
    except BrowserFailed as error:
        raise ServerFailed(error.message.splitlines()[0]) from error
    yield from ()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default="", metavar="URL", help="of a server that runs (default: start one)")
    parser.add_argument("--loads", type=_positive, default=20, help="loads of the page (default: 20)")
    parser.add_argument("--lines", type=int, default=0, help="lines of the page that is read (default: none is read)")
    parser.add_argument("--pages", type=int, default=0, help="pages of the PDF that is read (default: none is read)")
    parser.add_argument("--command", type=shlex.split, default=[], help="command that starts the server, in one string")
    return report(_measure(parser.parse_args(arguments)), "page_paint")


if __name__ == "__main__":
    sys.exit(main())
