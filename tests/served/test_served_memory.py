"""Processes above the memory limit are replaced, and clients that send requests meanwhile do not notice."""

import json
import random
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.served.samples import as_base64, page
from tests.served.server import MULTIPROCESS, Served, has_ended, serving

TEXTS = ("Hello World", "Replaced", "Kept alive")
TOO_LOW = "1"  # below what a process needs: the limit is then a quarter above its size when ready
CLIENTS = 8
PATIENCE_SECONDS = 300  # bounds how long a failing test hangs
LONG = {"PPOCR_GRACEFUL_TIMEOUT": "600"}  # longer than `Served.wait` waits, so that no test depends on it

REPLACED = re.compile(r"process (\d+) has (\d+) MB, more than the limit of (\d+) ")
EMPTY = as_base64(Image.new("RGB", (64, 64), "white"))
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def replaced(server: Served) -> list[int]:
    """Return the processes that were replaced, in order."""
    return [int(pid) for pid, _, _ in REPLACED.findall(server.log())]


def wait_for(condition: Callable[[], bool], server: Served) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.02)


def pass_the_limit(server: Served) -> None:
    """Make the only process large and old enough to be replaced: each new picture size takes memory."""
    for _ in range(32):
        server.results("ocr_system", [EMPTY])
    for number, width in enumerate(range(960, 320, -32)):
        if replaced(server):
            return
        # Lines of few and of many letters, so that the recogniser meets new sizes as well.
        lines = ["Many lines, " * (1 + (number + line) % 3) for line in range(12)]
        server.results("ocr_system", [as_base64(page(lines).resize((width, 1000)))])
        time.sleep(0.05)
    pytest.fail(f"the process never grew enough: {server.log()}")


def talk(connection: socket.socket, requests_at_once: int) -> None:
    """Send requests in one go and read an answer to each."""
    connection.sendall(HEALTH * requests_at_once)
    received = b""
    while received.count(b"\r\n\r\nok\n") < requests_at_once:
        part = connection.recv(65536)
        assert part, f"closed after {received!r}"
        received += part
    assert received.count(b"HTTP/1.1 200 OK\r\n") == requests_at_once


class Client:
    """Send pictures of all sizes, one after the other, on one connection that is never reopened."""

    def __init__(self, server: Served, seed: int) -> None:
        self._random = random.Random(seed)
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
        self._connection.connect()
        self._connection.auto_open = 0

    def run(self, stop: threading.Event) -> None:
        """Send requests until `stop` is set."""
        with closing(self._connection):
            while not stop.is_set():
                self._read(self._random.choices(TEXTS, k=self._random.choice((1, 1, 1, 1, 1, 12))))
                # Occasional pauses, so that requests also come after an idle period.
                time.sleep(self._random.choice((0, 0, 0, 0.2)))

    def _read(self, lines: Sequence[str]) -> None:
        picture = page(lines, self._random.randint(24, 48))
        if self._random.random() < 0.2:  # a large picture, for which any engine needs a hundred megabytes
            large = Image.new("RGB", (1000, max(1000, picture.height)), "white")
            large.paste(picture)
            picture = large
        body = json.dumps({"images": [as_base64(picture)]})
        self._connection.request("POST", "/predict/ocr_system", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        (items,) = json.loads(content)["results"]
        assert [item["text"].replace(" ", "") for item in items] == [text.replace(" ", "") for text in lines]


def pipeline(server: Served, stop: threading.Event) -> None:
    """A client that does not wait for an answer before it sends the next request."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        while not stop.is_set():
            talk(connection, 3)
            time.sleep(0.1)


def drive(server: Served, replacements: int) -> None:
    """Run clients until this many processes have been replaced, and the last replacement is there."""
    workers = len(server.workers())

    def is_over() -> bool:
        return len(replaced(server)) >= replacements and len(set(server.workers()) - set(replaced(server))) == workers

    stop = threading.Event()
    clients = [Client(server, seed) for seed in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        working = [pool.submit(client.run, stop) for client in clients]
        working.append(pool.submit(pipeline, server, stop))
        try:
            wait_for(lambda: is_over() or any(work.done() for work in working), server)
        finally:
            stop.set()
        for work in working:
            work.result()


@pytest.mark.parametrize(
    ("mode", "workers"),
    [pytest.param((), 1, id="default"), pytest.param(MULTIPROCESS, 2, id="multiprocess", marks=pytest.mark.thorough)],
)
def test_no_request_is_lost_while_processes_are_replaced(hub_home: Path, mode: tuple[str, ...], workers: int) -> None:
    with serving(hub_home, *mode, modules=["ocr_system"], PPOCR_MAX_MEMORY_MB=TOO_LOW) as server:
        first = server.workers()
        assert len(first) == workers
        # A connection that is idle while processes come and go.
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as idle:
            talk(idle, 1)
            drive(server, 2)
            talk(idle, 1)
        assert server.stop() == 0

    log = server.log()
    gone = replaced(server)
    assert len(gone) >= 2
    assert len(set(gone)) == len(gone)
    assert gone[0] in first
    assert all(int(used) >= int(limit) > 100 for _, used, limit in REPLACED.findall(log))
    (warning,) = [entry for entry in log.splitlines() if "WARNING" in entry]
    assert "PPOCR_MAX_MEMORY_MB is 1, but a process has" in warning
    for word in ("Traceback", "ERROR", "CRITICAL", "was sent"):
        assert word not in log


@pytest.mark.parametrize("moment", ["retires", "starts"])
def test_sigterm_during_a_replacement_ends_the_server(hub_home: Path, moment: str) -> None:
    with serving(hub_home, modules=["ocr_system"], PPOCR_MAX_MEMORY_MB=TOO_LOW, **LONG) as server:
        with requests.Session() as idle:
            idle.get(f"{server.url}/healthz", timeout=PATIENCE_SECONDS)
            pass_the_limit(server)
            (old,) = replaced(server)
            if moment == "starts":
                wait_for(lambda: set(server.workers()) not in ({old}, set()), server)
            processes = {old, *server.workers()}

            server.process.send_signal(signal.SIGTERM)

            assert server.wait() == 0
        for word in ("Traceback", "FatalError", "ERROR"):
            assert word not in server.log()
        assert all(has_ended(process) for process in processes)


def test_a_body_that_arrives_slowly_outlives_the_process_that_is_replaced(hub_home: Path) -> None:
    body = json.dumps({"images": [as_base64(page(["Slowly"]))]}).encode()
    head = (
        "POST /predict/ocr_system HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with (
        serving(hub_home, modules=["ocr_system"], PPOCR_MAX_MEMORY_MB=TOO_LOW) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as slow,
        ThreadPoolExecutor(1) as other,
    ):
        (old,) = server.workers()
        rest = iter(body)
        slow.sendall(head)
        pass_the_limit(server)
        answer = other.submit(server.post, "ocr_system", [as_base64(page(["At once"]))])
        while not answer.done():
            slow.sendall(bytes([next(rest)]))
            time.sleep(0.1)

        assert answer.result().status_code == 200
        wait_for(lambda: len(server.workers()) == 1 and old not in server.workers(), server)
        slow.sendall(bytes(rest))
        received = b"".join(iter(lambda: slow.recv(65536), b""))
        assert received.startswith(b"HTTP/1.1 200 ")
        assert b"Slowly" in received
        assert server.stop() == 0
