"""The jobs of a server: which worker process gets one, how long it waits, and what happens when a process ends."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from ppocr_serving.errors import EngineError, OcrError, Overloaded
from ppocr_serving.reading.deadline import Deadline
from ppocr_serving.workers.members import Body, Member, PoolLimits, PoolState, Task
from ppocr_serving.workers.messages import (
    Answer,
    Begun,
    Cancel,
    Dropped,
    Job,
    Part,
    Progress,
    Received,
    Reply,
    Taken,
    read_body,
)
from ppocr_serving.workers.parts import Parts, PieceOfAnswer
from ppocr_serving.workers.process import Crew
from ppocr_serving.workers.refusals import not_ready, stopping
from ppocr_serving.workers.roster import Roster

__all__ = ["WorkerPool"]

_log = logging.getLogger(__name__)

# A job may overstay its deadline by an engine's call. After this, whatever it is in will not end: a decoder or a
# network that nothing can interrupt, but the end of its process.
_KILL_SECONDS = 10.0
_MAX_DEATHS = 2  # of processes that compute for the same job
# A job whose client takes nothing of its answer for so long gives up its place in a process if others need it.
_STALLED_SECONDS = 3.0


class WorkerPool:
    """Answer jobs with worker processes, which are replaced when they die, grow too large or do not answer.

    A job whose process dies is given to another one. Everything must be called in the event loop.

    Args:
        crew: The processes.
        limits: Limits.
        when_ready: Called when a process becomes ready while no other one is.
        give_up: Called if the models cannot be loaded at all.
    """

    def __init__(
        self,
        crew: Crew,
        limits: PoolLimits,
        when_ready: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        self._limits = limits
        self._roster = Roster(crew, limits.max_memory_mb, self, when_ready, give_up)
        self._queue: deque[Task] = deque()
        self._refusal: OcrError | None = None
        self._refused = asyncio.Event()
        self._next_look: asyncio.TimerHandle | None = None

    def attach(self) -> None:
        """Begin to listen to the first processes."""
        self._roster.attach()

    @property
    def is_ready(self) -> bool:
        """Whether a process has loaded its models and run them once."""
        return self._roster.ready.is_set()

    def state(self) -> PoolState:
        """Return what the pool does at the moment."""
        tasks = self._tasks()
        running = sum(task.has_begun for task in tasks)
        roster = self._roster
        pids = tuple(member.process.pid for member in roster.members)
        return PoolState(
            self.is_ready, len(tasks) - running, running, pids, roster.started, roster.died, roster.outgrown
        )

    async def wait_ready(self) -> None:
        """Wait until a process is ready.

        Raises:
            NotReady: None is when the wait times out.
            Overloaded: The server stops.
        """
        waits = {asyncio.ensure_future(event.wait()) for event in (self._roster.ready, self._refused)}
        try:
            await asyncio.wait(waits, timeout=self._limits.queue_timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._refusal is not None:
            raise self._refusal
        if not self.is_ready:
            raise not_ready()

    async def answer(
        self,
        job: Job,
        body: Body,
        parts: Parts | None = None,
        unsent: Callable[[Answer], None] = lambda _: None,
    ) -> Reply:
        """Have a worker process answer a job.

        Args:
            job: The job.
            body: Its body, which stays open until this returns.
            parts: Receives the parts of the answer that the process sends before it has all of it; its end comes
                before this returns. What has been put into it stays there after an error, too.
            unsent: Called with what the process says of its work, if that comes after this has raised an error or has
                been cancelled.

        Raises:
            Overloaded: The queue is full, the wait for a turn ran out, no memory or file is left, the server stops, or
                the client does not take the parts and others need the room.
            NotReady: The models were still being loaded when the wait ran out.
            DeadlineExceeded: It did not end when its time was over, so its process was ended.
            EngineError: Processes died of it, or one did after a part of the answer.
        """
        parts = parts or Parts()
        try:
            return await self._answer(job, body, parts, unsent)
        finally:
            parts.end()

    async def _answer(self, job: Job, body: Body, parts: Parts, unsent: Callable[[Answer], None]) -> Reply:
        if self._refusal is not None:
            raise self._refusal
        if self._is_full():
            raise Overloaded(f"the queue is full ({self._limits.max_waiting} may wait); try again later")
        loop = asyncio.get_running_loop()
        task = Task(job, body, loop.create_future(), parts, unsent)
        parts.connect(partial(self._acknowledge, task))
        self._queue.append(task)
        self.dispatch()
        self._limit_waiting(task)
        self._watch(task, math.inf)
        try:
            return await task.answer
        finally:
            task.has_waited()
            self._withdraw(task)

    def refuse(self, error: OcrError) -> None:
        """Refuse new jobs, and those that wait, with an error."""
        self._refusal = error
        self._refused.set()
        self._roster.close()
        for task in self._queue:
            _fail(task, error)
        for member in self._roster.members:
            waiting = [task for task in member.tasks.values() if not task.has_begun]
            # The first ones begin at once where there is a free turn, but have not said so yet.
            free = max(0, self._running_per_process - (len(member.tasks) - len(waiting)))
            for task in waiting[free:]:
                _fail(task, error)

    def fail_all(self, error: OcrError) -> None:
        """End all jobs with an error."""
        for task in self._tasks():
            _fail(task, error)

    def reap_orphans(self) -> None:
        """Let go of ended processes that have become our children, as they do of process 1 in a container."""
        self._roster.reap_orphans()

    def stop(self) -> None:
        """Tell all processes to end, whatever they do."""
        self._refusal = self._refusal or stopping()
        self._roster.stop()

    async def wait_stopped(self) -> None:
        """Wait, after `stop`, until the processes have ended; those that do not are killed."""
        await self._roster.wait_stopped()

    def dispatch(self) -> None:
        """Hand out jobs that wait; called by the roster, too."""
        while self._queue:
            candidates = [
                member for member in self._roster.members if member.takes_jobs and len(member.tasks) < self._room()
            ]
            if not candidates:
                self._end_stalled()
                return
            member = min(candidates, key=lambda member: len(member.tasks))
            task = self._queue.popleft()
            if not task.is_wanted:  # its body may be closed
                continue
            try:
                file = task.body.fileno()
            except OSError:
                _fail(task, Overloaded("the server has no more memory or files for requests; try again later"))
            else:
                task.member = member
                member.tasks[task.job.number] = task
                self._roster.send(member, task.job, file)

    def receive(self, member: Member, received: Received) -> None:
        """Take a process's message about a job; called by the roster."""
        match received.message:
            case Begun(number):
                task = member.tasks.get(number)
                if task is not None:
                    task.has_begun = True
                    self._note_progress(task, computes=True)
            case Progress(number, computes):
                task = member.tasks.get(number)
                if task is not None:
                    self._note_progress(task, computes=computes)
            case Part(number):
                task = member.tasks.get(number)
                if task is not None and task.is_wanted:
                    _put(task, received.message, received.file)
            case Dropped(number, reason):
                task = member.tasks.pop(number, None)
                if task is not None:
                    task.end()
                    _fail(task, Overloaded(reason) if reason else self._waited_too_long(task))
                self._after_job(member)
            case Answer():
                self._finish(member, received.message, received.file)
                self._after_job(member)

    def take_back(self, member: Member) -> None:
        """Queue the jobs of a process that has ended again, or end them; called by the roster."""
        for task in reversed(member.tasks.values()):
            if not task.is_wanted:
                task.end()
                continue
            if task.parts.have_begun:
                _fail(task, EngineError("the process that read for the request died after a part of the answer"))
                task.end()
                continue
            task.deaths += task.has_begun and not member.is_condemned
            if task.deaths >= _MAX_DEATHS:
                _fail(task, EngineError(f"processes died {task.deaths} times while they computed for the request"))
                task.end()
                continue
            if self._refusal is not None and not self._roster.can_work:
                _fail(task, self._refusal)
                task.end()
                continue
            task.has_begun = task.computes = False
            task.member = None
            self._watch(task, math.inf)
            self._queue.appendleft(task)
            self._limit_waiting(task)
        member.tasks.clear()
        self.dispatch()

    def _tasks(self) -> list[Task]:
        assigned = [task for member in self._roster.members for task in member.tasks.values()]
        return [task for task in (*assigned, *self._queue) if task.is_wanted]

    def _is_full(self) -> bool:
        tasks = self._tasks()
        begun = sum(task.has_begun for task in tasks)
        # A job that has been handed over to an idle process begins at once, but has not said so yet.
        starting = max(0, self._limits.max_running - begun)
        return len(tasks) - begun >= self._limits.max_waiting + starting

    def _room(self) -> int:
        """Return how many jobs a process may have."""
        if all(member.is_loaded for member in self._roster.members):
            return self._limits.max_jobs
        # What waits is left for those that are still loading.
        return self._running_per_process

    @property
    def _running_per_process(self) -> int:
        return self._limits.max_running // self._limits.processes

    def _withdraw(self, task: Task) -> None:
        """Let go of a job for whose answer nobody waits any more."""
        member = task.member
        if member is not None and task.job.number in member.tasks:
            self._roster.send(member, Cancel(task.job.number))
            # It ends before its next stage, unless that never comes.
            task.watch(_KILL_SECONDS, self._end_stuck)
            return
        task.end()
        if task in self._queue:
            self._queue.remove(task)

    def _limit_waiting(self, task: Task) -> None:
        seconds = min(self._limits.queue_timeout, task.job.arrival + task.job.seconds - time.perf_counter())
        task.limit_waiting(seconds, self._end_waiting)

    def _end_waiting(self, task: Task) -> None:
        if task.has_begun or not task.is_wanted:
            return
        if not any(member.is_loaded for member in self._roster.members):
            _fail(task, not_ready())
            return
        _fail(task, self._waited_too_long(task))

    def _waited_too_long(self, task: Task) -> OcrError:
        return Deadline(min(self._limits.queue_timeout, task.job.seconds)).expired()

    def _note_progress(self, task: Task, *, computes: bool) -> None:
        """Watch a job for the time that it may take until it says something again."""
        if not task.is_wanted:  # `_withdraw` has it watched
            return
        task.computes = computes
        self._watch(task, task.job.page_seconds if computes else math.inf)

    def _watch(self, task: Task, seconds: float) -> None:
        remaining = task.job.arrival + task.job.seconds - time.perf_counter()
        task.watch(min(seconds, remaining) + _KILL_SECONDS, self._end_stuck)

    def _acknowledge(self, task: Task) -> None:
        """Tell a process that the client has taken a part of an answer."""
        if task.member is not None and task.job.number in task.member.tasks:
            self._roster.send(task.member, Taken(task.job.number))

    def _end_stalled(self) -> None:
        """Make room for a job that waits: end the one whose client has not taken its answer for the longest time."""
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        tasks = [task for member in self._roster.members for task in member.tasks.values()]
        stalled = [task for task in tasks if task.parts.waiting_seconds and not task.computes]
        if not stalled or not all(task.is_wanted for task in tasks):  # those that are unwanted make room soon
            return
        slowest = max(stalled, key=lambda task: task.parts.waiting_seconds)
        rest = _STALLED_SECONDS - slowest.parts.waiting_seconds
        if rest > 0:
            self._next_look = asyncio.get_running_loop().call_later(rest, self.dispatch)
        else:
            _fail(slowest, Overloaded("the answer is taken too slowly while others wait; take it at once"))

    def _end_stuck(self, task: Task) -> None:
        deadline = Deadline(task.job.seconds, task.job.arrival, task.job.page_seconds)
        deadline.begin()
        _fail(task, deadline.expired() if deadline.remaining <= 0 else deadline.page_expired())
        if task.member is not None and task.job.number in task.member.tasks:
            _log.error(
                "id=%s does not end: process %d is ended and replaced", task.job.request_id, task.member.process.pid
            )
            self._roster.condemn(task.member)

    def _finish(self, member: Member, answer: Answer, file: int | None) -> None:
        task = member.tasks.pop(answer.number, None)
        if task is not None:
            task.end()
            if task.is_wanted:
                _answer(task, answer, file)
            else:
                task.unsent(answer)
        self._roster.note_answer(member, answer.memory_mb)

    def _after_job(self, member: Member) -> None:
        self._roster.note_end_of_job(member)
        self.dispatch()


def _answer(task: Task, answer: Answer, file: int | None) -> None:
    body = _content(task, file)
    if body is not None:
        task.answer.set_result(Reply(answer, body))


def _put(task: Task, part: Part, file: int | None) -> None:
    data = _content(task, file) if part.is_in_file else part.data
    if data is not None:
        task.parts.put(PieceOfAnswer(part.status, part.headers, data))


def _content(task: Task, file: int | None) -> bytes | None:
    """Return what is in the file of a message about a job; None after the job has failed for want of it."""
    try:
        if file is not None:  # else the kernel had none left for it
            return read_body(file)
    except (OSError, MemoryError):
        pass
    _fail(task, Overloaded("the server has no memory or files left for the answer; try again later"))
    return None


def _fail(task: Task, error: OcrError) -> None:
    if not task.answer.done():
        task.answer.set_exception(error)
