"""Answers in parts over real connections: their form, slow and leaving clients, ends of processes and of the server."""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.served.server import Served, free_port, running
from tests.served.streaming_server import line

PROGRAM = Path(__file__).with_name("streaming_server.py")
MEGABYTE = 2**20
SECONDS = 60  # only bounds how long a failing test hangs


@contextmanager
def streaming(home: Path, **variables: str) -> Iterator[Served]:
    """Run the program, and stop it at the end of the block."""
    port = free_port()
    path = os.pathsep.join(sys.path)
    command = [sys.executable, str(PROGRAM), str(port)]
    with running(command, port, home, **{"PYTHONPATH": path, **variables}) as server:
        server.wait_until("/readyz")
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with streaming(tmp_path_factory.mktemp("streams"), PPOCR_MAX_CONCURRENCY="1") as served:
        yield served


def body_of(parts: int, size: int = 100, then: str = "end", wait: float = 0) -> bytes:
    return json.dumps({"parts": parts, "size": size, "then": then, "wait": wait}).encode()


def raw_request(body: bytes, version: str = "1.1", headers: str = "") -> bytes:
    head = (
        f"POST /predict/ocr_system HTTP/{version}\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


def begin(server: Served, body: bytes, headers: str = "", buffer: int = 0) -> socket.socket:
    """Send a request, and return the connection over which the answer comes."""
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(SECONDS)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(raw_request(body, headers=headers))
    return connection


def answer_on(connection: socket.socket) -> HTTPResponse:
    response = HTTPResponse(connection, method="POST")
    response.begin()
    return response


def log_line(server: Served, request_id: str) -> str:
    start = f"id={request_id} module="
    return next(entry for entry in server.wait_for_log(start).splitlines() if start in entry)


def post(server: Served, body: bytes, **headers: str) -> requests.Response:
    named = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return requests.post(f"{server.url}/predict/ocr_system", data=body, headers=named, timeout=SECONDS)


@pytest.mark.parametrize("size", [100, 200_000])
def test_an_answer_in_parts_is_chunked_and_the_connection_kept(server: Served, size: int) -> None:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)) as connection:
        for _ in range(2):
            headers = {"Content-Type": "application/json", "X-Request-Id": f"whole-{size}"}
            connection.request("POST", "/predict/ocr_system", body_of(7, size), headers)
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, "chunked")
            assert answer.headers["Content-Type"] == "application/jsonl"
            assert answer.headers["Content-Length"] is None
            assert answer.headers["X-Request-Id"] == f"whole-{size}"
            assert answer.read() == b"".join(line(number, size) for number in range(7)) + b"end\n"
    entry = log_line(server, f"whole-{size}")
    assert " module=ocr_system status=200 pictures=7 " in entry
    assert "error=" not in entry


def test_a_part_arrives_as_soon_as_it_is_sent(server: Served) -> None:
    started = time.monotonic()
    with closing(begin(server, body_of(2, wait=3))) as connection:
        answer = answer_on(connection)
        assert answer.readline() == line(0, 100)
        first = time.monotonic() - started
        assert answer.read() == line(1, 100) + b"end\n"
        assert time.monotonic() - started > first + 1


def test_without_parts_an_answer_has_a_length(server: Served) -> None:
    answer = post(server, body_of(0, then="whole"))
    assert (answer.content, answer.headers["Content-Length"]) == (b"{}", "2")
    assert post(server, body_of(0)).headers["Content-Length"] == "4"


def test_an_error_before_the_first_part_has_its_own_status(server: Served) -> None:
    answer = post(server, body_of(0, then="fail"))
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_a_client_of_http_1_0_gets_the_parts_until_the_end_of_the_connection(server: Served) -> None:
    head, _, body = server.raw(raw_request(body_of(3), "1.0")).partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert b"connection: close" in head.lower()
    assert body == b"".join(line(number, 100) for number in range(3)) + b"end\n"


def test_an_event_gets_all_parts_in_one_piece(server: Served) -> None:
    event = {"path": "/predict/ocr_system", "httpMethod": "POST", "headers": {}, "body": body_of(3).decode()}
    answer = requests.post(f"{server.url}/invoke", json=event, timeout=SECONDS).json()
    assert answer["statusCode"] == 200
    assert answer["body"].encode() == b"".join(line(number, 100) for number in range(3)) + b"end\n"
    event["body"] = body_of(2, then="fail").decode()
    answer = requests.post(f"{server.url}/invoke", json=event, timeout=SECONDS).json()
    *lines, error = answer["body"].splitlines(keepends=True)
    assert [text.encode() for text in lines] == [line(0, 100), line(1, 100)]
    assert "the server failed" in json.loads(error)["msg"]


def error_after(answer: requests.Response, parts: int) -> Any:
    """Return the error that follows whole parts."""
    assert answer.status_code == 200
    *lines, error = answer.content.splitlines(keepends=True)
    assert lines == [line(number, 100) for number in range(parts)]
    return json.loads(error)


def test_a_failure_after_a_part_is_the_last_line(server: Served) -> None:
    error = error_after(post(server, body_of(3, then="fail"), X_Request_Id="failed-late"), 3)
    assert error["msg"] == "the server failed; see its log for the reason, under the id failed-late"
    entry = log_line(server, "failed-late")
    assert " status=200 pictures=3 " in entry
    assert entry.endswith("error=engine_error")


def test_the_end_of_a_process_after_a_part_is_the_last_line(server: Served) -> None:
    error = error_after(post(server, body_of(3, then="die"), X_Request_Id="died-late"), 3)
    assert "under the id died-late" in error["msg"]
    entry = log_line(server, "died-late")
    assert " status=200 " in entry
    assert entry.endswith("error=engine_error")
    assert post(server, body_of(1)).status_code == 200  # by the replacement


def test_a_deadline_after_a_part_is_the_last_line(server: Served) -> None:
    answer = post(server, body_of(3, wait=1), X_Request_Timeout="2.5", X_Request_Id="late")
    assert "the request was not finished within 2.5 seconds" in error_after(answer, 2)["msg"]
    entry = log_line(server, "late")
    assert " status=200 " in entry
    assert entry.endswith("error=deadline_exceeded")


def memory_of(server: Served) -> float:
    """Return the resident memory of the server's own process in MiB."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def test_slow_clients_cost_little_memory_and_hold_up_nobody(server: Served) -> None:
    post(server, body_of(20, 200_000))
    before = memory_of(server)
    slow = [begin(server, body_of(500, 500_000), buffer=4096) for _ in range(8)]  # 250 MB each
    time.sleep(2)
    assert memory_of(server) - before < 8 * 4
    for _ in range(3):
        assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200
        assert post(server, body_of(5)).content.endswith(b"end\n")
    quick = slow.pop()
    answer = answer_on(quick)
    assert len(answer.read()) == 500 * 500_000 + 4
    assert memory_of(server) - before < 8 * 4
    for connection in (quick, *slow):
        connection.close()


def test_a_client_that_leaves_within_an_answer_ends_it(server: Served) -> None:
    with closing(begin(server, body_of(10_000, wait=0.02), "X-Request-Id: left\r\n")) as connection:
        assert answer_on(connection).readline() == line(0, 100)
    entry = log_line(server, "left")
    assert " status=200 " in entry
    assert entry.endswith("error=cancelled")


def test_a_client_that_takes_nothing_and_leaves_ends_its_answer(server: Served) -> None:
    with closing(begin(server, body_of(500, 500_000), "X-Request-Id: left-full\r\n", buffer=4096)):
        time.sleep(0.5)
    assert log_line(server, "left-full").endswith("error=cancelled")


def test_the_answer_of_a_client_that_takes_nothing_ends_at_its_deadline(server: Served) -> None:
    headers = "X-Request-Id: nothing-taken\r\nX-Request-Timeout: 1\r\n"
    with closing(begin(server, body_of(500, 500_000), headers, buffer=4096)) as connection:
        entry = log_line(server, "nothing-taken")
        assert " status=200 " in entry
        assert entry.endswith("error=deadline_exceeded")
        received = answer_on(connection).read()  # what was on its way, and the error
    *lines, error = received.splitlines(keepends=True)
    assert lines == [line(number, 500_000) for number in range(len(lines))]
    assert len(lines) < 500
    assert "the answer was not taken within 1 seconds" in json.loads(error)["msg"]


def test_slow_clients_give_up_their_places_to_others(tmp_path: Path) -> None:
    with streaming(tmp_path, PPOCR_MAX_CONCURRENCY="1") as server:
        slow = [begin(server, body_of(500, 500_000), buffer=4096) for _ in range(17)]  # all that a process takes
        time.sleep(1)
        assert post(server, body_of(5)).content.endswith(b"end\n")
        for connection in slow:
            connection.close()
        assert server.wait_for_log("error=overloaded")


def test_a_request_and_its_page_have_deadlines(tmp_path: Path) -> None:
    with streaming(tmp_path, PPOCR_REQUEST_TIMEOUT="2") as server:
        answer = post(server, body_of(2, then="late"))
        # Without a door for documents, the request has no more time than a page.
        assert "the request was not finished within 2 seconds" in error_after(answer, 2)["msg"]


def test_sigterm_lets_a_stream_end(tmp_path: Path) -> None:
    with streaming(tmp_path, PPOCR_GRACEFUL_TIMEOUT="600") as server:
        with closing(begin(server, body_of(4, wait=0.5))) as connection:
            answer = answer_on(connection)
            assert answer.readline() == line(0, 100)
            server.process.send_signal(signal.SIGTERM)
            assert answer.read() == b"".join(line(number, 100) for number in (1, 2, 3)) + b"end\n"
        assert server.wait() == 0


def test_sigterm_ends_a_stream_that_outlasts_the_graceful_timeout(tmp_path: Path) -> None:
    with streaming(tmp_path, PPOCR_GRACEFUL_TIMEOUT="1") as server:
        with closing(begin(server, body_of(1000, wait=0.2))) as connection:
            answer = answer_on(connection)
            assert answer.readline() == line(0, 100)
            server.process.send_signal(signal.SIGTERM)
            *_, error = answer.read().splitlines()
            assert "the server is stopping" in json.loads(error)["msg"]
        assert server.wait() == 0
        assert "Traceback" not in server.log()


def test_sigterm_waits_for_no_client_that_takes_nothing(tmp_path: Path) -> None:
    with streaming(tmp_path, PPOCR_GRACEFUL_TIMEOUT="1") as server:
        with closing(begin(server, body_of(500, 500_000), buffer=4096)):
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            assert server.wait() == 0
        assert "Traceback" not in server.log()


def test_a_quick_client_loses_nothing_beside_slow_ones(server: Served) -> None:
    answers: list[bytes] = []

    def ask() -> None:
        answers.append(post(server, body_of(50, 50_000)).content)

    slow = [begin(server, body_of(500, 500_000), buffer=4096) for _ in range(4)]
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = b"".join(line(number, 50_000) for number in range(50)) + b"end\n"
    assert answers == [whole] * 4
    for connection in slow:
        connection.close()
