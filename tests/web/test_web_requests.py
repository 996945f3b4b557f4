"""What the application does with any request, whatever a worker then computes."""

import asyncio
import contextlib
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from ppocr_serving.errors import InvalidRequest, Overloaded
from ppocr_serving.settings import ServerSettings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.app import Application
from ppocr_serving.web.log import LogStream
from ppocr_serving.web.responses import error_response
from ppocr_serving.workers.messages import Answer as WorkersAnswer
from ppocr_serving.workers.messages import Job, Reply
from tests.asgi import Answer, ask
from tests.workers.pools import Running, appears, nothing, reply, running, until

JSON = {"Content-Type": "application/json"}
PREDICT = ("POST", "/predict/ocr_rec")


def size(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
    """Answer with the size of the body, or with an error."""
    with watch("decode"):
        if bytes(body) == b"wrong":
            response = error_response(InvalidRequest("wrong"), job.request_id)
            return Reply(WorkersAnswer(job.number, response.status, response.headers), response.body)
        return reply(job, json.dumps({"path": job.head.path, "bytes": len(body)}).encode())


class Served(NamedTuple):
    """An application with a pool of simple processes.

    Attributes:
        application: The application.
        processes: Its processes.
        output: What it has written to standard output.
    """

    application: Application
    processes: Running
    output: Path

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Send a request that must be answered."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await ask(self.application, method, path, [body], JSON | named)
        assert answer is not None
        return answer


@asynccontextmanager
async def serving(
    folder: Path,
    answer: Callable[[Job, memoryview, Stopwatch], Reply] = size,
    load: Callable[[], None] = nothing,
    *,
    max_waiting: int = 100,
    queue_timeout: float = 600,
    until_ready: bool = True,
    **settings: float,
) -> AsyncIterator[Served]:
    """Serve with one process."""
    output = folder / "output"
    with output.open("wb") as file:
        async with running(
            answer, load=load, max_waiting=max_waiting, queue_timeout=queue_timeout, until_ready=until_ready
        ) as processes:
            own = ServerSettings(**settings)  # type: ignore[arg-type]
            stream = LogStream(file.fileno())
            yield Served(Application(processes.pool, ("ocr_rec",), own, stream), processes, output)
            os.close(stream.fileno())


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_body_may_come_in_pieces(count: int, tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            answer = await ask(served.application, *PREDICT, [b"a" * 10_000] * count, JSON)
            assert answer is not None
            assert (answer.status, answer.json) == (200, {"path": "/predict/ocr_rec", "bytes": 10_000 * count})
            assert "Connection" not in answer.headers

    asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "message"),
    [
        (
            "GET",
            "/nothing",
            404,
            "101",
            "the path '/nothing' is unknown; post files to /v1/read, or pictures to /predict/ocr_system",
        ),
        (
            "POST",
            "/predict/",
            404,
            "101",
            "the path '/predict/' is unknown; post files to /v1/read, or pictures to /predict/ocr_system",
        ),
        ("POST", "/predict/ocr_rec/x", 404, "101", "the path '/predict/ocr_rec/x' is unknown; post files to "),
        ("POST", "/predict/other", 404, "111", "module 'other' is unknown; this server has ocr_rec"),
        ("POST", "/predict/ocr_det", 404, "111", "module 'ocr_det' was not started; this server has ocr_rec"),
        ("GET", "/predict/ocr_rec", 405, "101", "GET is not allowed at '/predict/ocr_rec'; use POST"),
        ("POST", "/healthz", 405, "101", "POST is not allowed at '/healthz'; use GET"),
    ],
)
def test_what_is_not_served_is_named(
    method: str, path: str, status: int, code: str, message: str, tmp_path: Path
) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            answer = await served.ask(method, path)
            assert (answer.status, answer.json["status"]) == (status, code)
            assert answer.json["msg"].startswith(message)
            assert answer.json["results"] == ""
            assert answer.headers.get("Allow") == (message.rpartition(" ")[2] if status == 405 else None)

    asyncio.run(run())


def test_a_path_may_name_the_server(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            for path in ("http://localhost/predict/ocr_rec", "https://localhost:9000/predict/ocr_rec"):
                assert (await served.ask("POST", path, b"a")).json["bytes"] == 1
            assert (await served.ask("GET", "http://localhost")).headers["Content-Type"] == "text/html; charset=utf-8"

    asyncio.run(run())


def test_ready_means_that_the_models_are_loaded(tmp_path: Path) -> None:
    def load() -> None:
        appears(tmp_path / "loaded")

    async def run() -> None:
        async with serving(tmp_path, load=load, until_ready=False, queue_timeout=0.05) as served:
            for request in (("GET", "/readyz"), ("POST", "/initialize"), PREDICT):
                answer = await served.ask(*request)
                assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
                assert answer.json["msg"] == "the models are still being loaded; try again later"
            assert (await served.ask("GET", "/healthz")).body == b"ok\n"
            (tmp_path / "loaded").touch()
            await until(lambda: served.processes.pool.is_ready)
            assert (await served.ask("GET", "/readyz")).body == b"ready\n"
            assert (await served.ask("POST", "/initialize")).headers["x-fc-status"] == "200"

    asyncio.run(run())


def test_a_server_that_stops_first_loses_its_readiness_then_refuses(tmp_path: Path) -> None:
    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        if bytes(body) == b"begun":
            (tmp_path / "begun").touch()
            appears(tmp_path / "released")
        return size(job, body, watch)

    async def run() -> None:
        async with serving(tmp_path, answer) as served:
            served.application.announce_stop()
            assert (await served.ask("GET", "/readyz")).status == 503
            assert (await served.ask(*PREDICT, b"a")).status == 200

            begun = asyncio.create_task(served.ask(*PREDICT, b"begun"))
            await until((tmp_path / "begun").exists)
            waiting = asyncio.create_task(served.ask(*PREDICT, b"waits"))
            arriving = asyncio.create_task(ask(served.application, *PREDICT, [b"a"], JSON, ends=False))
            await asyncio.sleep(0.05)
            served.application.refuse(Overloaded("the server is stopping"))
            new = asyncio.create_task(served.ask(*PREDICT, b"a"))
            for refused in (await waiting, await arriving, await new):
                assert refused is not None
                assert (refused.status, refused.json["msg"]) == (503, "the server is stopping")
                assert refused.headers["Connection"] == "close"
            (tmp_path / "released").touch()
            finished = await begun
            assert (finished.status, finished.headers["Connection"]) == (200, "close")

    asyncio.run(run())


def test_a_body_that_arrives_too_slowly_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path, body_timeout=0.05) as served:
            answer = await ask(served.application, *PREDICT, [b"a"], JSON, ends=False)
            assert answer is not None
            assert (answer.status, answer.json["msg"]) == (
                408,
                "the body arrives too slowly; send all of it at once",
            )

    asyncio.run(run())


def test_a_body_of_which_more_may_come_closes_the_connection(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path, max_body_mb=1) as served:
            for headers in ({"Content-Length": "70000"}, {"Transfer-Encoding": "chunked"}, {"Expect": "100-continue"}):
                answer = await ask(served.application, "POST", "/predict/ocr_det", [b"a"], {**JSON, **headers})
                assert answer is not None
                assert (answer.status, answer.headers["Connection"]) == (404, "close")
                answer = await ask(served.application, *PREDICT, [b"a"], {**JSON, **headers})
                assert answer is not None
                assert answer.status == 200
                assert "Connection" not in answer.headers  # all of it has been received
            answer = await ask(served.application, *PREDICT, [b""], {**JSON, "Content-Length": "2000000"}, ends=False)
            assert answer is not None
            assert (answer.status, answer.headers["Connection"]) == (413, "close")  # without waiting for it

    asyncio.run(run())


@pytest.mark.parametrize("when", ["while the body arrives", "while it waits", "while it is answered"])
def test_a_client_that_leaves_is_not_answered_and_frees_its_place(
    when: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        if bytes(body) == b"endless":
            (tmp_path / "begun").touch()
            while True:
                with watch("det_engine"):
                    pass
        return size(job, body, watch)

    async def run() -> None:
        async with serving(tmp_path, answer) as served:
            leaves = asyncio.get_running_loop().create_future()
            arriving = when == "while the body arrives"
            leaving = asyncio.create_task(
                ask(served.application, *PREDICT, [b"endless"], JSON, ends=not arriving, leaves=leaves)
            )
            if when == "while it is answered":
                await until((tmp_path / "begun").exists)
            else:
                await asyncio.sleep(0)
            leaves.set_result(None)
            assert await leaving is None
            assert (await served.ask(*PREDICT, b"abc")).json["bytes"] == 3
            assert len(served.processes.pids) == 1

    with caplog.at_level(logging.INFO, logger="ppocr_serving"):
        asyncio.run(run())
    assert "status=499" in caplog.messages[0]
    assert "error=cancelled" in caplog.messages[0]


def files_of_bodies() -> int:
    """Return how many files in memory this process has."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(link.readlink()).startswith("/memfd:ppocr")
    return count


def test_no_file_of_a_body_is_left(tmp_path: Path) -> None:
    async def run() -> None:
        before = files_of_bodies()
        async with serving(tmp_path) as served:
            for number in range(40):
                leaves = asyncio.get_running_loop().create_future()
                jobs = [
                    asyncio.create_task(ask(served.application, *PREDICT, [b"a" * 10**6], JSON, leaves=leaves))
                    for _ in range(4)
                ]
                for _ in range(number):
                    await asyncio.sleep(0)
                leaves.set_result(None)
                await asyncio.gather(*jobs)
            assert (await served.ask(*PREDICT, b"a")).status == 200
            assert files_of_bodies() == before

    asyncio.run(run())


def test_ids_are_those_of_the_platform_or_the_client(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> list[str]:
        async with serving(tmp_path) as served:
            given = [
                await served.ask(*PREDICT, x_request_id="mine"),
                await served.ask(*PREDICT, x_request_id="mine", x_scf_request_id="scf-1"),
                await served.ask(*PREDICT, x_request_id="two\nlines"),
                await served.ask("GET", "/nothing", x_request_id="missing"),
            ]
            return [answer.headers["X-Request-Id"] for answer in given]

    with caplog.at_level(logging.INFO, logger="ppocr_serving"):
        ids = asyncio.run(run())
    assert [*ids[:2], ids[3]] == ["mine", "scf-1", "missing"]
    assert re.fullmatch("[0-9a-f]{32}", ids[2])
    assert [re.findall(r"id=(\S+)", message) for message in caplog.messages] == [[number] for number in ids]


def test_function_compute_finds_an_invocations_lines(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            answer = await served.ask("POST", "/invoke", b"abc", x_fc_request_id="fc-1")
            assert (answer.status, answer.json["bytes"]) == (200, 3)
            answer = await served.ask("POST", "/invoke", x_fc_request_id="fc-2", x_request_timeout="soon")
            assert (answer.status, answer.headers["x-fc-status"]) == (404, "404")
            await served.ask("GET", "/healthz", x_request_id="other")

    asyncio.run(run())
    marks = [f"FC Invoke {what} RequestId: {number}" for number in ("fc-1", "fc-2") for what in ("Start", "End")]
    assert (tmp_path / "output").read_text().splitlines() == marks


EVENT = {"path": "/predict/ocr_rec", "httpMethod": "POST"}


@pytest.mark.parametrize("body_bytes", [10, 2**20], ids=["small", "in a file"])
def test_the_client_of_a_gateway_learns_that_the_server_is_busy(
    body_bytes: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release = tmp_path / "released"

    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        (tmp_path / "begun").touch()
        appears(release)
        return size(job, body, watch)

    async def run() -> None:
        async with serving(tmp_path, answer, max_waiting=0) as served:
            begun = asyncio.create_task(served.ask(*PREDICT))
            await until((tmp_path / "begun").exists)
            event = json.dumps(EVENT | {"body": "a" * body_bytes}).encode()
            through_gateway = await served.ask("POST", "/invoke", event, x_request_id="gateway")
            plain = await served.ask("POST", "/invoke", json.dumps({"images": ["a" * body_bytes]}).encode())
            release.touch()
            assert (await begun).status == 200

            assert (through_gateway.status, through_gateway.headers["x-fc-status"]) == (200, "200")
            form = through_gateway.json
            assert (form["statusCode"], form["headers"]["Retry-After"]) == (503, "1")
            assert json.loads(form["body"])["msg"].startswith("the queue is full")
            assert (plain.status, plain.headers["x-fc-status"]) == (404, "404")
            assert plain.json["msg"].startswith("the queue is full")

    with caplog.at_level(logging.INFO, logger="ppocr_serving"):
        asyncio.run(run())
    (line,) = [message for message in caplog.messages if "id=gateway" in message]
    assert line.endswith(" error=overloaded")


def test_a_workers_error_reaches_the_client(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            answer = await served.ask(*PREDICT, b"wrong")
            assert (answer.status, answer.json) == (400, {"msg": "wrong", "results": "", "status": "101"})

    asyncio.run(run())
