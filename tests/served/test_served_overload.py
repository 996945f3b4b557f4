"""More requests than there is room for, and models that are not loaded yet."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import closing, contextmanager

import pytest
import requests

from tests.served.samples import as_base64, line, page
from tests.served.server import Launch, Served, loading

HELLO = as_base64(line("Hello World"))
LARGE = [as_base64(page([f"Line {number} of a long page" for number in range(12)]))] * 3


def assert_busy(answer: requests.Response, *words: str) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    body = answer.json()
    assert (body["results"], body["status"]) == ("", "101")
    assert body["msg"].count("\n") == 0
    for word in words:
        assert word in body["msg"]


@contextmanager
def stopped(server: Served) -> Iterator[None]:
    """Keep the only worker from running: nothing is answered with 200 meanwhile."""
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


@pytest.mark.thorough_with_hub
def test_a_full_queue_refuses_at_once_and_the_others_are_answered(launch: Launch) -> None:
    with (
        launch(PPOCR_MAX_CONCURRENCY="1", PPOCR_MAX_QUEUE="1") as server,
        ThreadPoolExecutor(8) as clients,
    ):
        with stopped(server):
            answers = [clients.submit(server.post, "ocr_system", LARGE[:1]) for _ in range(8)]
            assert_busy(next(as_completed(answers)).result(), "the queue is full (1 may wait)", "try again later")

        statuses = Counter(answer.result().status_code for answer in answers)
        assert statuses.keys() == {200, 503}
        assert statuses[200] >= 2  # one running and one waiting
        for answer in map(Future.result, answers):
            if answer.status_code == 503:
                assert_busy(answer, "the queue is full (1 may wait)", "try again later")
            else:
                assert len(answer.json()["results"]) == 1
        assert server.post("ocr_rec", [HELLO]).status_code == 200


@pytest.mark.thorough_with_hub
def test_a_request_that_waits_too_long_is_refused(launch: Launch) -> None:
    # Starts with until="/readyz": a request that waits for the models as well would be refused.
    with (
        launch(PPOCR_MAX_CONCURRENCY="1", PPOCR_QUEUE_TIMEOUT="0.5") as server,
        ThreadPoolExecutor(3) as clients,
    ):
        answers = list(clients.map(lambda _: server.post("ocr_system", LARGE * 2), range(3)))

        refused = [answer for answer in answers if answer.status_code != 200]
        assert 0 < len(refused) < 3
        for answer in refused:
            assert_busy(answer, "0.5 seconds", "try again later")
        assert server.post("ocr_rec", [HELLO]).status_code == 200


@pytest.mark.thorough_with_hub
def test_the_total_size_of_request_bodies_is_limited(launch: Launch) -> None:
    """There is room for eight bodies of the largest size, those of waiting requests included."""
    body = json.dumps({"images": [HELLO]}).encode().ljust(1 << 20)
    with launch(PPOCR_MAX_BODY_MB="1") as server, ThreadPoolExecutor(9) as clients:
        with stopped(server):
            answers = [clients.submit(post_body, server, body) for _ in range(9)]
            refused = next(as_completed(answers))

        assert_busy(refused.result(), "room")
        assert sorted(answer.result().status_code for answer in answers) == [200] * 8 + [503]
        assert server.post("ocr_rec", [HELLO]).status_code == 200


def post_body(server: Served, body: bytes) -> requests.Response:
    return requests.post(
        f"{server.url}/predict/ocr_rec", data=body, headers={"Content-Type": "application/json"}, timeout=60
    )


@pytest.mark.thorough_with_hub
def test_the_process_is_alive_but_not_ready_until_the_models_are_loaded(launch: Launch) -> None:
    with loading(launch, PPOCR_QUEUE_TIMEOUT="0.5") as server:
        ready = requests.get(f"{server.url}/readyz", timeout=60)
        answer = server.post("ocr_rec", [HELLO])

        assert_busy(ready, "models are still being loaded")
        assert_busy(answer, "models are still being loaded")
        os.kill(server.workers()[0], signal.SIGCONT)
        server.wait_until("/readyz")
        assert server.post("ocr_rec", [HELLO]).status_code == 200


@pytest.mark.thorough_with_hub
def test_a_request_waits_until_the_models_are_loaded(launch: Launch) -> None:
    with loading(launch) as server, ThreadPoolExecutor(1) as client:
        assert requests.get(f"{server.url}/readyz", timeout=60).status_code == 503
        answer = client.submit(server.post, "ocr_rec", [HELLO])
        assert not wait([answer], timeout=0.5).done
        os.kill(server.workers()[0], signal.SIGCONT)
        assert answer.result().status_code == 200


@pytest.mark.thorough_with_hub
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_a_worker_that_is_killed_is_replaced_and_its_request_answered(launch: Launch, workers: int) -> None:
    with launch(workers) as server, closing(server.begin("ocr_system", LARGE)) as begun:
        before = server.workers()
        for number in (signal.SIGSTOP, signal.SIGKILL):  # none begins with the request of another one and dies of it
            for worker in before:
                os.kill(worker, number)

        answer = begun.getresponse()
        assert answer.status == 200
        assert len(json.load(answer)["results"]) == len(LARGE)
        deadline = time.monotonic() + 60
        while len(server.workers()) < len(before) or not set(before).isdisjoint(server.workers()):
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.05)
        server.wait_until("/readyz")
        assert_reads(server)


def assert_reads(server: Served) -> None:
    ((item,),) = server.results("ocr_rec", [HELLO])
    assert item["text"].replace(" ", "") == "HelloWorld"
