"""Soak a server with clients of which many misbehave, and check what the others get: start it, attack it, and watch it.

Sixteen clients send pages, some of them slowly. A third of the requests are faulty: clients that hang up at every
stage, files that are truncated or corrupt, bodies that are not valid JSON or too large, deadlines that are too short.
Meanwhile other connections send nothing, or a head or a body byte by byte. Every good answer must be the one that its
page gets alone, none may be lost, and every faulty request must get the status it deserves. The memory of all processes
is compared with that after a warm-up with the same mix. 1 MB is a million bytes.

COMMAND starts the server; the default is PaddleHub's with the four modules. `{port}` in its words is replaced by the
port to listen on, which is also in the variable PORT. The exit status is 1 if a check failed.
"""

import argparse
import base64
import json
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
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.server import ServerFailed, check_running, serving, wait_until_ready
from benchmarks.soak_memory import Sample, recording
from benchmarks.soak_pictures import draw, page_plan
from benchmarks.soak_report import report

__all__ = ["Outcome", "main"]

_PATH = "/predict/ocr_system"
_CLIENTS = 16
_PAGES = 12
_TRIES_ALONE = 3  # a page's first reading may differ in a digit, if the engine has just met its size
_ANSWER_SECONDS = 300  # timeout for a server that hangs
_BODY_MB = 2
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: reset the connection
_DRIP_SECONDS = 1.0
_LIMITS = {
    "PPOCR_MAX_BODY_MB": str(_BODY_MB),
    "PPOCR_REQUEST_TIMEOUT": str(_ANSWER_SECONDS),
    "PPOCR_QUEUE_TIMEOUT": str(_ANSWER_SECONDS),
}


class Page(NamedTuple):
    """A page that clients send.

    Attributes:
        file: The picture file.
        body: The request's body.
        answers: What it gets alone.
    """

    file: bytes
    body: bytes
    answers: frozenset[bytes]


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


class _Client:
    """A client that sends good and faulty requests.

    Args:
        port: The server's.
        pages: What to send.
        rng: Decides what comes next.
        outcome: Receives what comes of it.
    """

    def __init__(self, port: int, pages: Sequence[Page], rng: random.Random, outcome: Outcome) -> None:
        self._port = port
        self._pages = pages
        self._rng = rng
        self._outcome = outcome
        self._faults: Mapping[str, Callable[[Page], None]] = {
            "leaves within the head": lambda page: self._leave(page, _head(len(page.body))[: rng.randrange(5, 90)]),
            "leaves within the body": lambda page: self._leave(page, self._request(page)[: -rng.randrange(1, 1000)]),
            "leaves before the answer": lambda page: self._leave(page, self._request(page)),
            "truncated file": lambda page: self._fail("truncated file", _body(page.file[: len(page.file) // 2]), {400}),
            "corrupt file": lambda page: self._fail("corrupt file", _body(self._corrupt(page.file)), {200, 400, 413}),
            "no JSON": lambda page: self._fail("no JSON", page.body[:-1], {400}),
            "too large": lambda page: self._fail("too large", page.body.ljust(_BODY_MB * 2**20 + 1), {413}),
            "too little time": lambda page: self._fail(
                "too little time", page.body, {503, 504}, {"X-Request-Timeout": "0.001"}
            ),
        }

    def send(self) -> None:
        """Send one request."""
        page = self._rng.choice(self._pages)
        if self._rng.random() < 1 / 3:
            self._rng.choice(list(self._faults.values()))(page)
        elif self._rng.random() < 0.1:
            self._send_slowly(page)
        else:
            self._send_well(page)

    def _send_well(self, page: Page) -> None:
        try:
            self._note("good", page, *self._ask(page.body, {}))
        except (OSError, HTTPException) as error:
            self._outcome.add("good", None, f"lost ({type(error).__name__}: {error})")

    def _send_slowly(self, page: Page) -> None:
        request = self._request(page, "Connection: close\r\n")
        step = len(request) // 4 + 1
        try:
            with self._connect() as connection:
                for start in range(0, len(request), step):
                    connection.sendall(request[start : start + step])
                    time.sleep(0.1)
                received = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError as error:
            self._outcome.add("slow", None, f"lost ({type(error).__name__}: {error})")
            return
        head, _, body = received.partition(b"\r\n\r\n")
        self._note("slow", page, int(head.split()[1]) if head else 0, body)

    def _note(self, kind: str, page: Page, status: int, body: bytes) -> None:
        if status != 200:
            self._outcome.add(kind, status, f"status {status}: {body[:200]!r}")
        else:
            self._outcome.add(kind, status, "" if body in page.answers else f"another answer: {body[:200]!r}")

    def _leave(self, page: Page, sent: bytes) -> None:
        total = len(self._request(page))
        kind = "left before the answer" if len(sent) == total else "left within the request"
        with suppress(OSError), self._connect() as connection:
            connection.sendall(sent)
            if self._rng.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._outcome.add(kind, None)

    def _fail(self, kind: str, body: bytes, allowed: set[int], headers: Mapping[str, str] | None = None) -> None:
        try:
            status, answer = self._ask(body, headers or {})
        except (OSError, HTTPException) as error:
            self._outcome.add(kind, None, f"lost ({type(error).__name__}: {error})")
            return
        is_right = status in allowed and set(json.loads(answer)) == {"msg", "results", "status"}
        self._outcome.add(kind, status, "" if is_right else f"status {status}: {answer[:200]!r}")

    def _ask(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_SECONDS)) as connection:
            connection.request("POST", _PATH, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), timeout=_ANSWER_SECONDS)

    def _request(self, page: Page, fields: str = "") -> bytes:
        return _head(len(page.body), fields) + page.body

    def _corrupt(self, file: bytes) -> bytes:
        changed = bytearray(file)
        for _ in range(self._rng.randrange(1, 20)):
            changed[self._rng.randrange(len(changed))] = self._rng.randrange(256)
        return bytes(changed)


def _head(size: int, fields: str = "") -> bytes:
    return (
        f"POST {_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n"
        f"{fields}\r\n"
    ).encode()


def _body(file: bytes) -> bytes:
    return json.dumps({"images": [base64.b64encode(file).decode("ascii")]}).encode()


def _draw_pages(seed: int) -> list[bytes]:
    rng = random.Random(seed)  # noqa: S311  # no secrets here
    files: list[bytes] = []
    for number in range(_PAGES):
        width, height = rng.randrange(320, 960, 32), rng.randrange(160, 640, 32)
        files += draw(page_plan(number, width, height, rng.randrange(1, 8), seed + number)).files
    return files


def _read_alone(port: int, file: bytes) -> Page:
    """Ask for a page while nobody else does."""
    page = Page(file, _body(file), frozenset())
    outcome = Outcome()
    client = _Client(port, [page], random.Random(0), outcome)  # noqa: S311
    answers = [client._ask(page.body, {}) for _ in range(_TRIES_ALONE)]
    for status, body in answers:
        if status != 200:
            raise ServerFailed(f"a page alone is answered with {status}: {body[:200]!r}")
    return page._replace(answers=frozenset(body for _, body in answers))


@contextmanager
def _slow_connections(port: int, number: int) -> Iterator[None]:
    """Keep connections open that send nothing, or part of a request byte by byte; those that are closed come again."""
    starts = (b"", b"GET / HTTP/1.1\r\nX-Slow: ", _head(1000))
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


def _send_all(port: int, pages: Sequence[Page], number: int, seed: int, outcome: Outcome) -> None:
    """Have the clients send a number of requests together."""
    waiting = iter(range(number))  # shared: each idle client takes the next

    def client(index: int) -> None:
        sender = _Client(port, pages, random.Random(f"{seed}-{index}"), outcome)  # noqa: S311
        for _ in waiting:
            sender.send()

    with ThreadPoolExecutor(_CLIENTS) as pool:
        for future in [pool.submit(client, index) for index in range(_CLIENTS)]:
            future.result()


def _memory(samples: Sequence[Sample], since: float) -> float:
    """Return the median memory of all processes since a moment of the recording, in bytes."""
    return median([sample.total for sample in samples if sample.seconds >= since] or [samples[-1].total])


def _soak(options: argparse.Namespace) -> Iterator[str]:
    """Run the soak and print the table; yield a line for each failed check."""
    warm_up, outcome = Outcome(), Outcome()
    files = _draw_pages(options.seed)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        serving(options.command, Path(folder), _LIMITS) as (process, url),
        recording(process.pid, lambda: warm_up.total + outcome.total) as memory,
    ):
        log = Path(folder, "log")
        wait_until_ready(process, url, log)
        memory.mark_ready()
        port = urlsplit(url).port or 0
        pages = [_read_alone(port, file) for file in files]
        with _slow_connections(port, options.slow):
            _send_all(port, pages, options.warm_up, options.seed + 1, warm_up)
            warm = _memory(memory.samples, memory.samples[-1].seconds / 2)
            start = memory.samples[-1].seconds
            _send_all(port, pages, options.requests, options.seed + 2, outcome)
            end = memory.samples[-1].seconds
            last = _memory(memory.samples, (start + end) / 2)
        check_running(process, log, "before the last answer")
        tracebacks = log.read_text(encoding="utf-8", errors="replace").count("Traceback")
    print("| requests | number |")
    print("|---|---|")
    for kind, count in sorted(outcome.counts.items()):
        print(f"| {kind} | {count} |")
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
    parser.add_argument("--slow", type=int, default=90, help="slow and silent connections meanwhile (default: 90)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the pages and the faults (default: 0)")
    parser.add_argument("--max-growth", type=float, default=5.0, metavar="PERCENT", help="limit (default: 5)")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="command that starts the server, after --")
    options = parser.parse_args(arguments)
    return report(_soak(options))


if __name__ == "__main__":
    sys.exit(main())
