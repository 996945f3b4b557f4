"""What a pool keeps track of: its jobs and its worker processes."""

import asyncio
import os
from collections.abc import Callable
from typing import NamedTuple, Protocol

from ppocr_serving.workers.messages import Answer, Job, Reply
from ppocr_serving.workers.parts import Parts
from ppocr_serving.workers.process import WorkerProcess

__all__ = ["Body", "Member", "PoolLimits", "PoolState", "Task", "wait_for_exit"]

_REAP_SECONDS = 0.02


class PoolLimits(NamedTuple):
    """Limits of a pool.

    Attributes:
        processes: Number of worker processes.
        max_jobs: Jobs that a process may have at a time, paused ones included.
        max_running: Jobs of all processes that may compute at the same time.
        max_waiting: Jobs that may wait for their first turn.
        queue_timeout: Seconds that a job may wait for it.
        max_memory_mb: Resident memory in MiB above which a process is replaced; 0 replaces none.
    """

    processes: int
    max_jobs: int
    max_running: int
    max_waiting: int
    queue_timeout: float
    max_memory_mb: int


class PoolState(NamedTuple):
    """What a pool does at the moment, and how its processes have fared since the start.

    Attributes:
        is_ready: Whether a process has loaded its models and run them once.
        waiting: Jobs that wait for their first turn.
        running: Jobs that compute, or are paused.
        pids: The processes that have not ended.
        started: Processes that have been started.
        died: Those that have ended unexpectedly.
        outgrown: Those that were replaced because they had grown too large.
    """

    is_ready: bool
    waiting: int
    running: int
    pids: tuple[int, ...]
    started: int
    died: int
    outgrown: int


class Body(Protocol):
    """A request's body."""

    def fileno(self) -> int:
        """Return the descriptor of a file that holds it."""
        ...


class Task:
    """A job that has not been answered.

    Args:
        job: The job.
        body: Its body.
        answer: Receives the answer, or an error.
        parts: Receives the parts of it that come before.
        unsent: Called with the answer if it comes when nobody waits for it any more.

    Attributes:
        has_begun: Whether a process computes for it, or has paused it.
        computes: Whether it computes, rather than wait for its turn or its client.
        deaths: How many processes have died while they computed for it.
        member: The process that has it; None while it waits for one.
    """

    def __init__(
        self,
        job: Job,
        body: Body,
        answer: "asyncio.Future[Reply]",
        parts: Parts,
        unsent: Callable[[Answer], None],
    ) -> None:
        self.job = job
        self.body = body
        self.answer = answer
        self.parts = parts
        self.unsent = unsent
        self.has_begun = False
        self.computes = False
        self.deaths = 0
        self.member: Member | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for the answer."""
        return not self.answer.done()

    def watch(self, seconds: float, when_stuck: "Callable[[Task], None]") -> None:
        """Watch for a job that does not end, whether or not anybody waits for its answer.

        Args:
            seconds: Time from now in which it has to end; replaces an earlier limit.
            when_stuck: Called with this task if it does not.
        """
        self.end()
        self._watchdog = asyncio.get_running_loop().call_later(seconds, when_stuck, self)

    def limit_waiting(self, seconds: float, when_over: "Callable[[Task], None]") -> None:
        """Have something done if nobody has called `has_waited` by then.

        Args:
            seconds: From now on; replaces what was said before.
            when_over: Called with this task.
        """
        self.has_waited()
        self._patience = asyncio.get_running_loop().call_later(seconds, when_over, self)

    def has_waited(self) -> None:
        """Note that the job waits no longer."""
        if self._patience is not None:
            self._patience.cancel()

    def end(self) -> None:
        """Note that no process computes for it any more."""
        if self._watchdog is not None:
            self._watchdog.cancel()


class Member:
    """A worker process of a pool.

    Args:
        process: The process.

    Attributes:
        tasks: Its jobs by number, those included whose answers nobody waits for any more.
        is_loaded: Whether it has loaded its models.
        is_tried_out: Whether it has been told to read a small picture.
        is_ready: Whether it has read that.
        is_retiring: Whether it gets no more jobs.
        is_condemned: Whether the pool has killed it: a job does not end, or messages do not get through.
        overdue: What it has not done in time, if the pool has killed it for that.
        has_replacement: Whether another process has been started in its place.
        answered: Number of jobs that it has answered.
    """

    def __init__(self, process: WorkerProcess) -> None:
        self.process = process
        self.tasks: dict[int, Task] = {}
        self.is_loaded = False
        self.is_tried_out = False
        self.is_ready = False
        self.is_retiring = False
        self.is_condemned = False
        self.overdue = ""
        self.has_replacement = False
        self.answered = 0
        self._preparing: asyncio.TimerHandle | None = None

    @property
    def takes_jobs(self) -> bool:
        """Whether it may be given jobs."""
        return self.is_loaded and not self.is_retiring

    def limit_preparing(self, limit: asyncio.TimerHandle) -> None:
        """Note when it must have prepared for jobs; until `has_prepared` is called."""
        self.has_prepared()
        self._preparing = limit

    def has_prepared(self) -> None:
        """Note that it has loaded its models, has read the small picture, or has ended."""
        if self._preparing is not None:
            self._preparing.cancel()


async def wait_for_exit(pid: int) -> int:
    """Wait for a child process whose channel has ended to exit; return its status as `os.waitpid` does."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        await asyncio.sleep(_REAP_SECONDS)
