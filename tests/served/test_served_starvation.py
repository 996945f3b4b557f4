"""Clients that take what they can get, and others that have to be answered all the same."""

import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests

from tests.served.attackers import attacking, head, leave, post, receive
from tests.served.samples import as_base64, line, page
from tests.served.server import PYTHON, WAYS, Launch, Served, free_port, launch_lean, processor_time, running

pytestmark = pytest.mark.skipif("lean" not in WAYS, reason="only PPOCR_TEST_HUB is set and tested")

HELLO = as_base64(line("Hello World"))
PAGE = as_base64(page([f"Line {number} of a long page" for number in range(12)]))
HUGE = [PAGE] * 8
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nX-Slow: "
ONE_AT_A_TIME = {"PPOCR_MAX_CONCURRENCY": "1", "PPOCR_REQUEST_TIMEOUT": "600"}

UNDER_ATTACK_SECONDS = 10  # generous: without protection, there is no answer for minutes
PATIENCE_SECONDS = 120  # bounds how long a failing test hangs

Start = Callable[..., AbstractContextManager[Served]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start a server by a shell command, in which `"$@"` stands for the program and its arguments."""

    @contextmanager
    def start(command: str, **variables: str) -> Iterator[Served]:
        port = free_port()
        words = ["sh", "-c", command, "sh", PYTHON, "-m", "ppocr_serving"]
        own = {"PORT": str(port), "PPOCR_ENGINE": "openvino"}
        with running(words, port, tmp_path, **{**own, **variables}) as server:
            server.wait_until("/readyz")
            yield server

    return start


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """Start a server without PaddleHub: nothing here depends on how it was started."""
    return launch_lean(tmp_path_factory.mktemp("lean"))


@pytest.fixture(scope="module")
def single(launch: Launch) -> Iterator[Served]:
    """A server that reads for one request at a time."""
    with launch(**ONE_AT_A_TIME) as server:
        yield server


@pytest.fixture(scope="module")
def whole_time(single: Served) -> int:
    """The processor time that a huge request takes when nobody leaves, in units of the kernel."""
    worker = idle_worker(single)
    before = processor_time(worker)
    assert len(single.results("ocr_system", HUGE)) == len(HUGE)
    return processor_time(worker) - before


@pytest.fixture(scope="module")
def impatient(launch: Launch) -> Iterator[Served]:
    """A server that waits a second for what clients send."""
    with launch(PPOCR_HEADER_TIMEOUT="1", PPOCR_BODY_TIMEOUT="1") as server:
        yield server


def assert_alive(connection: socket.socket) -> None:
    """Check that a request on a connection is answered."""
    connection.sendall(HEALTH)
    received = b""
    while not received.endswith(b"\r\n\r\nok\n"):
        part = connection.recv(65536)
        assert part, f"closed after {received!r}"
        received += part
    assert received.startswith(b"HTTP/1.1 200 ")


def assert_answers(server: Served) -> None:
    """Check that others are answered under attack."""
    for path in ("/healthz", "/readyz"):
        assert requests.get(server.url + path, timeout=UNDER_ATTACK_SECONDS).status_code == 200
    images = json.dumps({"images": [HELLO]}).encode()
    answer = requests.post(
        f"{server.url}/predict/ocr_rec",
        data=images,
        headers={"Content-Type": "application/json"},
        timeout=UNDER_ATTACK_SECONDS,
    )
    assert answer.status_code == 200, answer.text


def wait_until_busy(pid: int) -> None:
    """Wait until an idle process computes."""
    before, deadline = processor_time(pid), time.monotonic() + PATIENCE_SECONDS
    while processor_time(pid) < before + 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def idle_worker(server: Served) -> int:
    """Return the only worker, once it computes no more."""
    server.wait_until_idle()
    (worker,) = server.workers()
    return worker


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Keep a process from running: what it is told to do waits."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def parts(answer: bytes) -> tuple[bytes, bytes]:
    """Return the head and the body of an answer, without the interim ones before it."""
    while answer.startswith(b"HTTP/1.1 100 "):
        answer = answer.partition(b"\r\n\r\n")[2]
    found, _, body = answer.partition(b"\r\n\r\n")
    return found, body


def test_silent_and_slow_clients_do_not_keep_others_waiting(start: Start) -> None:
    slow = [HALF_A_HEAD] * 150 + [head(1000)] * 100
    with start('ulimit -n 1024; exec "$@"') as server:
        workers = server.workers()
        with attacking(server.port, silent=700, slow=slow):
            for _ in range(3):
                assert_answers(server)
        assert_answers(server)
        assert server.workers() == workers
        assert "Traceback" not in server.log()


def test_more_connections_than_files_end_no_process_and_lose_no_request(start: Start) -> None:
    with start('ulimit -n 256; exec "$@"') as server:
        workers = server.workers()
        with closing(post(server.port, [PAGE] * 2, "Connection: close")) as begun:
            with attacking(server.port, silent=400):
                assert_answers(server)
                assert parts(receive(begun))[0].startswith(b"HTTP/1.1 200 ")
            assert_answers(server)
        assert server.workers() == workers
        assert "Traceback" not in server.log()


def test_bodies_that_arrive_slowly_do_not_take_all_room(launch: Launch) -> None:
    with launch(PPOCR_MAX_BODY_MB="1") as server:
        nearly_all = head(2**20) + b" " * (2**20 - 2**10)  # nine of these exceed the room of eight bodies
        with attacking(server.port, slow=[nearly_all] * 9):
            time.sleep(1.5)  # longer than bodies are left in peace while others need their room
            assert_answers(server)


def test_a_silent_connection_is_closed(impatient: Served) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=PATIENCE_SECONDS) as connection:
        assert receive(connection) == b""


@pytest.mark.parametrize("start_of_request", [HALF_A_HEAD, head(1000)], ids=["head", "body"])
def test_a_request_that_arrives_too_slowly_is_answered_with_408(impatient: Served, start_of_request: bytes) -> None:
    with attacking(impatient.port, slow=[start_of_request]) as (connection,):
        connection.settimeout(PATIENCE_SECONDS)
        found, body = parts(receive(connection))

    assert found.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nConnection: close" in found
    answer = json.loads(body)
    assert (answer["results"], answer["status"]) == ("", "101")
    assert "too slowly" in answer["msg"]


def test_an_idle_connection_outlives_the_time_that_a_head_may_take(impatient: Served) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=PATIENCE_SECONDS) as connection:
        for _ in range(2):
            assert_alive(connection)
            time.sleep(2.5)


@pytest.mark.parametrize("platform", [{}, {"FC_FUNCTION_NAME": "ocr"}], ids=["elsewhere", "function-compute"])
def test_idle_connections_are_closed_except_on_function_compute(launch: Launch, platform: dict[str, str]) -> None:
    with (
        launch(PPOCR_IDLE_TIMEOUT="1", **platform) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection,
    ):
        assert_alive(connection)
        if not platform:
            assert connection.recv(65536) == b""
            return
        time.sleep(3)
        assert_alive(connection)


def test_a_request_may_take_as_long_as_its_client_says(single: Served) -> None:
    (worker,) = single.workers()

    late = single.post("ocr_system", HUGE * 3, **{"X-Request-Timeout": "0.5"})
    single.wait_until_idle()
    with stopped(worker):
        never_begun = single.post("ocr_rec", [HELLO], **{"X-Request-Timeout": "0.3"})
    wrong = single.post("ocr_rec", [HELLO], **{"X-Request-Timeout": "soon"})

    assert (late.status_code, late.json()["status"]) == (504, "101")
    assert "0.5 seconds" in late.json()["msg"]
    assert "Retry-After" not in late.headers
    assert never_begun.status_code == 503, never_begun.text
    assert int(never_begun.headers["Retry-After"]) >= 1
    assert "0.3 seconds" in never_begun.json()["msg"]
    assert wrong.status_code == 400
    assert "X-Request-Timeout" in wrong.json()["msg"]
    assert single.post("ocr_rec", [HELLO], **{"X-Request-Timeout": "1e9"}).status_code == 200


def test_a_request_may_take_as_long_as_the_settings_say(launch: Launch) -> None:
    with launch(PPOCR_REQUEST_TIMEOUT="1") as server:
        (worker,) = server.workers()
        late = server.post("ocr_system", HUGE * 3, **{"X-Request-Timeout": "60"})
        server.wait_until_idle()
        with stopped(worker):
            never_begun = server.post("ocr_rec", [HELLO])

        assert (late.status_code, never_begun.status_code) == (504, 503)
        assert "Retry-After" in never_begun.headers
        assert server.post("ocr_rec", [HELLO]).status_code == 200
        assert server.workers() == [worker]


@pytest.mark.parametrize("by_reset", [False, True], ids=["close", "reset"])
def test_nothing_is_computed_for_a_client_that_has_left(single: Served, whole_time: int, by_reset: bool) -> None:
    worker = idle_worker(single)
    request_id = f"left-{time.monotonic_ns()}"
    connection = post(single.port, HUGE * 3, f"X-Request-Id: {request_id}")
    wait_until_busy(worker)
    before = processor_time(worker)

    leave(connection, by_reset=by_reset)

    log = single.wait_for_log(f"id={request_id} ")
    # Another line follows when it ends in its process.
    (entry,) = [entry for entry in log.splitlines() if f"id={request_id} module=" in entry]
    assert " module=ocr_system status=499 " in entry
    assert entry.endswith(" error=cancelled")
    single.wait_until_idle()
    assert processor_time(worker) - before < 2 * whole_time
    assert single.results("ocr_rec", [HELLO])


def test_a_client_that_has_sent_all_it_will_is_answered(single: Served) -> None:
    with closing(post(single.port, [PAGE] * 2)) as connection:
        connection.shutdown(socket.SHUT_WR)

        found, body = parts(receive(connection))

    assert found.startswith(b"HTTP/1.1 200 ")
    assert [len(items) for items in json.loads(body)["results"]] == [12] * 2


def test_a_short_request_overtakes_a_huge_one(single: Served) -> None:
    worker = idle_worker(single)
    name = f"overtaken-{time.monotonic_ns()}"
    with closing(post(single.port, HUGE * 3, f"X-Request-Id: {name}-huge", "Connection: close")) as huge:
        wait_until_busy(worker)
        assert single.post("ocr_rec", [HELLO], **{"X-Request-Id": f"{name}-short"}).status_code == 200
        assert parts(receive(huge))[0].startswith(b"HTTP/1.1 200 ")

    log = single.wait_for_log(f"id={name}-huge module=")
    assert 0 < log.find(f"id={name}-short module=") < log.index(f"id={name}-huge module=")


def test_sigterm_ends_the_wait_of_those_who_wait_and_answers_those_who_were_begun(launch: Launch) -> None:
    variables = {**ONE_AT_A_TIME, "PPOCR_DRAIN_SECONDS": "1", "PPOCR_GRACEFUL_TIMEOUT": "600"}
    with launch(**variables) as server:
        worker = idle_worker(server)
        with closing(post(server.port, [PAGE] * 3)) as begun:
            wait_until_busy(worker)
            with stopped(worker), closing(server.begin("ocr_system", [PAGE])) as waiting:
                server.process.send_signal(signal.SIGTERM)

                server_is_stopping = requests.get(f"{server.url}/readyz", timeout=60)
                assert requests.get(f"{server.url}/healthz", timeout=60).status_code == 200
                answer = waiting.getresponse()

            assert server_is_stopping.status_code == 503
            assert "stopping" in server_is_stopping.json()["msg"]
            assert (answer.status, answer.headers["Connection"]) == (503, "close")
            assert int(answer.headers["Retry-After"]) >= 1
            assert "stopping" in json.load(answer)["msg"]
            found, body = parts(receive(begun))
            assert found.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nConnection: close" in found
            assert len(json.loads(body)["results"]) == 3
        assert server.wait() == 0
        assert "Traceback" not in server.log()


def test_a_process_that_is_killed_loses_no_request(launch: Launch) -> None:
    with launch(**ONE_AT_A_TIME) as server:
        worker = idle_worker(server)
        connections = [post(server.port, [PAGE] * 2, "Connection: close") for _ in range(3)]
        wait_until_busy(worker)
        server.wait_until_all_is_read()

        os.kill(worker, signal.SIGKILL)

        for connection in connections:
            with closing(connection):
                found, body = parts(receive(connection))
                assert found.startswith(b"HTTP/1.1 200 ")
                assert [len(items) for items in json.loads(body)["results"]] == [12] * 2
        assert worker not in server.workers()


@pytest.mark.parametrize(
    ("method", "path", "content_type", "status"),
    [
        ("POST", "/nothing", "application/json", 404),
        ("POST", "/predict/nothing", "application/json", 404),
        ("POST", "/predict/ocr_system", "text/plain", 415),
        ("PUT", "/predict/ocr_system", "application/json", 405),
        ("POST", "/initialize", "application/json", 200),
    ],
)
def test_a_body_that_is_not_read_does_not_spoil_the_next_request(
    single: Served, method: str, path: str, content_type: str, status: int
) -> None:
    for size in (60_000, 200_000):
        with closing(HTTPConnection("127.0.0.1", single.port, timeout=PATIENCE_SECONDS)) as connection:
            connection.request(method, path, b"x" * size, {"Content-Type": content_type})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
            is_large = size > 2**16
            assert answer.headers["Connection"] == ("close" if is_large else None)
            assert (connection.sock is None) == is_large
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b"ok\n"


def test_the_rest_of_a_refused_body_does_not_destroy_the_answer(single: Served) -> None:
    size = 8 << 20
    with socket.create_connection(("127.0.0.1", single.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head(size, "/nothing") + b"x" * size)

        assert receive(connection).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("output", [pytest.param("full", marks=pytest.mark.thorough), "stuck", "gone"])
def test_a_log_that_cannot_be_written_changes_no_answer(start: Start, tmp_path: Path, output: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    target = "/dev/full" if output == "full" else str(pipe)
    with start(f'exec "$@" >{target} 2>&1') as server:
        os.close(writer)
        if output != "stuck":
            os.close(reader)
        try:
            for number in range(100):
                answer = requests.post(
                    f"{server.url}/predict/nothing", headers={"x-fc-request-id": f"id-{number}"}, timeout=60
                )
                assert answer.status_code == 404
            answer = server.post("ocr_rec", [HELLO], **{"x-fc-request-id": "id-last"})
            assert answer.status_code == 200, answer.text
            assert answer.headers["X-Request-Id"] == "id-last"
            assert server.stop() == 0
        finally:
            if output == "stuck":
                os.close(reader)


def test_no_answer_names_the_software(single: Served) -> None:
    answers = [
        single.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        single.raw(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        single.raw(b"no HTTP\r\n\r\n"),
    ]

    assert [answer.split()[1] for answer in answers] == [b"200", b"404", b"400"]
    for answer in answers:
        assert b"\r\nserver:" not in answer.lower()
