"""Pools of real, small processes, whose work is plain Python functions."""

import asyncio
import inspect
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.requests import SpooledBody
from ppocr_serving.workers.members import PoolLimits
from ppocr_serving.workers.messages import Answer, Channel, Head, Job, Reply
from ppocr_serving.workers.outlet import Outlet
from ppocr_serving.workers.parts import Parts
from ppocr_serving.workers.pool import WorkerPool
from ppocr_serving.workers.process import Crew, WorkerProcess
from ppocr_serving.workers.worker import Work, run_worker

__all__ = ["Running", "appears", "nothing", "reply", "running", "until"]

_HANG_SECONDS = 30  # only bounds how long a failing test hangs


def nothing() -> None:
    """Load or try out nothing."""


def reply(job: Job, body: bytes = b"") -> Reply:
    """Answer a job with a body."""
    return Reply(Answer(job.number, 200, (("X-Pid", str(os.getpid())),)), body)


def appears(path: Path) -> None:
    """Wait in a worker until a file exists."""
    while not path.exists():
        time.sleep(0.002)


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(_HANG_SECONDS):
        while not condition():
            await asyncio.sleep(0.002)


class Running:
    """A pool that runs.

    Attributes:
        pool: The pool.
        pids: Every process that it has started, in this order.
        gave_up: How often it gave up.
        became_ready: How often it became ready.
    """

    pool: WorkerPool

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.gave_up = 0
        self.became_ready = 0
        self._numbers = itertools.count()

    @property
    def open_jobs(self) -> int:
        """Jobs that the workers have not finished, wanted or not."""
        return sum(len(member.tasks) for member in self.pool._roster.members)

    async def answer(
        self, data: bytes = b"", seconds: float = 600, page_seconds: float = 600, parts: Parts | None = None
    ) -> Reply:
        """Have one job done."""
        body = SpooledBody()
        body.write(data)
        number = next(self._numbers)
        try:
            async with asyncio.timeout(_HANG_SECONDS):
                job = Job(number, Head(""), f"job-{number}", time.perf_counter(), seconds, page_seconds)
                return await self.pool.answer(job, body, parts)
        finally:
            body.close()

    def begin(
        self, data: bytes = b"", seconds: float = 600, page_seconds: float = 600, parts: Parts | None = None
    ) -> "asyncio.Task[Reply]":
        """Submit one job."""
        return asyncio.get_running_loop().create_task(self.answer(data, seconds, page_seconds, parts))

    def note_giving_up(self) -> None:
        self.gave_up += 1

    def note_readiness(self) -> None:
        self.became_ready += 1


@asynccontextmanager
async def running(
    answer: Callable[[Job, memoryview, Stopwatch], Reply] | Callable[[Job, memoryview, Stopwatch, Outlet], Reply],
    *,
    load: Callable[[], None] = nothing,
    try_out: Callable[[], None] = nothing,
    before_start: Callable[[], None] = nothing,
    processes: int = 1,
    concurrency: int = 1,
    paused: int = 16,
    max_waiting: int = 100,
    queue_timeout: float = 600,
    max_memory_mb: int = 0,
    until_ready: bool = True,
) -> AsyncIterator[Running]:
    """Run a pool, and end its processes at the end of the block.

    Args:
        answer: Answers a job, in a worker; one that sends parts takes an outlet, too.
        load: Loads the models, in a worker.
        try_out: Reads a small picture, in a worker.
        before_start: Called in this process whenever a worker is to be started.
        processes: Number of workers.
        concurrency: Jobs that a worker may compute at the same time.
        paused: Jobs that a worker may have beyond those.
        max_waiting: Jobs that may wait.
        queue_timeout: For which time.
        max_memory_mb: Memory above which a worker is replaced.
        until_ready: Whether to wait for the workers before the block begins.
    """
    tried_out, note = os.pipe()
    os.set_blocking(tried_out, False)

    def try_out_and_tell() -> None:
        try_out()
        os.write(note, b".")

    takes_outlet = len(inspect.signature(answer).parameters) > len(("job", "body", "watch"))

    def answer_job(job: Job, body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        own: Callable[..., Reply] = answer
        return own(job, body, watch, outlet) if takes_outlet else own(job, body, watch)

    work = Work(load, try_out_and_tell, answer_job, concurrency, concurrency + paused)
    book = Running()

    def run(channel: Channel) -> NoReturn:
        run_worker(work, channel)

    def start() -> WorkerProcess:
        before_start()
        process = WorkerProcess(run, ())
        book.pids.append(process.pid)
        return process

    limits = PoolLimits(processes, work.max_jobs, processes * concurrency, max_waiting, queue_timeout, max_memory_mb)
    crew = Crew(start, tuple(start() for _ in range(processes)))
    book.pool = WorkerPool(crew, limits, book.note_readiness, book.note_giving_up)
    book.pool.attach()
    try:
        if until_ready:
            ready = 0
            while ready < processes or not book.pool.is_ready:
                with suppress(BlockingIOError):
                    ready += len(os.read(tried_out, processes))
                await asyncio.sleep(0.002)
        yield book
    finally:
        book.pool.stop()
        await book.pool.wait_stopped()
        await until(lambda: not any(map(_exists, book.pids)))
        os.close(tried_out)
        os.close(note)


def _exists(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
