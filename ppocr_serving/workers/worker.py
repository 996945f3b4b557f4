"""Inside a worker process: load the models, then answer jobs in threads until the server closes the channel."""

import contextlib
import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, NoReturn

from msgspec.structs import replace

from ppocr_serving.errors import OcrError
from ppocr_serving.reading.turns import Turns
from ppocr_serving.timing import Stopwatch
from ppocr_serving.workers.memory import resident_mb
from ppocr_serving.workers.messages import (
    Begun,
    Cancel,
    Channel,
    Dropped,
    Job,
    Loaded,
    Ready,
    Reply,
    Taken,
    TryOut,
    close_file,
    contents,
    memory_file,
)
from ppocr_serving.workers.outlet import Outlet
from ppocr_serving.workers.refusals import STARVED

__all__ = ["FAILED_START", "MAX_PAUSED", "Work", "run_worker"]

_log = logging.getLogger(__name__)

FAILED_START = 3
"""Exit code of a worker whose models cannot be loaded or run; it has logged the reason."""
_FAILED_JOB = 1

MAX_PAUSED = 16
"""Jobs that a worker may have besides those that run; paused ones keep lines of their pictures in memory."""


class Work(NamedTuple):
    """What a worker does; everything is called in its process.

    Attributes:
        load: Loads the models.
        try_out: Reads a small picture.
        answer: Answers a job, given its body, a stopwatch for the stages, and the way for parts of the answer that
            leave before it returns. Errors become answers, too.
        max_concurrency: Jobs that may compute at the same time.
        max_jobs: Jobs that the server may hand over, those included.
    """

    load: Callable[[], None]
    try_out: Callable[[], None]
    answer: Callable[[Job, memoryview, Stopwatch, Outlet], Reply]
    max_concurrency: int
    max_jobs: int


def run_worker(work: Work, channel: Channel) -> NoReturn:
    """Work until the server closes its end of the channel, then exit the process."""
    worker = _Worker(work, channel)
    threading.Thread(target=worker.load, name="load", daemon=True).start()
    while (received := channel.receive()) is not None:
        match received.message:
            case Job():
                worker.begin(received.message, received.file)
            case Cancel():
                worker.cancel(received.message.number)
            case Taken():
                worker.note_taken(received.message.number)
            case TryOut():
                threading.Thread(target=worker.try_out, name="try-out", daemon=True).start()
    # A regular shutdown of Python, Paddle and OpenVINO takes seconds.
    os._exit(0)


class _Worker:
    def __init__(self, work: Work, channel: Channel) -> None:
        self._work = work
        self._channel = channel
        self._turns = Turns(work.max_concurrency)
        self._pool = ThreadPoolExecutor(work.max_jobs, "job")
        self._open: dict[int, Outlet] = {}

    def load(self) -> None:
        with _ending_the_process(FAILED_START):
            self._work.load()
            self._channel.send(Loaded(resident_mb()))

    def try_out(self) -> None:
        with _ending_the_process(FAILED_START):
            self._work.try_out()
            self._channel.send(Ready())

    def begin(self, job: Job, file: int | None) -> None:
        outlet = self._open[job.number] = Outlet(self._channel, job)
        self._pool.submit(self._answer, job, file, outlet)

    def cancel(self, number: int) -> None:
        outlet = self._open.get(number)
        if outlet is not None:
            outlet.cancel()

    def note_taken(self, number: int) -> None:
        outlet = self._open.get(number)
        if outlet is not None:
            outlet.note_taken()

    def _answer(self, job: Job, file: int | None, outlet: Outlet) -> None:
        with _ending_the_process(_FAILED_JOB):
            body, reason = None, ""
            try:
                reply = self._reply(job, file, outlet)
                if reply is not None:
                    body = memory_file(reply.body)
            except BrokenPipeError:
                raise
            except (OSError, MemoryError) as error:
                _log.warning("id=%s: no memory or files left (%s)", job.request_id, error)
                reply, reason = None, STARVED
            finally:
                self._open.pop(job.number, None)
                close_file(file)
            try:
                if reply is None:
                    self._channel.send(Dropped(job.number, reason))
                else:
                    self._channel.send(replace(reply.answer, memory_mb=resident_mb()), body)
            finally:
                close_file(body)

    def _reply(self, job: Job, file: int | None, outlet: Outlet) -> Reply | None:
        with contextlib.suppress(OcrError), self._turns.of(outlet.turn):  # an error here means that it never began
            waited = time.perf_counter() - job.arrival
            self._channel.send(Begun(job.number))
            if file is None:
                raise OSError(errno.EMFILE, "no file is left for a body")
            body = contents(file)
            watch = Stopwatch(outlet.turn.before_stage, outlet.turn.given_away)
            reply = self._work.answer(job, body, watch, outlet)
            return reply._replace(answer=replace(reply.answer, waited=waited))
        return None


@contextlib.contextmanager
def _ending_the_process(code: int) -> Iterator[None]:
    """End the process with an exit code if the enclosed block fails: the server then starts another one."""
    try:
        yield
    except OcrError as error:
        _log.error("cannot start: %s", error)
    except BrokenPipeError:  # the server is gone, or has given this process up
        pass
    except BaseException:
        _log.exception("process %d fails", os.getpid())
    else:
        return
    os._exit(code)
