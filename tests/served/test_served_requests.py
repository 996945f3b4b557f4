"""Everything around the answers: log, request ids, concurrent clients, connections, health, faults."""

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests

from ppocr_serving.settings import ServerSettings
from tests.served.samples import as_base64, line, page
from tests.served.server import ROOT, Served, free_port, running

pytestmark = pytest.mark.thorough_with_hub

HELLO = as_base64(line("Hello World"))
LOG_LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO id=(?P<id>\S+) module=(?P<module>\S+) status=(?P<status>\d+) "
    r"pictures=(?P<pictures>\d+) pixels=(?P<pixels>\d+) lines=(?P<lines>\d+)( reread=\d+)? ms=(?P<ms>[\d.]+)"
    r"(?P<stages>( \w+=[\d.]+)*)( error=\w+)?"
)
AT_A_TIME = ServerSettings().max_concurrency + ServerSettings().max_queue
HALF_A_REQUEST = (
    b"POST /predict/ocr_rec HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000\r\n\r\n{"images": ["iVBOR'
)


def logged(served: Served, request_id: str) -> re.Match[str]:
    """Return the only log line of a request."""
    served.wait_for_log(f"id={request_id} module=")
    (entry,) = [entry for entry in served.request_lines() if f"id={request_id} " in entry]
    match = LOG_LINE.fullmatch(entry)
    assert match, entry
    return match


def test_a_request_is_logged_in_one_line_with_counts_and_times(served: Served) -> None:
    answer = served.post("ocr_system", [as_base64(page(["Invoice 2024", "Total 318.50"])), as_base64(page([]))])

    entry = logged(served, answer.headers["X-Request-Id"])
    pixels = 640 * 200 + 640 * 120
    assert entry["module"] == "ocr_system"
    assert [int(entry[key]) for key in ("status", "pictures", "pixels", "lines")] == [200, 2, pixels, 2]
    stages = {name: float(value) for name, value in re.findall(r" (\w+)=([\d.]+)", entry["stages"])}
    assert {"decode", "det_prepare", "det_engine", "det_decode", "crop", "rec_engine", "rec_decode"} < stages.keys()
    assert 0 < sum(stages.values()) <= float(entry["ms"]) + 0.1 * len(stages)  # each is rounded


def test_a_refused_request_is_logged_in_one_line_too(served: Served) -> None:
    answer = served.post("made_up", ["A"])
    entry = logged(served, answer.headers["X-Request-Id"])
    assert (entry["module"], entry["status"]) == ("-", "404")

    answer = served.post("ocr_det", ["A"])
    entry = logged(served, answer.headers["X-Request-Id"])
    assert (entry["module"], entry["status"], entry["stages"]) == ("ocr_det", "400", "")


@pytest.mark.parametrize("header", ["x-fc-request-id", "x-scf-request-id", "X-Request-Id"])
def test_the_platforms_request_id_is_used(served: Served, header: str) -> None:
    request_id = f"{header}.{time.monotonic_ns()}"

    answer = served.post("ocr_rec", [HELLO], **{header: request_id})

    assert answer.headers["X-Request-Id"] == request_id
    assert logged(served, request_id)["status"] == "200"


def test_the_platforms_request_id_takes_precedence_over_the_clients(served: Served) -> None:
    ids = {"X-Request-Id": "of-the-client", "x-fc-request-id": f"of-the-platform-{time.monotonic_ns()}"}

    assert served.post("ocr_rec", [HELLO], **ids).headers["X-Request-Id"] == ids["x-fc-request-id"]


@pytest.mark.parametrize(
    "hostile", ["two words", "x status=200", "a=b", "\x1b[31mred", "x" * 65, "字", "", "%0Aid=forged", "<script>"]
)
def test_a_hostile_id_is_replaced(served: Served, hostile: str) -> None:
    answer = requests.post(
        f"{served.url}/predict/ocr_rec", json={}, headers={"X-Request-Id": hostile.encode("utf-8")}, timeout=60
    )

    # An escape sequence is not a valid HTTP header in the first place.
    generated = answer.headers.get("X-Request-Id", "")
    assert re.fullmatch("[0-9a-f]{32}", generated) or (answer.status_code == 400 and not generated)
    if hostile:
        assert hostile not in served.log()


def test_pictures_and_secrets_are_not_logged(served: Served) -> None:
    secrets = {
        "x-fc-access-key-secret": "fc-key-hush",
        "x-fc-security-token": "fc-token-hush",
        "x-scf-secret-key": "scf-key-hush",
        "Authorization": "Bearer hush",
        "Cookie": "session=hush",
    }
    answers = [
        served.post("ocr_system", [HELLO], **secrets),
        served.post("ocr_system", ["hush"], **secrets),
        requests.post(f"{served.url}/predict/ocr_system?token=hush", data=b"hush", headers=secrets, timeout=60),
        requests.get(f"{served.url}/hush?token=hush", headers=secrets, timeout=60),
    ]
    malformed = served.raw(b"GET / HTTP/1.1\r\nAuthorization : Bearer hush\r\n\r\n")

    assert [answer.status_code for answer in answers] == [200, 400, 415, 404]
    assert malformed.startswith(b"HTTP/1.1 400 ")
    logged(served, answers[2].headers["X-Request-Id"])
    log = served.log()
    assert "hush" not in log
    assert "Hello" not in log
    assert HELLO[:40] not in log


def test_concurrent_clients_each_get_their_own_answer(served: Served) -> None:
    def read(number: int) -> tuple[str, str]:
        wanted = f"Client {number * 37 % 100:02d}{number:02d}"
        picture = as_base64(page([wanted]) if number % 2 else line(wanted))
        result = served.results("ocr_system" if number % 2 else "ocr_rec", [picture])
        return wanted.replace(" ", ""), result[0][0]["text"].replace(" ", "")

    with ThreadPoolExecutor(20) as clients:
        for wanted, got in clients.map(read, range(40)):
            assert got == wanted


def test_a_connection_is_reused_after_errors_and_idle_time(served: Served) -> None:
    body = json.dumps({"images": [HELLO]})
    connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.connect()
    first = connection.sock

    # An error in between must not close the connection either, and idle connections are checked twice a second.
    for content, status, idle in [(body, 200, 0.0), ("{}", 400, 2.5), (body, 200, 0.0)]:
        time.sleep(idle)
        connection.request("POST", "/predict/ocr_rec", content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == status
        answer.read()
        assert connection.sock is first
    connection.close()


def test_health_is_answered_while_pictures_are_read(served: Served) -> None:
    large = [as_base64(page([f"Line {number} of a long page" for number in range(12)]))] * 2
    with ThreadPoolExecutor(2) as clients:
        working = [clients.submit(served.results, "ocr_system", large) for _ in range(2)]
        answered = 0
        while not all(work.done() for work in working):
            assert requests.get(f"{served.url}/healthz", timeout=60).text == "ok\n"
            assert requests.get(f"{served.url}/readyz", timeout=60).text == "ready\n"
            answered += not any(work.done() for work in working)
            time.sleep(0.05)
        assert all(len(work.result()) == 2 for work in working)
    assert answered >= 2


def test_clients_that_fall_silent_do_not_hold_up_others(served: Served) -> None:
    silent = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(16)]
    try:
        for number, connection in enumerate(silent):
            connection.sendall(HALF_A_REQUEST[: len(HALF_A_REQUEST) - 40 * (number % 3)])
        time.sleep(0.2)

        assert served.results("ocr_rec", [HELLO])
    finally:
        for connection in silent:
            connection.close()


def test_an_idle_connection_is_kept(served: Served) -> None:
    connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok\n"
    before = connection.sock

    time.sleep(3)
    connection.request("GET", "/healthz")

    assert connection.getresponse().read() == b"ok\n"
    assert connection.sock is before
    connection.close()
    assert ServerSettings().idle_timeout > 15 * 60  # platforms reuse a connection that has been idle for that long


def test_silent_connections_are_no_requests(served: Served) -> None:
    silent = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(3 * AT_A_TIME)]
    try:
        assert requests.get(f"{served.url}/healthz", timeout=4).status_code == 200
        assert served.results("ocr_rec", [HELLO])
    finally:
        for connection in silent:
            connection.close()


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server of `faulty_server.py`, warmed up."""
    port = free_port()
    program = str(Path(__file__).with_name("faulty_server.py"))
    home = tmp_path_factory.mktemp("faulty")
    with running([sys.executable, program, str(port)], port, home, PYTHONPATH=str(ROOT)) as server:
        server.wait_until("/readyz")
        yield server


def test_an_internal_error_is_detailed_in_the_log_but_not_to_the_client(faulty: Served) -> None:
    answer = faulty.post("ocr_rec", [HELLO])

    assert answer.status_code == 500
    error = answer.json()
    request_id = answer.headers["X-Request-Id"]
    assert (error["results"], error["status"]) == ("", "101")
    assert request_id in error["msg"]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert logged(faulty, request_id)["status"] == "500"
    log = faulty.log()
    assert log.index(f"ERROR id={request_id} ") < log.index("Traceback") < log.index("the secret reason of the fault")
    assert requests.get(f"{faulty.url}/healthz", timeout=60).status_code == 200


def test_a_client_that_falls_silent_in_a_body_is_cut_off(faulty: Served) -> None:
    before = faulty.log().count("Traceback")

    answer = faulty.raw(HALF_A_REQUEST)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "101"
    assert faulty.log().count("Traceback") == before


def test_a_client_that_falls_silent_in_a_header_is_cut_off(faulty: Served) -> None:
    before = faulty.log().count("Traceback")

    answer = faulty.raw(b"POST /predict/ocr_rec HTTP/1.1\r\nHost: local")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "101"
    assert faulty.log().count("Traceback") == before


def test_a_client_that_disconnects_does_not_disturb_others(served: Served) -> None:
    before = served.log().count("Traceback")
    body = json.dumps({"images": [as_base64(page(["Never read"]))] * 4}).encode()
    head = (
        b"POST /predict/ocr_system HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    for sent in (len(body), len(body) // 2):
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.sendall(head % len(body) + body[:sent])

    assert served.results("ocr_rec", [HELLO])
    assert served.log().count("Traceback") == before


def test_a_normal_run_prints_no_warning_and_no_traceback(served: Served) -> None:
    threads = [threading.Thread(target=served.results, args=(module, [HELLO])) for module in ("ocr_cls", "ocr_rec")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    log = served.log()
    assert "Warning" not in log
    assert "Traceback" not in log
