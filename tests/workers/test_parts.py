"""Answers that leave a worker in parts, and the deadlines of their pages."""

import asyncio
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ppocr_serving.errors import (
    DeadlineExceeded,
    EngineError,
    Overloaded,
    PageDeadlineExceeded,
    RequestCancelled,
)
from ppocr_serving.timing import Stopwatch
from ppocr_serving.workers import pool as pool_module
from ppocr_serving.workers.messages import Job, Reply
from ppocr_serving.workers.outlet import Outlet
from ppocr_serving.workers.parts import Parts, PieceOfAnswer
from tests.workers.pools import appears, reply, running, until

HEADERS = (("Content-Type", "application/jsonl"),)
SMALL = b"a part"
LARGE = b"0123456789abcdef" * 2**14  # 256 KiB, so that it goes in a file


async def take_all(parts: Parts) -> list[PieceOfAnswer]:
    """Take parts until their end."""
    taken = []
    while (part := await parts.first()) is not None:
        taken.append(part)
        parts.take()
    return taken


def note(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(f"{text}\n")


def count(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.parametrize("size", [1, 2**15, 2**15 + 1, 2**18, 3 * 2**20])
def test_parts_arrive_whole_and_in_order_before_the_answer(size: int) -> None:
    def answer(job: Job, _body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        outlet.begin(200, HEADERS)
        for number in range(10):
            outlet.send(bytes([number]) * size)
            outlet.send(b"")
        return reply(job, b"the end")

    async def run() -> None:
        async with running(answer) as served:
            parts = Parts()
            job = served.begin(parts=parts)
            taken = await take_all(parts)
            assert (await job).body == b"the end"
            assert taken[0][:2] == (200, HEADERS)
            assert {part[:2] for part in taken[1:]} == {(0, ())}
            assert [part.data for part in taken] == [bytes([number]) * size for number in range(10)]

    asyncio.run(run())


@pytest.mark.parametrize(("part", "ahead"), [(SMALL, 4), (LARGE, 4), (LARGE * 3, 1), (LARGE * 8, 1)])
def test_a_worker_sends_only_so_much_ahead_of_its_client(part: bytes, ahead: int, tmp_path: Path) -> None:
    def answer(job: Job, _body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        outlet.begin(200, HEADERS)
        for number in range(10):
            outlet.send(part)
            note(tmp_path / "sent", str(number))
        return reply(job)

    async def run() -> None:
        async with running(answer) as served:
            parts = Parts()
            job = served.begin(parts=parts)
            for taken in range(3):
                await until(lambda: count(tmp_path / "sent") == ahead + taken)  # noqa: B023
                await asyncio.sleep(0.05)
                assert count(tmp_path / "sent") == ahead + taken
                assert len(parts._waiting) == ahead
                parts.take()
            assert len(await take_all(parts)) == 7
            await job

    asyncio.run(run())


def test_others_compute_while_a_job_waits_for_its_client(tmp_path: Path) -> None:
    def answer(job: Job, body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        if bytes(body) == b"stream":
            for number in range(10):
                outlet.next_page()
                outlet.send(SMALL)
                note(tmp_path / "sent", str(number))
        else:
            with watch("decode"):
                pass
        return reply(job, bytes(body))

    async def run() -> None:
        async with running(answer, concurrency=1) as served:
            parts = Parts()
            stream = served.begin(b"stream", parts=parts)
            await until(lambda: count(tmp_path / "sent") == 4)
            for number in range(30):  # more than would fit beside it if it kept its place among those that compute
                body = str(number).encode()
                assert (await served.answer(body)).body == body
            assert not stream.done()
            assert len(await take_all(parts)) == 10
            assert (await stream).body == b"stream"

    asyncio.run(run())


def test_a_job_waits_for_its_client_until_its_deadline(tmp_path: Path) -> None:
    def answer(job: Job, _body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        try:
            while True:
                outlet.send(SMALL)
        except DeadlineExceeded as error:
            note(tmp_path / "ended", f"{type(error).__name__}: {error}")
        return reply(job, b"late")

    async def run() -> None:
        async with running(answer) as served:
            # The time of a page does not pass while the client is waited for.
            assert (await served.answer(seconds=1, page_seconds=0.2)).body == b"late"
            assert len(served.pids) == 1

    asyncio.run(run())
    assert (tmp_path / "ended").read_text().startswith("DeadlineExceeded: the request was not finished within 1 sec")


def test_a_job_that_waits_for_its_client_ends_when_that_leaves(tmp_path: Path) -> None:
    def answer(job: Job, body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        if bytes(body) == b"next":
            return reply(job)
        try:
            while True:
                outlet.send(SMALL)
                note(tmp_path / "sent", "")
        except RequestCancelled:
            note(tmp_path / "cancelled", "")
            raise

    async def run() -> None:
        async with running(answer) as served:
            stream = served.begin()
            await until(lambda: count(tmp_path / "sent") == 4)
            stream.cancel()
            await until(lambda: (tmp_path / "cancelled").exists())
            await served.answer(b"next")
            assert len(served.pids) == 1
            assert served.open_jobs == 0

    asyncio.run(run())


def test_a_job_that_dies_after_a_part_is_not_begun_again(tmp_path: Path) -> None:
    def answer(job: Job, body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        if bytes(body) == b"other":
            appears(tmp_path / "killed")
            return reply(job, b"other")
        note(tmp_path / "begun", "")
        outlet.send(SMALL)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    async def run() -> None:
        async with running(answer, concurrency=2) as served:
            parts = Parts()
            other = served.begin(b"other")
            job = served.begin(parts=parts)
            assert [part.data for part in await take_all(parts)] == [SMALL]
            with pytest.raises(EngineError, match="died after a part of the answer"):
                await job
            (tmp_path / "killed").touch()
            assert (await other).body == b"other"  # by another process
            assert len(served.pids) == 2

    asyncio.run(run())
    assert count(tmp_path / "begun") == 1


def test_a_job_that_dies_before_its_first_part_is_begun_again(tmp_path: Path) -> None:
    def answer(job: Job, _body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        outlet.begin(200, HEADERS)
        if not (tmp_path / "begun").exists():
            (tmp_path / "begun").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        outlet.send(SMALL)
        return reply(job, b"end")

    async def run() -> None:
        async with running(answer) as served:
            parts = Parts()
            job = served.begin(parts=parts)
            assert [part.data for part in await take_all(parts)] == [SMALL]
            assert (await job).body == b"end"

    asyncio.run(run())


def test_a_stalled_stream_gives_up_its_place_when_others_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_STALLED_SECONDS", 0.3)

    def answer(job: Job, body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        name = bytes(body).decode()
        if name == "whole":
            return reply(job, body=b"whole")
        for _ in range(10):
            outlet.send(SMALL)
            note(tmp_path / name, "")
        return reply(job)

    async def run() -> None:
        async with running(answer, paused=1) as served:  # places for two
            streams = []
            for name in ("first", "second"):
                streams.append(served.begin(name.encode(), parts=Parts()))
                await until(lambda: count(tmp_path / name) == 4)  # noqa: B023
            await asyncio.sleep(0.4)
            assert not any(stream.done() for stream in streams)  # as long as nobody else needs their places
            assert (await served.answer(b"whole")).body == b"whole"
            with pytest.raises(Overloaded, match="the answer is taken too slowly while others wait"):
                await streams[0]
            assert not streams[1].done()
            streams[1].cancel()
            assert len(served.pids) == 1

    asyncio.run(run())


def overstay(watch: Stopwatch) -> None:
    """Compute until a deadline ends it."""
    while True:
        with watch("rec_engine"):
            time.sleep(0.002)


def test_each_page_has_a_deadline_of_its_own(tmp_path: Path) -> None:
    def answer(job: Job, _body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        for number in range(5):
            outlet.next_page()
            try:
                if number % 2:
                    overstay(watch)
                for _ in range(3):
                    with watch("rec_engine"):
                        time.sleep(0.02)
            except PageDeadlineExceeded as error:
                note(tmp_path / "pages", str(error))
            else:
                note(tmp_path / "pages", "read")
        return reply(job, b"end")

    async def run() -> None:
        async with running(answer) as served:
            assert (await served.answer(page_seconds=0.5)).body == b"end"
            assert len(served.pids) == 1

    asyncio.run(run())
    late = "the page was not read within 0.5 seconds; send it smaller or with less text, or allow more time per page"
    assert (tmp_path / "pages").read_text().splitlines() == ["read", late, "read", late, "read"]


def test_the_deadline_of_the_request_ends_all_pages(tmp_path: Path) -> None:
    def answer(job: Job, _body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        try:
            while True:
                outlet.next_page()
                with watch("decode"):
                    time.sleep(0.01)
        except DeadlineExceeded as error:
            note(tmp_path / "ended", f"{type(error).__name__}: {error}")
        return reply(job, b"late")

    async def run() -> None:
        async with running(answer) as served:
            assert (await served.answer(seconds=0.5, page_seconds=0.3)).body == b"late"

    asyncio.run(run())
    assert (tmp_path / "ended").read_text().startswith("DeadlineExceeded: the request was not finished within 0.5 sec")


def test_a_page_that_does_not_end_costs_its_process_long_before_the_request_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_KILL_SECONDS", 0.5)

    def answer(job: Job, body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        if bytes(body) == b"next":
            return reply(job)
        for _ in range(4):  # together longer than a page may take
            outlet.next_page()
            outlet.send(SMALL)
            time.sleep(0.3)
        note(tmp_path / "pages", "")
        outlet.next_page()
        time.sleep(3600)
        raise AssertionError

    async def run() -> None:
        async with running(answer) as served:
            parts = Parts()
            job = served.begin(seconds=600, page_seconds=0.4, parts=parts)
            assert len(await take_all(parts)) == 4
            with pytest.raises(PageDeadlineExceeded, match=r"the page was not read within 0\.4 seconds"):
                await job
            assert count(tmp_path / "pages") == 1
            await served.answer(b"next")
            assert len(served.pids) == 2

    asyncio.run(run())


def test_a_page_does_not_lose_time_while_others_compute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_KILL_SECONDS", 0.3)

    def answer(job: Job, body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        if bytes(body) == b"long":
            outlet.next_page()
            note(tmp_path / "begun", "")
            while not (tmp_path / "released").exists():
                with watch("rec_engine"):
                    time.sleep(0.002)
            with watch("rec_engine"):  # a deadline that has passed is noticed here
                return reply(job, b"long")
        time.sleep(3)  # does not give way
        (tmp_path / "released").touch()
        return reply(job)

    async def run() -> None:
        async with running(answer) as served:
            long = served.begin(b"long", page_seconds=2)
            await until(lambda: count(tmp_path / "begun"))
            await served.answer(b"short")
            assert (await long).body == b"long"
            assert len(served.pids) == 1

    asyncio.run(run())


@contextmanager
def no_files() -> Iterator[None]:
    """Let this process open no file in the enclosed block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_a_file_for_a_part_a_worker_fails_and_the_next_part_may_succeed() -> None:
    def answer(job: Job, _body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        outlet.send(SMALL)
        with no_files(), pytest.raises(Overloaded, match="no memory or files left"):
            outlet.send(LARGE)
        outlet.send(LARGE)
        return reply(job)

    async def run() -> None:
        async with running(answer) as served:
            parts = Parts()
            job = served.begin(parts=parts)
            assert [part.data for part in await take_all(parts)] == [SMALL, LARGE]
            await job

    asyncio.run(run())


def test_without_a_file_in_the_server_for_a_part_the_answer_ends(tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.touch()

    def answer(job: Job, body: memoryview, _watch: Stopwatch, outlet: Outlet) -> Reply:
        if bytes(body) == b"next":
            return reply(job, b"next")
        outlet.send(SMALL)
        while held.exists():
            time.sleep(0.002)
        for _ in range(10):
            outlet.send(LARGE)
        return reply(job)

    async def run() -> None:
        async with running(answer) as served:
            parts = Parts()
            job = served.begin(parts=parts)
            assert await parts.first() == PieceOfAnswer(200, (), SMALL)
            with no_files():
                held.unlink()
                with pytest.raises(Overloaded, match="no memory or files left for the answer"):
                    await job
            assert (await served.answer(b"next")).body == b"next"
            assert len(served.pids) == 1

    asyncio.run(run())
