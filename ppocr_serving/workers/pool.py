"""The worker processes of a server: which of them gets a job, and what happens when one ends."""

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable

from ppocr_serving.errors import EngineError, NotReady, OcrError, Overloaded
from ppocr_serving.reading.deadline import Deadline
from ppocr_serving.workers.members import Body, Member, PoolLimits, Task, wait_for_exit
from ppocr_serving.workers.memory import MemoryLimit
from ppocr_serving.workers.messages import (
    Answer,
    Begun,
    Cancel,
    Dropped,
    Job,
    Loaded,
    Message,
    Ready,
    Received,
    Reply,
    TryOut,
    close_file,
    read_body,
)
from ppocr_serving.workers.process import Crew, describe_exit
from ppocr_serving.workers.worker import FAILED_START

__all__ = ["WorkerPool"]

_log = logging.getLogger(__name__)

# A job may overstay its deadline by an engine's call. After this, whatever it is in will not end: a decoder or a
# network that nothing can interrupt, but the end of its process.
_KILL_SECONDS = 10.0
# A process over its memory limit exits before its replacement starts, since memory may not suffice for both. If its
# last requests take longer than this, the replacement starts anyway, so that new requests need not wait.
_EXCLUSIVE_SECONDS = 5.0
_MAX_DEATHS = 2  # of processes that compute for the same job
_MAX_RESTART_SECONDS = 30.0
_END_SECONDS = 1.0  # a process has hundreds of megabytes to return
_START_AGAIN_SECONDS = 1.0  # when the system has no process, memory or file left for one


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
        self._start_process = crew.start
        self._limits = limits
        self._when_ready = when_ready
        self._give_up = give_up
        self._members = [Member(process) for process in crew.first]
        self._queue: deque[Task] = deque()
        self._memory_limit = MemoryLimit(limits.max_memory_mb)
        self._was_loaded = False
        self._was_ready = False
        self._failures = 0
        self._refusal: OcrError | None = None
        self._ready = asyncio.Event()
        self._refused = asyncio.Event()
        self._cleaning: set[asyncio.Task[None]] = set()

    def attach(self) -> None:
        """Begin to listen to the first processes."""
        for member in self._members:
            self._listen(member)

    @property
    def is_ready(self) -> bool:
        """Whether a process has loaded its models and run them once."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Wait until a process is ready.

        Raises:
            NotReady: None is when the wait times out.
            Overloaded: The server stops.
        """
        waits = {asyncio.ensure_future(event.wait()) for event in (self._ready, self._refused)}
        try:
            await asyncio.wait(waits, timeout=self._limits.queue_timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._refusal is not None:
            raise self._refusal
        if not self.is_ready:
            raise _not_ready()

    async def answer(self, job: Job, body: Body) -> Reply:
        """Have a worker process answer a job.

        Args:
            job: The job.
            body: Its body, which stays open until this returns.

        Raises:
            Overloaded: The queue is full, the wait for a turn ran out, no memory or file is left, or the server stops.
            NotReady: The models were still being loaded when the wait ran out.
            DeadlineExceeded: It did not end when its time was over, so its process was ended.
            EngineError: Processes died of it.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._is_full():
            raise Overloaded(f"the queue is full ({self._limits.max_waiting} may wait); try again later")
        loop = asyncio.get_running_loop()
        task = Task(job, body, loop.create_future())
        self._queue.append(task)
        self._dispatch()
        self._limit_waiting(task)
        stuck_seconds = job.arrival + job.seconds - time.perf_counter() + _KILL_SECONDS
        task.watch(stuck_seconds, self._end_stuck)
        try:
            return await task.answer
        finally:
            task.has_waited()
            self._withdraw(task)

    def refuse(self, error: OcrError) -> None:
        """Refuse new jobs, and those that wait, with an error."""
        self._refusal = error
        self._refused.set()
        for task in self._tasks():
            if not task.has_begun:
                _fail(task, error)

    def fail_all(self, error: OcrError) -> None:
        """End all jobs with an error."""
        for task in self._tasks():
            _fail(task, error)

    def reap_orphans(self) -> None:
        """Let go of ended processes that have become our children, as they do of process 1 in a container."""
        own = {member.process.pid for member in self._members}
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None or ended.si_pid in own:  # what is ours is dealt with when its channel ends
                return
            os.waitpid(ended.si_pid, 0)

    def stop(self) -> None:
        """Tell all processes to end, whatever they do."""
        self._refusal = self._refusal or _stopping()
        for member in self._members:
            member.process.channel.end()

    async def wait_stopped(self) -> None:
        """Wait, after `stop`, until the processes have ended; those that do not are killed."""
        for _ in range(2):
            end = time.monotonic() + _END_SECONDS
            while self._members and time.monotonic() < end:
                await asyncio.sleep(_END_SECONDS / 100)
            for member in self._members:
                member.process.kill()

    def _tasks(self) -> list[Task]:
        assigned = [task for member in self._members for task in member.tasks.values()]
        return [task for task in (*assigned, *self._queue) if task.is_wanted]

    def _is_full(self) -> bool:
        tasks = self._tasks()
        begun = sum(task.has_begun for task in tasks)
        # A job that has been handed over to an idle process begins at once, but has not said so yet.
        starting = max(0, self._limits.max_running - begun)
        return len(tasks) - begun >= self._limits.max_waiting + starting

    def _dispatch(self) -> None:
        while self._queue:
            candidates = [member for member in self._members if member.takes_jobs and len(member.tasks) < self._room()]
            if not candidates:
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
                self._send(member, task.job, file)

    def _room(self) -> int:
        """Return how many jobs a process may have."""
        if all(member.is_loaded for member in self._members):
            return self._limits.max_jobs
        # What waits is left for those that are still loading.
        return self._limits.max_running // self._limits.processes

    def _send(self, member: Member, message: Message, file: int | None = None) -> None:
        try:
            member.process.channel.send(message, file)
        except ConnectionError:
            # It has died: when its end is noticed, its jobs go to another one.
            member.is_retiring = True
        except OSError:  # it does not read
            self._condemn(member)

    def _condemn(self, member: Member) -> None:
        member.is_retiring = member.is_condemned = True
        member.process.kill()

    def _withdraw(self, task: Task) -> None:
        """Let go of a job for whose answer nobody waits any more."""
        member = task.member
        if member is not None and task.job.number in member.tasks:
            self._send(member, Cancel(task.job.number))
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
        if not any(member.is_loaded for member in self._members):
            _fail(task, _not_ready())
            return
        _fail(task, self._waited_too_long(task))

    def _waited_too_long(self, task: Task) -> Overloaded:
        seconds = min(self._limits.queue_timeout, task.job.seconds)
        return Overloaded(f"the request waited {seconds:g} seconds without being started; try again later")

    def _end_stuck(self, task: Task) -> None:
        deadline = Deadline(task.job.seconds, task.job.arrival)
        deadline.begin()
        _fail(task, deadline.expired())
        if task.member is not None and task.job.number in task.member.tasks:
            _log.error(
                "id=%s does not end: process %d is ended and replaced", task.job.request_id, task.member.process.pid
            )
            self._condemn(task.member)

    def _listen(self, member: Member) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(member.process.channel.fileno(), self._receive, member)
        loop.add_reader(member.process.output, self._read_output, member)

    def _read_output(self, member: Member) -> None:
        if not member.process.read_output():
            asyncio.get_running_loop().remove_reader(member.process.output)

    def _receive(self, member: Member) -> None:
        try:
            received = member.process.channel.receive()
        except BlockingIOError:
            return
        except OSError as error:
            _log.error("process %d: a message is lost (%s)", member.process.pid, error)
            self._condemn(member)
            return
        if received is None:
            asyncio.get_running_loop().remove_reader(member.process.channel.fileno())
            cleaning = asyncio.get_running_loop().create_task(self._bury(member))
            self._cleaning.add(cleaning)
            cleaning.add_done_callback(self._cleaning.discard)
            return
        try:
            self._handle(member, received)
        finally:
            close_file(received.file)

    def _handle(self, member: Member, received: Received) -> None:
        match received.message:
            case Loaded(memory_mb):
                member.is_loaded = self._was_loaded = True
                self._memory_limit.begin(memory_mb)
                self._dispatch()
                # A request that is waiting is answered before that picture is read: platforms start a process for one.
                if not member.tasks:
                    self._try_out(member)
            case Ready():
                member.is_ready = self._was_ready = True
                self._failures = 0
                if not self._ready.is_set():
                    self._ready.set()
                    self._when_ready()
            case Begun(number):
                task = member.tasks.get(number)
                if task is not None:
                    task.has_begun = True
            case Dropped(number, reason):
                task = member.tasks.pop(number, None)
                if task is not None:
                    task.end()
                    _fail(task, Overloaded(reason) if reason else self._waited_too_long(task))
                self._after_job(member)
            case Answer():
                self._finish(member, received.message, received.file)
                self._after_job(member)

    def _finish(self, member: Member, answer: Answer, file: int | None) -> None:
        member.answered += 1
        task = member.tasks.pop(answer.number, None)
        if task is not None:
            task.end()
            _answer(task, answer, file)
        if any(other.is_retiring for other in self._members):
            return
        member.is_retiring = self._memory_limit.is_exceeded(member.process.pid, answer.memory_mb, member.answered)
        if member.is_retiring:
            asyncio.get_running_loop().call_later(_EXCLUSIVE_SECONDS, self._replace_early, member)

    def _after_job(self, member: Member) -> None:
        self._try_out(member)
        if member.is_retiring and not member.tasks:
            member.process.channel.end()
        self._dispatch()

    def _try_out(self, member: Member) -> None:
        if not member.is_tried_out:
            member.is_tried_out = True
            self._send(member, TryOut())

    def _replace_early(self, member: Member) -> None:
        if member in self._members and not member.has_replacement:
            member.has_replacement = True
            self._add_member()

    def _add_member(self) -> None:
        if self._refusal is not None:
            return
        try:
            member = Member(self._start_process())
        except OSError as error:
            _log.error("cannot start a process (%s); trying again", error)
            asyncio.get_running_loop().call_later(_START_AGAIN_SECONDS, self._add_member)
            return
        self._members.append(member)
        self._listen(member)

    async def _bury(self, member: Member) -> None:
        """Deal with the end of a process."""
        status = await wait_for_exit(member.process.pid)
        asyncio.get_running_loop().remove_reader(member.process.output)
        member.process.read_output()
        self._members.remove(member)
        member.process.close()
        if not any(other.is_ready for other in self._members):
            self._ready.clear()
        if self._refusal is None:
            self._report(member, status)
        self._retry(member)
        if self._refusal is not None or member.has_replacement:
            return
        if self._cannot_start(status):
            self._give_up()
            return
        if not member.is_ready:
            self._failures += 1
            await asyncio.sleep(min(_MAX_RESTART_SECONDS, 2.0 ** min(self._failures, 10) / 2))
        self._add_member()

    def _cannot_start(self, status: int) -> bool:
        """Return whether a process has ended in a way in which all of them will."""
        if not self._was_loaded:
            return True
        # Some faults of models show only when they are run.
        return not self._was_ready and os.waitstatus_to_exitcode(status) == FAILED_START

    def _report(self, member: Member, status: int) -> None:
        if member.is_retiring and os.waitstatus_to_exitcode(status) == 0:
            return
        words = f"; it said: {member.process.last_words}" if member.process.last_words else ""
        if not self._cannot_start(status):
            _log.error("process %d has died (%s) and is replaced%s", member.process.pid, describe_exit(status), words)
        elif os.waitstatus_to_exitcode(status) < 0:
            # Damaged model files crash the process outside Python, where nothing can catch it.
            _log.error(
                "cannot start: process %d died while loading the models (%s); check their files and the free memory%s",
                member.process.pid,
                describe_exit(status),
                words,
            )

    def _retry(self, member: Member) -> None:
        for task in reversed(member.tasks.values()):
            if not task.is_wanted:
                task.end()
                continue
            task.deaths += task.has_begun and not member.is_condemned
            if task.deaths >= _MAX_DEATHS:
                _fail(task, EngineError(f"processes died {task.deaths} times while they computed for the request"))
                task.end()
                continue
            if self._refusal is not None and not any(other.takes_jobs for other in self._members):
                _fail(task, self._refusal)
                task.end()
                continue
            task.has_begun = False
            task.member = None
            self._queue.appendleft(task)
            self._limit_waiting(task)
        member.tasks.clear()
        self._dispatch()


def _answer(task: Task, answer: Answer, file: int | None) -> None:
    try:
        if file is None:
            raise OSError("no file is left for the answer")
        body = read_body(file)
    except (OSError, MemoryError):
        _fail(task, Overloaded("the server has no memory or files left for the answer; try again later"))
        return
    if task.is_wanted:
        task.answer.set_result(Reply(answer, body))


def _fail(task: Task, error: OcrError) -> None:
    if not task.answer.done():
        task.answer.set_exception(error)


def _not_ready() -> NotReady:
    return NotReady("the models are still being loaded; try again later")


def _stopping() -> Overloaded:
    return Overloaded("the server is stopping; try again later")
