"""Soak a server with clients of which many misbehave, and check what the others get: start it, attack it, and watch it.

Sixteen clients send pages, some of them slowly. A third of the requests are faulty: clients that hang up at every
stage, files that are truncated or corrupt, bodies that are cut short or too large, deadlines that are too short.
Meanwhile other connections send nothing, or a head or a body byte by byte. Every good answer must be the one that its
page gets alone, none may be lost, and every faulty request must get the status it deserves. The memory of all processes
is compared with that after a warm-up with the same mix. With `--all-doors`, the pages go to every door that the server
has, in every format; those that are absent are listed. 1 MB is a million bytes.

COMMAND starts the server; the default is PaddleHub's with the four modules. `{port}` in its words is replaced by the
port to listen on, which is also in the variable PORT. The exit status is 1 if a check failed.
"""

import argparse
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from benchmarks.door_answers import comparable, examine
from benchmarks.door_probe import Valid, ask_alone, probe
from benchmarks.doors import JSON, RECIPES, Answer, Asked, Client, Lost, Recipe
from benchmarks.server import ServerFailed, check_running, serving, wait_until_ready
from benchmarks.soak_memory import Sample, recording
from benchmarks.soak_pictures import draw, page_plan
from benchmarks.soak_report import report

__all__ = ["Outcome", "main"]

_USUAL = "predict ocr_system"
_FOR_OTHER_PAGES = ("v1/render pdf", "v1/render png")  # their document has no page of such a size
_PAGES = 12
_PAGES_OF_ALL_DOORS = 3  # each is asked for alone in forty ways
_TRIES_ALONE = 2  # a page's first reading may differ in a digit, if the engine has just met its size
_ANSWER_SECONDS = 300  # timeout for a server that hangs
_BODY_MB = 2
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: reset the connection
_DRIP_SECONDS = 1.0
_LIMITS = {
    "PPOCR_MAX_BODY_MB": str(_BODY_MB),
    "PPOCR_REQUEST_TIMEOUT": str(_ANSWER_SECONDS),
    "PPOCR_QUEUE_TIMEOUT": str(_ANSWER_SECONDS),
}


class Outcome:
    """What came of the requests; clients in several threads add to it.

    Attributes:
        counts: Requests by kind and status.
        failures: A line for each request whose outcome was wrong.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """Number of requests."""
        with self._lock:
            return self.counts.total()

    def add(self, kind: str, status: int | None, failure: str = "") -> None:
        """Count a request; `status` is None if its client did not wait for the answer."""
        with self._lock:
            self.counts[kind if status is None else f"{kind}: {status}"] += 1
            if failure:
                self.failures.append(f"{kind}: {failure}")


class _Sender:
    """A client that sends good and faulty requests.

    Args:
        port: The server's.
        pages: What to send.
        rng: Decides what comes next.
        outcome: Receives what comes of it.
    """

    def __init__(self, port: int, pages: Sequence[Valid], share: float, rng: random.Random, outcome: Outcome) -> None:
        self._port = port
        self._pages = pages
        self._share = share
        self._rng = rng
        self._outcome = outcome
        self._faults: Mapping[str, Callable[[Valid], None]] = {
            "leaves within the head": lambda page: self._leave(page, _request(page.asked)[: rng.randrange(5, 90)]),
            "leaves within the body": lambda page: self._leave(page, _request(page.asked)[: -rng.randrange(1, 1000)]),
            "leaves before the answer": lambda page: self._leave(page, _request(page.asked)),
            "truncated file": lambda page: self._fail(
                "truncated file",
                page.recipe.build(page.file[: len(page.file) // 2], page.options),
                # What was read before can be written without its picture.
                {200, 400} if page.recipe.door == "v1/render" else {400},
            ),
            "corrupt file": lambda page: self._fail(
                "corrupt file", page.recipe.build(self._corrupt(page.file), page.options), {200, 400, 413}
            ),
            # A file that lacks its last byte may be read.
            "cut short": lambda page: self._fail(
                "cut short",
                page.asked._replace(body=page.asked.body[:-1]),
                {400} if page.asked.content_type == JSON else {200, 400},
            ),
            "too large": lambda page: self._fail(
                "too large", page.asked._replace(body=page.asked.body.ljust(_BODY_MB * 2**20 + 1)), {413}
            ),
            "too little time": lambda page: self._fail(
                "too little time", page.asked, {503, 504}, {"X-Request-Timeout": "0.001"}
            ),
        }

    def send(self) -> None:
        """Send one request."""
        page = self._rng.choice(self._pages)
        if self._rng.random() < self._share:
            self._rng.choice(list(self._faults.values()))(page)
        elif self._rng.random() < 0.1:
            self._send_slowly(page)
        else:
            self._send_well(page)

    def _send_well(self, page: Valid) -> None:
        try:
            self._note("good", page, self._ask(page.asked, {}))
        except Lost as error:
            self._outcome.add("good", None, f"{page.recipe.name}: {error}")

    def _send_slowly(self, page: Valid) -> None:
        request = _request(page.asked, "Connection: close\r\n")
        step = len(request) // 4 + 1
        try:
            with self._connect() as connection:
                for start in range(0, len(request), step):
                    connection.sendall(request[start : start + step])
                    time.sleep(0.1)
                answer = HTTPResponse(connection)
                answer.begin()
                body = answer.read()
        except (OSError, HTTPException) as error:
            self._outcome.add("slow", None, f"{page.recipe.name}: lost ({type(error).__name__}: {error})")
            return
        self._note("slow", page, Answer(answer.status, answer.getheader("Content-Type") or "", body))

    def _note(self, kind: str, page: Valid, answer: Answer) -> None:
        outcome = examine(page.asked, answer)
        problem = outcome.problem
        if not problem and comparable(answer) not in page.answers:
            problem = f"another answer, status {outcome.status}: {answer.body[:200]!r}"
        self._outcome.add(kind, outcome.status, problem and f"{page.recipe.name}: {problem}")

    def _leave(self, page: Valid, sent: bytes) -> None:
        total = len(_request(page.asked))
        kind = "left before the answer" if len(sent) == total else "left within the request"
        with suppress(OSError), self._connect() as connection:
            connection.sendall(sent)
            if self._rng.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._outcome.add(kind, None)

    def _fail(self, kind: str, asked: Asked, allowed: set[int], headers: Mapping[str, str] | None = None) -> None:
        try:
            answer = self._ask(asked, headers or {})
        except Lost as error:
            self._outcome.add(kind, None, f"{asked.door}: {error}")
            return
        outcome = examine(asked, answer)
        problem = outcome.problem
        # JSON lines have sent their status before the file is read; a record says what is wrong with it.
        is_refused_in_stream = asked.format == "jsonl" and b'"type":"error"' in answer.body
        if not problem and outcome.status not in allowed and not is_refused_in_stream:
            problem = f"status {outcome.status}: {answer.body[:200]!r}"
        self._outcome.add(kind, outcome.status, problem and f"{asked.door} {asked.format}: {problem}")

    def _ask(self, asked: Asked, headers: Mapping[str, str]) -> Answer:
        with Client(self._port, _ANSWER_SECONDS) as client:
            return client.ask(asked, headers)

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), timeout=_ANSWER_SECONDS)

    def _corrupt(self, file: bytes) -> bytes:
        changed = bytearray(file)
        for _ in range(self._rng.randrange(1, 20)):
            changed[self._rng.randrange(len(changed))] = self._rng.randrange(256)
        return bytes(changed)


def _request(asked: Asked, fields: str = "") -> bytes:
    head = f"{asked.method} {asked.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {asked.content_type}\r\n"
    return f"{head}Content-Length: {len(asked.body)}\r\n{fields}\r\n".encode() + asked.body


def _draw_pages(seed: int, number_of_pages: int) -> list[bytes]:
    rng = random.Random(seed)  # noqa: S311  # no secrets here
    files: list[bytes] = []
    for number in range(number_of_pages):
        width, height = rng.randrange(320, 960, 32), rng.randrange(160, 640, 32)
        files += draw(page_plan(number, width, height, rng.randrange(1, 8), seed + number)).files
    return files


def _read_alone(port: int, recipes: Sequence[Recipe], files: Sequence[bytes]) -> list[Valid]:
    """Ask for every page in every way while nobody else does."""
    with Client(port, _ANSWER_SECONDS) as client:
        pages = [ask_alone(client, recipe, file, {}, _TRIES_ALONE) for recipe in recipes for file in files]
    for page in pages:
        for answer in page.answers:
            if not answer.startswith(b"200 "):
                raise ServerFailed(f"{page.recipe.name}: a page alone is answered with {answer[:200]!r}")
    return pages


@contextmanager
def _slow_connections(port: int, number: int) -> Iterator[None]:
    """Keep connections open that send nothing, or part of a request byte by byte; those that are closed come again."""
    starts = (
        b"",
        b"GET / HTTP/1.1\r\nX-Slow: ",
        _request(Asked("predict", "/predict/ocr_system", JSON, bytes(1000)))[:-1000],
    )
    stop = threading.Event()

    def drip() -> None:
        connections: dict[int, socket.socket] = {}
        while not stop.wait(_DRIP_SECONDS):
            for index in range(number):
                start = starts[index % len(starts)]
                try:
                    if index not in connections:
                        connections[index] = socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_SECONDS)
                        connections[index].sendall(start)
                    elif start:
                        connections[index].sendall(b" ")
                except OSError:  # it took too long
                    if index in connections:
                        connections.pop(index).close()
        for connection in connections.values():
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        dripping = pool.submit(drip)
        try:
            yield
        finally:
            stop.set()
            dripping.result()


def _send_all(
    port: int, pages: Sequence[Valid], number: int, seed: int, outcome: Outcome, options: argparse.Namespace
) -> None:
    """Have the clients send a number of requests together."""
    waiting = iter(range(number))  # shared: each idle client takes the next

    def client(index: int) -> None:
        rng = random.Random(f"{seed}-{index}")  # noqa: S311
        sender = _Sender(port, pages, options.faults, rng, outcome)
        for _ in waiting:
            sender.send()

    with ThreadPoolExecutor(options.clients) as pool:
        for future in [pool.submit(client, index) for index in range(options.clients)]:
            future.result()


def _memory(samples: Sequence[Sample], since: float) -> float:
    """Return the median memory of all processes since a moment of the recording, in bytes."""
    return median([sample.total for sample in samples if sample.seconds >= since] or [samples[-1].total])


def _soak(options: argparse.Namespace) -> Iterator[str]:
    """Run the soak and print the table; yield a line for each failed check."""
    warm_up, outcome = Outcome(), Outcome()
    files = _draw_pages(options.seed, _PAGES_OF_ALL_DOORS if options.all_doors else _PAGES)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        serving(options.command, Path(folder), _LIMITS) as (process, url),
        recording(process.pid, lambda: warm_up.total + outcome.total) as memory,
    ):
        log = Path(folder, "log")
        wait_until_ready(process, url, log)
        memory.mark_ready()
        port = urlsplit(url).port or 0
        recipes = list(RECIPES.values()) if options.all_doors else [RECIPES[_USUAL]]
        recipes = [recipe for recipe in recipes if recipe.name not in _FOR_OTHER_PAGES]
        found = probe(port, recipes, files[0])
        yield from found.wrong
        pages = _read_alone(port, [one.recipe for one in found.present], files)
        with _slow_connections(port, options.slow):
            _send_all(port, pages, options.warm_up, options.seed + 1, warm_up, options)
            warm = _memory(memory.samples, memory.samples[-1].seconds / 2)
            start = memory.samples[-1].seconds
            _send_all(port, pages, options.requests, options.seed + 2, outcome, options)
            end = memory.samples[-1].seconds
            last = _memory(memory.samples, (start + end) / 2)
        check_running(process, log, "before the last answer")
        tracebacks = log.read_text(encoding="utf-8", errors="replace").count("Traceback")
    print("| requests | number |")
    print("|---|---|")
    for kind, count in sorted(outcome.counts.items()):
        print(f"| {kind} | {count} |")
    for door in found.absent:
        print(f"| door {door} | absent |")
    growth = (last / warm - 1) * 100
    print(
        f"\n{options.requests} requests in {end - start:.0f} s; wrong: {len(outcome.failures)}; "
        f"memory after the warm-up {warm / 1e6:.0f} MB, at the end {last / 1e6:.0f} MB ({growth:+.1f} %); "
        f"processes replaced: {memory.replaced_workers()}"
    )
    failures = warm_up.failures + outcome.failures
    if failures:
        yield f"{len(failures)} requests went wrong, the first: {failures[0]}"
    if tracebacks:
        yield f"the log has {tracebacks} tracebacks"
    if growth > options.max_growth:
        yield f"the growth is {growth:.1f} %, above --max-growth {options.max_growth:g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000, help="number of requests (default: 2000)")
    parser.add_argument("--warm-up", type=int, default=400, help="requests before those that count (default: 400)")
    parser.add_argument("--clients", type=int, default=16, help="clients at once (default: 16)")
    parser.add_argument("--faults", type=float, default=1 / 3, metavar="SHARE", help="of the requests (default: 1/3)")
    parser.add_argument("--all-doors", action="store_true", help="send to all doors, in all formats")
    parser.add_argument("--slow", type=int, default=90, help="slow and silent connections meanwhile (default: 90)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the pages and the faults (default: 0)")
    parser.add_argument("--max-growth", type=float, default=5.0, metavar="PERCENT", help="limit (default: 5)")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="command that starts the server, after --")
    options = parser.parse_args(arguments)
    return report(_soak(options))


if __name__ == "__main__":
    sys.exit(main())
