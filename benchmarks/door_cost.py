"""Measure what the doors add to reading: pictures sent in several ways, and a PDF of many pages.

    python -m benchmarks.door_cost DIR... [--rounds N] [--pages N] [--command COMMAND]

For each picture and way of sending it, in alternation on kept connections: the client's time, less that of the stages
of reading, which the header `Server-Timing` has (`encode`, writing the answer, counts as added). The tables show
medians over all pictures and rounds.

The PDF has the same pictures over and over, up to the number of pages. Its time over HTTP is compared with the time to
render its pages, and with that to read the rendered pages, both in this process. All three alternate.

COMMAND starts the server; the default is `python -m ppocr_serving`.
"""

import argparse
import json
import re
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from PIL import Image

from benchmarks.doors import RECIPES, Asked
from benchmarks.server import ServerFailed, serving, wait_until_ready
from benchmarks.small_files import pdf_of_pictures
from benchmarks.soak_report import report
from ppocr_serving import Reader
from ppocr_serving.reading.documents import DocumentLimits, open_document
from ppocr_serving.vision.pictures import picture_paths

__all__ = ["main"]

_OK: Final = 200
_SECONDS: Final = 3600  # timeout for a server that hangs
_WAYS: Final = (
    "predict ocr_system",
    "v1/read json json",
    "v1/read form json",
    "v1/read raw json",
    "v1/read raw text",
    "v1/read raw hocr",
    "v1/read raw pdf",
)
_DURATION: Final = re.compile(r"(\w+);dur=([\d.]+)")
_NOT_READING: Final = ("queue", "total", "encode")


def _ask(connection: HTTPConnection, asked: Asked) -> tuple[float, float]:
    """Return milliseconds of a request, and of the stages of reading in them."""
    start = time.perf_counter()
    connection.request("POST", asked.path, asked.body, {"Content-Type": asked.content_type})
    answer = connection.getresponse()
    content = answer.read()
    milliseconds = (time.perf_counter() - start) * 1000
    if answer.status != _OK:
        raise ServerFailed(f"{asked.path} is answered with {answer.status}: {content[:200]!r}")
    stages = dict(_DURATION.findall(answer.getheader("Server-Timing", "")))
    return milliseconds, sum(float(time_) for name, time_ in stages.items() if name not in _NOT_READING)


def _pictures(connection: HTTPConnection, paths: Sequence[Path], rounds: int) -> None:
    recipes = [RECIPES[way] for way in _WAYS]
    asked = {(path, recipe.name): recipe.build(path.read_bytes(), {}) for path in paths for recipe in recipes}
    totals: dict[str, list[float]] = {way: [] for way in _WAYS}
    added: dict[str, list[float]] = {way: [] for way in _WAYS}
    for number in range(rounds + 1):
        for path in paths:
            for way in _WAYS if number % 2 else reversed(_WAYS):
                milliseconds, reading = _ask(connection, asked[path, way])
                if number:  # the first use of a shape is not measured
                    totals[way].append(milliseconds)
                    added[way].append(milliseconds - reading)
    print("| way | ms per picture | ms besides the stages of reading |\n|---|---|---|")
    for way in _WAYS:
        print(f"| {way} | {median(totals[way]):.1f} | {median(added[way]):.2f} |")


def _document(connection: HTTPConnection, paths: Sequence[Path], count: int, rounds: int) -> None:
    pictures = [Image.open(paths[number % len(paths)]).convert("RGB") for number in range(count)]
    reader = Reader()
    dpi = reader.settings.reading.pdf_dpi
    pdf = pdf_of_pictures(pictures, dpi)
    whole: list[float] = []
    rendering: list[float] = []
    reading: list[float] = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        connection.request("POST", "/v1/read?format=jsonl", pdf, {"Content-Type": "application/pdf"})
        records = [json.loads(line) for line in connection.getresponse().read().splitlines()]
        whole.append(time.perf_counter() - start)
        if [record["type"] for record in records] != ["page"] * count + ["end"]:
            raise ServerFailed(f"the PDF is answered with {records[-1]}")

        start = time.perf_counter()
        with open_document(pdf, DocumentLimits.of(reader.settings)) as document:
            images = [document.render(page, dpi).image for page in range(1, count + 1)]
        rendering.append(time.perf_counter() - start)

        start = time.perf_counter()
        for image in images:
            reader.pages([image])
        reading.append(time.perf_counter() - start)
    times = [median(seconds[1:]) for seconds in (whole, rendering, reading)]  # the first use of a shape is not measured
    print(f"\n| {count} pages | s |\n|---|---|")
    for name, seconds in zip(("over HTTP", "rendering alone", "reading alone"), times, strict=True):
        print(f"| {name} | {seconds:.2f} |")
    print(f"\nover HTTP / (rendering + reading): {times[0] / (times[1] + times[2]):.3f}")


def _measure(options: argparse.Namespace) -> Iterator[str]:
    paths = [path for folder in options.directory for path in picture_paths(folder)]
    if not paths:
        raise ServerFailed(f"{', '.join(map(str, options.directory))} has no pictures")
    command = options.command or [sys.executable, "-m", "ppocr_serving"]
    with (
        tempfile.TemporaryDirectory(prefix="doors-") as folder,
        serving(command, Path(folder), {"PPOCR_MAX_BODY_MB": "512"}) as (process, url),
    ):
        wait_until_ready(process, url, Path(folder, "log"))
        connection = HTTPConnection("127.0.0.1", urlsplit(url).port or 0, timeout=_SECONDS)
        _pictures(connection, paths, options.rounds)
        if options.pages:
            _document(connection, paths, options.pages, options.rounds)
        connection.close()
    yield from ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, nargs="+", metavar="DIR", help="pictures")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument("--pages", type=int, default=100, help="pages of the PDF; 0 leaves it out (default: 100)")
    parser.add_argument("--command", type=shlex.split, default=[], help="command that starts the server, in one string")
    options = parser.parse_args(arguments)
    return report(_measure(options), "door_cost")


if __name__ == "__main__":
    sys.exit(main())
