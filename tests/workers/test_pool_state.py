"""What a pool says of itself, with real processes."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from ppocr_serving.timing import Stopwatch
from ppocr_serving.workers.memory import resident_bytes
from ppocr_serving.workers.messages import Job, Reply
from tests.workers.pools import appears, reply, running, until


def test_jobs_that_compute_and_jobs_that_wait_are_told_apart(tmp_path: Path) -> None:
    def answer(job: Job, body: memoryview, _watch: Stopwatch) -> Reply:
        appears(tmp_path / "released")
        return reply(job, bytes(body))

    async def run() -> None:
        async with running(answer, processes=2, concurrency=1) as served:
            idle = served.pool.state()
            assert idle.is_ready
            assert (idle.waiting, idle.running, idle.pids) == (0, 0, tuple(served.pids))
            jobs = [served.begin() for _ in range(5)]
            await until(lambda: served.pool.state().running == 2)
            assert served.pool.state().waiting == 3
            (tmp_path / "released").touch()
            answers = await asyncio.gather(*jobs)
            assert served.pool.state() == idle
            waited = sorted(answer.answer.waited for answer in answers)
            assert waited[0] > 0
            assert waited[-1] > waited[0]

    asyncio.run(run())


def test_a_killed_process_is_counted_and_so_is_its_replacement(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with running(lambda job, body, _watch: reply(job, bytes(body)), processes=2) as served:
            before = served.pool.state()
            assert (before.started, before.died, before.outgrown) == (2, 0, 0)
            os.kill(served.pids[0], signal.SIGKILL)
            await until(lambda: len(served.pids) == 3 and len(served.pool.state().pids) == 2)
            after = served.pool.state()
            assert (after.started, after.died, after.outgrown) == (3, 1, 0)
            assert after.pids == tuple(served.pids[1:])
            await until(lambda: served.pool.is_ready)

    asyncio.run(run())
    assert "has died (signal SIGKILL)" in caplog.text


def test_memory_can_be_asked_of_any_process() -> None:
    assert resident_bytes() == pytest.approx(resident_bytes(os.getpid()), rel=0.1)
    assert resident_bytes(os.getppid()) > 2**16
    with pytest.raises(OSError, match="No such file"):
        resident_bytes(2**22 + 1)
