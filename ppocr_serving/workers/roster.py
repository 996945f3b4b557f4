"""The worker processes of a server while they run: started, listened to, ended and replaced."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Protocol

from ppocr_serving.workers.members import Member, wait_for_exit
from ppocr_serving.workers.memory import MemoryLimit
from ppocr_serving.workers.messages import Loaded, Message, Ready, Received, TryOut, close_file
from ppocr_serving.workers.process import Crew, describe_exit
from ppocr_serving.workers.worker import FAILED_START

__all__ = ["Jobs", "Roster"]

_log = logging.getLogger(__name__)

# A process over its memory limit exits before its replacement starts, since memory may not suffice for both. If its
# last requests take longer than this, the replacement starts anyway, so that new requests need not wait.
_EXCLUSIVE_SECONDS = 5.0
_MAX_RESTART_SECONDS = 30.0
_END_SECONDS = 1.0  # a process has hundreds of megabytes to return
# Loading the models and reading the small picture take a second, or a minute where models come from a slow disk and are
# compiled with a share of a CPU. What takes longer than this will not end: a file system or a library waits for ever.
_MAX_LOADING_SECONDS = 300.0
_MAX_TRYING_OUT_SECONDS = 300.0
_START_AGAIN_SECONDS = 1.0  # when the system has no process, memory or file left for one


class Jobs(Protocol):
    """What a roster's processes work on."""

    def receive(self, member: Member, received: Received) -> None:
        """Take a process's message about a job."""
        ...

    def dispatch(self) -> None:
        """Hand out jobs that wait, because a process may take some."""
        ...

    def take_back(self, member: Member) -> None:
        """Deal with the jobs of a process that has ended."""
        ...


class Roster:
    """The processes of a pool, which are replaced when they end or grow too large.

    Everything must be called in the event loop.

    Args:
        crew: The first processes, and how to start more.
        max_memory_mb: Resident memory in MiB above which a process is replaced; 0 replaces none.
        jobs: What they work on.
        when_ready: Called when a process becomes ready while no other one is.
        give_up: Called if the models cannot be loaded at all.

    Attributes:
        members: The processes that have not ended.
        ready: Set while a process has loaded its models and run them once.
        started: Number of processes that have been started.
        died: Number of those that have ended unexpectedly.
        outgrown: Number of those that were replaced because they had grown too large.
    """

    def __init__(
        self,
        crew: Crew,
        max_memory_mb: int,
        jobs: Jobs,
        when_ready: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        self.members = [Member(process) for process in crew.first]
        self.ready = asyncio.Event()
        self.started = len(self.members)
        self.died = 0
        self.outgrown = 0
        self._start_process = crew.start
        self._memory_limit = MemoryLimit(max_memory_mb)
        self._jobs = jobs
        self._when_ready = when_ready
        self._give_up = give_up
        self._was_loaded = False
        self._was_ready = False
        self._failures = 0
        self._is_closed = False
        self._cleaning: set[asyncio.Task[None]] = set()

    def attach(self) -> None:
        """Begin to listen to the first processes."""
        for member in self.members:
            self._listen(member)

    @property
    def can_work(self) -> bool:
        """Whether a process takes jobs."""
        return any(member.takes_jobs for member in self.members)

    def send(self, member: Member, message: Message, file: int | None = None) -> None:
        """Send a process a message; one that cannot be reached gets no more jobs."""
        try:
            member.process.channel.send(message, file)
        except ConnectionError:
            # It has died: when its end is noticed, its jobs go to another one.
            member.is_retiring = True
        except OSError:  # it does not read
            self.condemn(member)

    def condemn(self, member: Member) -> None:
        """End a process at once; its jobs go to another one."""
        member.is_retiring = member.is_condemned = True
        member.process.kill()

    def note_answer(self, member: Member, memory_mb: float) -> None:
        """Note that a process has answered a job; it is replaced if it has grown too large.

        Args:
            member: The process.
            memory_mb: Its resident memory in MiB.
        """
        member.answered += 1
        if any(other.is_retiring for other in self.members):
            return
        member.is_retiring = self._memory_limit.is_exceeded(member.process.pid, memory_mb, member.answered)
        if member.is_retiring:
            self.outgrown += 1
            asyncio.get_running_loop().call_later(_EXCLUSIVE_SECONDS, self._replace_early, member)

    def note_end_of_job(self, member: Member) -> None:
        """Note that a process has one job less."""
        self._try_out(member)
        if member.is_retiring and not member.tasks:
            member.process.channel.end()

    def close(self) -> None:
        """Replace no process from now on."""
        self._is_closed = True

    def reap_orphans(self) -> None:
        """Let go of ended processes that have become our children, as they do of process 1 in a container."""
        own = {member.process.pid for member in self.members}
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
        self.close()
        for member in self.members:
            member.process.channel.end()

    async def wait_stopped(self) -> None:
        """Wait, after `stop`, until the processes have ended; those that do not are killed."""
        for _ in range(2):
            end = time.monotonic() + _END_SECONDS
            while self.members and time.monotonic() < end:
                await asyncio.sleep(_END_SECONDS / 100)
            for member in self.members:
                member.process.kill()

    def _listen(self, member: Member) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(member.process.channel.fileno(), self._receive, member)
        loop.add_reader(member.process.output, self._read_output, member)
        self._limit_preparing(member, "loading the models", _MAX_LOADING_SECONDS)

    def _limit_preparing(self, member: Member, what: str, seconds: float) -> None:
        """Have a process end if it takes far too long to prepare for jobs."""

        def end() -> None:
            member.overdue = f"{what} took more than {seconds:g} seconds"
            self.condemn(member)

        member.limit_preparing(asyncio.get_running_loop().call_later(seconds, end))

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
            self.condemn(member)
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
                member.has_prepared()
                self._memory_limit.begin(memory_mb)
                self._jobs.dispatch()
                # A request that is waiting is answered before that picture is read: platforms start a process for one.
                if not member.tasks:
                    self._try_out(member)
            case Ready():
                member.is_ready = self._was_ready = True
                member.has_prepared()
                self._failures = 0
                if not self.ready.is_set():
                    self.ready.set()
                    self._when_ready()
            case _:
                self._jobs.receive(member, received)

    def _try_out(self, member: Member) -> None:
        if not member.is_tried_out:
            member.is_tried_out = True
            self._limit_preparing(member, "the first picture", _MAX_TRYING_OUT_SECONDS)
            self.send(member, TryOut())

    def _replace_early(self, member: Member) -> None:
        if member in self.members and not member.has_replacement:
            member.has_replacement = True
            self._add_member()

    def _add_member(self) -> None:
        if self._is_closed:
            return
        try:
            member = Member(self._start_process())
        except OSError as error:
            _log.error("cannot start a process (%s); trying again", error)
            asyncio.get_running_loop().call_later(_START_AGAIN_SECONDS, self._add_member)
            return
        self.started += 1
        self.members.append(member)
        self._listen(member)

    async def _bury(self, member: Member) -> None:
        """Deal with the end of a process."""
        member.has_prepared()
        status = await wait_for_exit(member.process.pid)
        asyncio.get_running_loop().remove_reader(member.process.output)
        member.process.read_output()
        self.members.remove(member)
        member.process.close()
        if not any(other.is_ready for other in self.members):
            self.ready.clear()
        if not self._is_closed:
            self._report(member, status)
        self._jobs.take_back(member)
        if self._is_closed or member.has_replacement:
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
        self.died += 1
        reason = member.overdue or describe_exit(status)
        words = f"; it said: {member.process.last_words}" if member.process.last_words else ""
        if not self._cannot_start(status):
            _log.error("process %d has died (%s) and is replaced%s", member.process.pid, reason, words)
        elif os.waitstatus_to_exitcode(status) < 0:
            # Damaged model files crash the process outside Python, where nothing can catch it.
            _log.error(
                "cannot start: process %d died while loading the models (%s); check their files and the free memory%s",
                member.process.pid,
                reason,
                words,
            )
