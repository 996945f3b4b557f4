"""Doors for documents and for answers in parts, in process: the application, and workers with plain functions."""

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ppocr_serving.errors import EngineError, Overloaded
from ppocr_serving.settings import ServerSettings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web import answers as answers_module
from ppocr_serving.web import app as app_module
from ppocr_serving.web import doors
from ppocr_serving.web.answers import Answers
from ppocr_serving.web.app import Application
from ppocr_serving.web.call import Call
from ppocr_serving.web.doors import Door
from ppocr_serving.web.log import LogStream
from ppocr_serving.web.responses import Response, error_response
from ppocr_serving.workers.messages import Head, Job, Reply
from ppocr_serving.workers.outlet import Outlet
from tests.asgi import Answer, ask
from tests.workers.pools import reply, running, until

SETTINGS = ServerSettings(request_timeout=20, document_timeout=300)


def accept(_head: Head) -> None:
    """Let every request in."""


def mark(error: BaseException, request_id: str) -> bytes:
    return f"{type(error).__name__} in {request_id}\n".encode()


DOCUMENTS = Door("documents", accept, error_response, mark, takes_documents=True)


@pytest.fixture(autouse=True)
def _door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "DOORS", {**doors.DOORS, "/documents": DOCUMENTS})


@pytest.fixture
def output(tmp_path: Any) -> Iterator[LogStream]:
    with (tmp_path / "output").open("wb") as file:
        yield LogStream(file.fileno())


def asked(output: LogStream, answer: Any, requests: Iterable[tuple[str, dict[str, str]]]) -> list[Answer]:
    """Return the answers to requests, given as path and headers, one after the other."""

    async def run() -> list[Answer]:
        async with running(answer) as served:
            application = Application(served.pool, ["ocr_system"], SETTINGS, output)
            answers = []
            for path, headers in requests:
                got = await ask(application, "POST", path, [b"{}"], {"Content-Type": "application/json", **headers})
                assert got is not None
                answers.append(got)
            return answers

    return asyncio.run(run())


def test_a_document_has_the_time_of_many_pages(output: LogStream) -> None:
    def tell_times(job: Job, _body: memoryview, _watch: Stopwatch) -> Reply:
        return reply(job, json.dumps([job.seconds, job.page_seconds]).encode())

    answers = asked(
        output,
        tell_times,
        [
            ("/predict/ocr_system", {}),
            ("/documents", {}),
            ("/documents", {"X-Request-Timeout": "100"}),
            ("/documents", {"X-Request-Timeout": "1000"}),
            ("/predict/ocr_system", {"X-Request-Timeout": "100"}),
            ("/invoke", {}),
        ],
    )
    assert [answer.json for answer in answers] == [[20, 20], [300, 20], [100, 20], [300, 20], [20, 20], [20, 20]]


def test_a_door_says_how_an_answer_in_parts_ends_in_an_error(
    output: LogStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(call: Call) -> Response:
        sink = call.stream(206, (("Content-Type", "text/plain"),))
        if call.request_id == "early":
            raise EngineError("broken")
        call.next_page()
        sink.send(b"first\n")
        if call.request_id == "late":
            raise EngineError("broken")
        return sink.end(b"last\n")

    monkeypatch.setattr(answers_module, "_function_behind", lambda _: read)
    answers = Answers({}, SETTINGS)

    def answer(job: Job, body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        return answers(job, body, watch, outlet)

    names = ("whole", "late", "early")
    whole, late, early = asked(output, answer, [("/documents", {"X-Request-Id": name}) for name in names])
    assert (whole.status, whole.body) == (206, b"first\nlast\n")
    assert (whole.headers["Content-Type"], whole.headers["X-Request-Id"]) == ("text/plain", "whole")
    assert "Content-Length" not in whole.headers
    assert (late.status, late.body) == (206, b"first\nEngineError in late\n")
    assert early.status == 500
    assert early.headers["Content-Length"] == str(len(early.body))


def test_a_gateways_event_gets_the_parts_in_one_piece(output: LogStream, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(call: Call) -> Response:
        sink = call.stream(200, (("Content-Type", "text/plain"),))
        for _ in range(20):
            call.next_page()
            sink.send(b"part\n")
        if bytes(call.body) == b"fail":
            raise EngineError("broken")
        return sink.end()

    monkeypatch.setattr(answers_module, "_function_behind", lambda _: read)
    answers = Answers({}, SETTINGS)

    def answer(job: Job, _body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        what = job.request_id
        event = msgspec.json.encode({"path": "/documents", "httpMethod": "POST", "headers": {}, "body": what})
        return answers(job, memoryview(event), watch, outlet)

    whole, failed = asked(output, answer, [("/invoke", {"X-Request-Id": what}) for what in ("read", "fail")])
    assert whole.json["statusCode"] == 200
    assert whole.json["headers"] == {"Content-Type": "text/plain"}
    assert whole.json["body"] == "part\n" * 20
    assert failed.json["body"] == "part\n" * 20 + "EngineError in fail\n"


def test_parts_that_are_not_taken_in_time_are_dropped_for_the_error(
    output: LogStream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app_module, "_LAST_PARTS_SECONDS", 0.2)
    sent: list[bytes] = []

    def answer(job: Job, _body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        for part in (b"first\n", b"second\n"):
            outlet.send(part)
        return reply(job, b"last\n")

    async def run() -> None:
        arrived = False

        async def receive() -> dict[str, Any]:
            nonlocal arrived
            if arrived:
                await asyncio.Event().wait()
            arrived = True
            return {"type": "http.request", "body": b"{}"}

        async def send(message: dict[str, Any]) -> None:
            if message.get("body") == b"second\n":
                await asyncio.Event().wait()  # as if the connection took no more
            sent.append(message.get("body", b""))

        headers = [(b"x-request-timeout", b"0.3"), (b"x-request-id", b"slow")]
        async with running(answer) as served:
            application = Application(served.pool, ["ocr_system"], SETTINGS, output)
            await application({"method": "POST", "path": "/documents", "headers": headers}, receive, send)

    with caplog.at_level(logging.INFO, logger="ppocr_serving"):
        asyncio.run(run())
    assert b"".join(sent) == b"first\nDeadlineExceeded in slow\n"
    (entry,) = [text for text in caplog.messages if text.startswith("id=slow ")]
    assert " status=200 " in entry
    assert entry.endswith("error=deadline_exceeded")


KEY = "a-key-that-is-long-enough"
METERED = ServerSettings(api_keys=(f"alice:{KEY}",), key_pixels_per_minute=4000)
READ = 5000  # pixels


def reading_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what answers a job with a part, and reads on until nobody waits for more."""

    def read(call: Call) -> Response:
        sink = call.stream(200, ())
        call.record.pages, call.record.pixels = 1, READ
        sink.send(b"first\n")
        (folder / "reads").touch()
        while True:
            call.next_page()
            time.sleep(0.01)

    monkeypatch.setattr(answers_module, "_function_behind", lambda _: read)
    answers = Answers({}, METERED)

    def answer(job: Job, body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        return answers(job, body, watch, outlet)

    return answer


def test_a_client_that_leaves_within_an_answer_is_charged_for_what_was_read(
    output: LogStream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"X-API-Key": KEY, "X-Request-Id": "gone"}

    async def run() -> tuple[Answer | None, Answer | None]:
        async with running(reading_on(tmp_path, monkeypatch)) as served:
            application = Application(served.pool, ["ocr_system"], METERED, output)
            leaves = asyncio.get_running_loop().create_future()
            asked = asyncio.ensure_future(
                ask(application, "POST", "/documents", [b"{}"], headers, leaves=leaves),
            )
            await until((tmp_path / "reads").exists)
            leaves.set_result(None)
            await asked
            await until(lambda: not served.open_jobs)
            metrics = await ask(application, "GET", "/metrics", headers={"X-API-Key": KEY})
            return metrics, await ask(application, "POST", "/documents", [b"{}"], headers)

    with caplog.at_level(logging.INFO, logger="ppocr_serving"):
        metrics, refused = asyncio.run(run())
    assert metrics is not None
    assert f'ppocr_pixels_total{{key="alice"}} {READ}.0' in metrics.body.decode()
    assert refused is not None
    assert refused.status == 429
    # The status is the one that was sent. What was read may be known by then, or a moment later.
    first, *rest = [text for text in caplog.messages if text.startswith("id=gone ") and " status=429 " not in text]
    assert " status=200 door=documents key=alice " in first
    assert first.endswith(" error=cancelled")
    assert f" pages=1 pixels={READ} " in first or rest == [
        f"id=gone ends in its process: pictures=0 pages=1 pixels={READ} lines=0"
    ]


def test_an_answer_that_the_server_ends_is_logged_with_what_was_read(
    output: LogStream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with running(reading_on(tmp_path, monkeypatch)) as served:
            has_part = asyncio.Event()

            async def send(message: dict[str, Any]) -> None:
                if message.get("body") == b"first\n":  # taken only after the end
                    has_part.set()
                    await until(lambda: not served.open_jobs)

            bodies = [{"type": "http.request", "body": b"{}"}]

            async def receive() -> dict[str, Any]:
                return bodies.pop() if bodies else await asyncio.Event().wait()  # type: ignore[return-value]

            application = Application(served.pool, ["ocr_system"], METERED, output)
            scope = {"method": "POST", "path": "/documents", "headers": [(b"x-api-key", KEY.encode())]}
            asked = asyncio.ensure_future(application(scope, receive, send))
            await has_part.wait()
            served.pool.fail_all(Overloaded("others wait"))
            await asked

    with caplog.at_level(logging.INFO, logger="ppocr_serving"):
        asyncio.run(run())
    (entry,) = [text for text in caplog.messages if " door=documents " in text]
    assert f" pages=1 pixels={READ} " in entry
    assert entry.endswith(" error=overloaded")


def test_a_response_that_cannot_be_sent_is_a_fault_of_the_server(
    output: LogStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(call: Call) -> Response:
        sink = call.stream(200, (("X-Title", "标题"),))
        sink.send(b"part")
        return sink.end()

    monkeypatch.setattr(answers_module, "_function_behind", lambda _: read)
    answers = Answers({}, SETTINGS)

    def answer(job: Job, body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        return answers(job, body, watch, outlet)

    (refused,) = asked(output, answer, [("/documents", {})])
    assert refused.status == 500
