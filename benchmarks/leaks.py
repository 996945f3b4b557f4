"""Look for options that leak from one request into another: ask with different options at once, and compare.

    python -m benchmarks.leaks [--requests N] [--clients N] [-- COMMAND]

First, each of some requests is asked alone: the same files with and without each option, at every door that takes
options. Then many clients send them together, in random order over kept connections, and every answer must be one that
the request gets alone. Prints a table by option, with how many of its requests are answered otherwise than without it:
an option that changes no answer proves nothing, and is reported.

COMMAND starts the server; the default is `python -m ppocr_serving`. The exit status is 1 if anything went wrong.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from PIL import Image

from benchmarks.door_answers import comparable, without_origin
from benchmarks.door_probe import Valid, ask_alone, probe
from benchmarks.doors import RECIPES, Client, Lost, Options, Recipe
from benchmarks.hostile_files import saved
from benchmarks.server import check_running, serving, wait_until_ready
from benchmarks.small_files import pdf_of_pictures, pdf_with_text, small_files, text_picture
from benchmarks.soak_report import report

__all__ = ["main"]

_SECONDS: Final = 300  # timeout for a server that hangs
_TRIES_ALONE: Final = 2
_SHOWN: Final = 10
_LIMITS: Final = {"PPOCR_REQUEST_TIMEOUT": str(_SECONDS), "PPOCR_QUEUE_TIMEOUT": str(_SECONDS)}

_NONE: Final[Options] = MappingProxyType({})
_PICTURE_OPTIONS: Final[tuple[Options, ...]] = (
    {"drop_score": 1.0},
    {"words": True},
    {"orientation": False},
    {"det_limit_side_len": 64, "det_closer_side_len": 0},  # a closer look would find the same
    {"det_db_box_thresh": 0.99},
    {"det_db_unclip_ratio": 5.0},
    {"use_dilation": True},
)
# Where the usual order is by rows, and where it is not.
_PREDICT_OPTIONS: Final[tuple[Options, ...]] = ({"reading_order": "natural"},)
_READ_OPTIONS: Final[tuple[Options, ...]] = ({"reading_order": "rows"}, {"region": (0, 0, 150, 60)})
_PDF_OPTIONS: Final[tuple[Options, ...]] = ({"pages": "2"}, {"dpi": 90}, {"pdf_text": "prefer"})
_USED: Final = ("predict ocr_system", "v1/read raw json", "v1/read form text", "v1/read json csv")
"""The recipes: a way of taking options each."""


def _page() -> Image.Image:
    """Return a page with two columns of prose, so that the order of lines matters."""
    page = Image.new("RGB", (520, 126), "white")
    for column, words in enumerate((("Alpha", "Gamma", "Delta"), ("Seven", "Eight", "Eleven"))):
        for row, text in enumerate(words):
            line = text_picture(f"{text} that others follow", 18)
            page.paste(line, (4 + 270 * column, 2 + 36 * row + 16 * column))
    return page


def _pictures() -> list[bytes]:
    page = _page()
    return [saved(page, "PNG"), saved(page.rotate(90, expand=True), "PNG")]


def _documents() -> list[bytes]:
    return [pdf_of_pictures([_page(), text_picture("Second page")]), pdf_with_text(["Total 42", "No. 2026"])]


def _requests(recipes: Sequence[Recipe]) -> list[tuple[Recipe, bytes, Options]]:
    """Return every request: one without options for each file and recipe, and one for each option."""
    planned: list[tuple[Recipe, bytes, Options]] = []
    for recipe in recipes:
        variants = [_NONE, *_PICTURE_OPTIONS, *(_READ_OPTIONS if recipe.takes_pdf else _PREDICT_OPTIONS)]
        planned += [(recipe, file, options) for file in _pictures() for options in variants]
        if recipe.takes_pdf:
            planned += [(recipe, file, options) for file in _documents() for options in (_NONE, *_PDF_OPTIONS)]
    return planned


class _Asking:
    """Clients that ask for the same things together, and compare."""

    def __init__(self, port: int, valid: Sequence[Valid], options: argparse.Namespace) -> None:
        self._port = port
        self._valid = valid
        self._options = options
        self._waiting = iter(range(options.requests))  # shared: each idle client takes the next
        self._lock = threading.Lock()
        self.asked: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.failures: list[str] = []

    def run(self) -> None:
        """Send all requests."""
        with ThreadPoolExecutor(self._options.clients) as pool:
            for future in [pool.submit(self._send_some, index) for index in range(self._options.clients)]:
                future.result()

    def _send_some(self, index: int) -> None:
        rng = random.Random(f"{self._options.seed}-{index}")  # noqa: S311  # no secrets here
        with Client(self._port, _SECONDS) as client:
            for _ in self._waiting:
                self._send(client, rng.choice(self._valid))

    def _send(self, client: Client, valid: Valid) -> None:
        failure = ""
        try:
            answer = client.ask(valid.asked)
            if comparable(answer) not in valid.answers:
                failure = f"another answer: {answer.status} {answer.body[:200]!r}"
        except Lost as error:
            failure = str(error)
        with self._lock:
            self.asked[_title(valid.options)] += 1
            if failure:
                self.wrong[_title(valid.options)] += 1
                self.failures.append(f"{valid.recipe.name} with {dict(valid.options) or 'no options'}: {failure}")


def _title(options: Options) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items()) or "no options"


def _changed(valid: Sequence[Valid]) -> tuple[Counter[str], Counter[str]]:
    """Count the requests by option, and those that are answered otherwise than without it."""
    plain = {(one.recipe.name, one.file): one.answers for one in valid if not one.options}
    all_of, changed = Counter[str](), Counter[str]()
    for one in valid:
        if one.options:
            all_of[_title(one.options)] += 1
            without = {without_origin(answer) for answer in plain[one.recipe.name, one.file]}
            changed[_title(one.options)] += without.isdisjoint(map(without_origin, one.answers))
    return all_of, changed


def _look(options: argparse.Namespace) -> Iterator[str]:
    """Run it and print the table; yield a line for each thing that went wrong."""
    command = options.command or [sys.executable, "-m", "ppocr_serving"]
    with (
        tempfile.TemporaryDirectory(prefix="leaks-") as folder,
        serving(command, Path(folder), _LIMITS) as (process, url),
    ):
        log = Path(folder, "log")
        wait_until_ready(process, url, log)
        port = urlsplit(url).port or 0
        used = [RECIPES[name] for name in _USED if not options.door or RECIPES[name].door in options.door]
        found = probe(port, used, small_files()["PNG"])
        yield from found.wrong
        planned = _requests([one.recipe for one in found.present])
        try:
            with Client(port, _SECONDS) as client:
                valid = [ask_alone(client, *request, _TRIES_ALONE) for request in planned]
        except Lost as error:
            yield f"a request alone: {error}"
            return
        if not valid:
            yield "no door answers a valid request"
            return
        asking = _Asking(port, valid, options)
        start = time.monotonic()
        asking.run()
        seconds = time.monotonic() - start
        check_running(process, log, "before the last answer")
    all_of, changed = _changed(valid)
    print("| option | asked alone | changes the answer | asked together | wrong |")
    print("|---|---|---|---|---|")
    plain = sum(not one.options for one in valid)
    print(f"| no options | {plain} | | {asking.asked['no options']} | {asking.wrong['no options']} |")
    for title, count in all_of.items():
        print(f"| {title} | {count} | {changed[title]} | {asking.asked[title]} | {asking.wrong[title]} |")
    for door in found.absent:
        print(f"| door {door} is absent | | | | |")
    print(
        f"\n{options.requests} requests of {len(valid)} kinds from {options.clients} clients in {seconds:.0f} s; "
        f"wrong: {len(asking.failures)}"
    )
    yield from asking.failures[:_SHOWN]
    for title in all_of:
        if not changed[title]:
            yield f"{title} changes no answer, so that nothing is proven for it"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000, help="number of requests (default: 2000)")
    parser.add_argument("--clients", type=int, default=8, help="clients at once (default: 8)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the order (default: 0)")
    doors = sorted({RECIPES[name].door for name in _USED})
    parser.add_argument("--door", action="append", choices=doors, help="only this door; may be repeated")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="command that starts the server, after --")
    options = parser.parse_args(arguments)
    return report(_look(options), "leaks")


if __name__ == "__main__":
    sys.exit(main())
