"""Measure what the doors add to reading: pictures sent in several ways, and a PDF of many pages.

    python -m benchmarks.door_cost DIR... [--rounds N] [--pages N] [--command COMMAND]

Each picture is sent in each way, in alternation on a kept connection. The table has the median of all pictures and
rounds, and that of what a way takes longer than `/predict/ocr_system` for the same picture in the same round.

The PDF has the same pictures over and over, up to the number of pages. Its time is compared with that of its rendered
pages, which are sent as BMP files one by one, and with the time to render them in this process. All three alternate.

COMMAND starts the server; the default is `python -m ppocr_serving`.
"""

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

import cv2
from PIL import Image

from benchmarks.doors import RECIPES, Answer, Asked, Client
from benchmarks.server import ServerFailed, serving, wait_until_ready
from benchmarks.small_files import pdf_of_pictures
from benchmarks.soak_report import report
from ppocr_serving.reading.documents import DocumentLimits, open_document
from ppocr_serving.settings import load_settings
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


def _ask(client: Client, asked: Asked) -> Answer:
    answer = client.ask(asked)
    if answer.status != _OK:
        raise ServerFailed(f"{asked.path} is answered with {answer.status}: {answer.body[:200]!r}")
    return answer


def _pictures(client: Client, paths: Sequence[Path], rounds: int) -> None:
    times: dict[str, list[float]] = {way: [] for way in _WAYS}
    for number in range(rounds + 1):
        for path in paths:
            for way in _WAYS if number % 2 else reversed(_WAYS):
                milliseconds = _ask(client, RECIPES[way].build(path.read_bytes(), {})).seconds * 1000
                if number:  # the first use of a shape is not measured
                    times[way].append(milliseconds)
    print("| way | ms per picture | more than the first |\n|---|---|---|")
    for way in _WAYS:
        more = median(own - first for own, first in zip(times[way], times[_WAYS[0]], strict=True))
        print(f"| {way} | {median(times[way]):.1f} | {more:+.1f} |")


def _document(client: Client, paths: Sequence[Path], count: int, rounds: int) -> None:
    pictures = [Image.open(paths[number % len(paths)]).convert("RGB") for number in range(count)]
    settings = load_settings()
    dpi = settings.reading.pdf_dpi
    pdf = pdf_of_pictures(pictures, dpi)
    whole: list[float] = []
    rendering: list[float] = []
    reading: list[float] = []
    for _ in range(rounds + 1):
        answer = _ask(client, Asked("v1/read", "/v1/read?format=jsonl", "application/pdf", pdf))
        whole.append(answer.seconds)
        records = [json.loads(line) for line in answer.body.splitlines()]
        if [record["type"] for record in records] != ["page"] * count + ["end"]:
            raise ServerFailed(f"the PDF is answered with {records[-1]}")

        start = time.perf_counter()
        with open_document(pdf, DocumentLimits.of(settings)) as document:
            images = [document.render(page, dpi).image for page in range(1, count + 1)]
        rendering.append(time.perf_counter() - start)

        seconds = 0.0
        for image in images:
            file = cv2.imencode(".bmp", image)[1].tobytes()
            seconds += _ask(client, Asked("v1/read", "/v1/read", "image/bmp", file)).seconds
        reading.append(seconds)
    times = [median(seconds[1:]) for seconds in (whole, rendering, reading)]  # the first use of a shape is not measured
    print(f"\n| {count} pages | s |\n|---|---|")
    for name, seconds in zip(("as one PDF", "rendering alone", "the rendered pages one by one"), times, strict=True):
        print(f"| {name} | {seconds:.2f} |")
    print(f"\nas one PDF / (rendering + the rendered pages): {times[0] / (times[1] + times[2]):.3f}")


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
        with Client(urlsplit(url).port or 0, _SECONDS) as client:
            _pictures(client, paths, options.rounds)
            if options.pages:
                _document(client, paths, options.pages, options.rounds)
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
