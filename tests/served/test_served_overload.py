"""More requests than there is room for, and models that are not loaded yet."""

import os
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPException

import pytest
import requests

from tests.served.samples import as_base64, line, page
from tests.served.server import Launch, Served

HELLO = as_base64(line("Hello World"))
LARGE = [as_base64(page([f"Line {number} of a long page" for number in range(12)]))] * 8


def assert_busy(answer: requests.Response, *words: str) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    body = answer.json()
    assert (body["results"], body["status"]) == ("", "101")
    assert body["msg"].count("\n") == 0
    for word in words:
        assert word in body["msg"]


def test_a_full_queue_refuses_at_once_and_the_others_are_answered(launch: Launch) -> None:
    with (
        launch(PPOCR_MAX_CONCURRENCY="1", PPOCR_MAX_QUEUE="1") as server,
        ThreadPoolExecutor(8) as clients,
    ):
        answers = list(clients.map(lambda _: server.post("ocr_system", LARGE), range(8)))

        statuses = Counter(answer.status_code for answer in answers)
        assert statuses.keys() == {200, 503}
        assert statuses[200] >= 2  # one running and one waiting
        for answer in answers:
            if answer.status_code == 503:
                assert_busy(answer, "1 requests are waiting", "try again later")
            else:
                assert len(answer.json()["results"]) == len(LARGE)
        assert server.post("ocr_rec", [HELLO]).status_code == 200


def test_a_request_that_waits_too_long_is_refused(launch: Launch) -> None:
    # Starts with until="/readyz": a request that waits for the models as well would be refused.
    with (
        launch(PPOCR_MAX_CONCURRENCY="1", PPOCR_QUEUE_TIMEOUT="0.05") as server,
        ThreadPoolExecutor(6) as clients,
    ):
        answers = list(clients.map(lambda _: server.post("ocr_system", LARGE), range(6)))

        refused = [answer for answer in answers if answer.status_code != 200]
        assert 0 < len(refused) < 6
        for answer in refused:
            assert_busy(answer, "0.05 seconds", "try again later")
        assert server.post("ocr_rec", [HELLO]).status_code == 200


def test_the_total_size_of_request_bodies_is_limited(launch: Launch) -> None:
    """Received bytes count, in chunks of 256 KiB; there is room for eight bodies of the largest size."""
    head = (
        "POST /predict/ocr_rec HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {1 << 20}\r\n\r\n"
    )
    with launch(PPOCR_MAX_BODY_MB="1") as server:
        connections = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(11)]
        try:
            for connection in connections:
                connection.sendall(head.encode())
            assert server.post("ocr_rec", [HELLO]).status_code == 200  # a declared length alone takes no room
            for connection, chunks in zip(connections, [3] * 10 + [2], strict=True):
                connection.sendall(b" " * (chunks << 18))
            server.wait_until_all_is_read()
            assert_busy(server.post("ocr_rec", [HELLO]), "request bodies")
        finally:
            for connection in connections:
                connection.close()
        deadline = time.monotonic() + 60
        while server.post("ocr_rec", [HELLO]).status_code != 200:
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.05)


def test_the_process_is_alive_but_not_ready_until_the_models_are_loaded(launch: Launch) -> None:
    with launch(until="/healthz", PPOCR_QUEUE_TIMEOUT="0.01") as server:
        ready = requests.get(f"{server.url}/readyz", timeout=60)
        answer = server.post("ocr_rec", [HELLO])

        assert_busy(ready, "models are still being loaded")
        assert_busy(answer, "models are still being loaded")
        server.wait_until("/readyz")
        assert server.post("ocr_rec", [HELLO]).status_code == 200


def test_a_request_waits_until_the_models_are_loaded(launch: Launch) -> None:
    with launch(until="/healthz") as server:
        assert requests.get(f"{server.url}/readyz", timeout=60).status_code == 503
        assert server.post("ocr_rec", [HELLO]).status_code == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_is_killed_is_replaced(launch: Launch, workers: int) -> None:
    with launch(workers) as server, closing(server.begin("ocr_system", LARGE)) as lost:
        before = server.workers()
        for worker in before:
            os.kill(worker, signal.SIGKILL)

        with pytest.raises((HTTPException, OSError)):
            lost.getresponse()
        deadline = time.monotonic() + 60
        while len(server.workers()) < len(before) or not set(before).isdisjoint(server.workers()):
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.05)
        server.wait_until("/readyz")
        assert_reads(server)


def assert_reads(server: Served) -> None:
    ((item,),) = server.results("ocr_rec", [HELLO])
    assert item["text"].replace(" ", "") == "HelloWorld"
