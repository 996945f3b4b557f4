"""One worker process, as the server sees it."""

import contextlib
import faulthandler
import logging
import os
import signal
import stat
import sys
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple, NoReturn

from ppocr_serving.workers.messages import Channel

__all__ = ["Crew", "WorkerProcess", "describe_exit", "flush_output"]

_log = logging.getLogger(__name__)

_PIPE_BYTES = 2**16  # as much as a pipe holds
_MAX_LAST_WORDS = 2000  # bytes


class WorkerProcess:
    """A worker process, from its start until its end has been dealt with.

    What libraries print in it goes into a pipe: it is no part of the log, and a broken picture can make them print
    megabytes. The last of it is kept, since it says why a process has died.

    Args:
        run: Runs in the new process, and never returns.
        kept: Descriptors that the new process keeps although the server also uses them, for its log.

    Attributes:
        pid: Process id.
        channel: The server's end.
    """

    def __init__(self, run: Callable[[Channel], NoReturn], kept: Collection[int]) -> None:
        flush_output()
        self._output, output = os.pipe()
        try:
            self.channel, others = Channel.pair()
        except OSError:
            os.close(self._output)
            os.close(output)
            raise
        self._last_words = b""
        try:
            self.pid = os.fork()
        except OSError:
            others.close()
            os.close(output)
            self.close()
            raise
        if not self.pid:
            try:
                _become_worker(output, {0, 1, 2, others.fileno(), *kept})
                run(others)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        others.close()
        os.close(output)
        os.set_blocking(self._output, False)
        self.channel.set_blocking(False)

    @property
    def output(self) -> int:
        """Descriptor that is readable when the process has printed something, and at its end."""
        return self._output

    @property
    def last_words(self) -> str:
        """The end of what the process has printed, in one line."""
        return " ".join(self._last_words.decode("utf-8", "replace").split())

    def read_output(self) -> bool:
        """Take what the process has printed.

        Returns:
            False at the end.
        """
        try:
            part = os.read(self._output, _PIPE_BYTES)
        except BlockingIOError:
            return True
        self._last_words = (self._last_words + part)[-_MAX_LAST_WORDS:]
        return bool(part)

    def kill(self) -> None:
        """End the process at once."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            _log.debug("process %d has already ended", self.pid)

    def close(self) -> None:
        """Close the descriptors; the process then ends if it still runs."""
        self.channel.close()
        os.close(self._output)


class Crew(NamedTuple):
    """Processes that do the same work.

    Attributes:
        start: Starts another one.
        first: Those that have been started.
    """

    start: Callable[[], WorkerProcess]
    first: tuple[WorkerProcess, ...]


def describe_exit(status: int) -> str:
    """Return in words how a process has ended.

    Args:
        status: As returned by `os.waitpid`.
    """
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def flush_output() -> None:
    """Write what is buffered for standard output and error: a new process would write it again, an ended one never."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # Python has none for a file that was closed when it started
            with contextlib.suppress(OSError):
                stream.flush()


def _become_worker(output: int, kept: Collection[int]) -> None:
    """Let go of everything that belongs to the server alone."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):  # the server decides when a worker ends
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(output, 1)
    os.dup2(output, 2)
    faulthandler.enable(2, all_threads=False)  # the others' frames would push the reason out of the last words
    for link in Path("/proc/self/fd").iterdir():
        file = int(link.name)
        if file not in kept and _belongs_to_server(file):
            os.close(file)


def _belongs_to_server(file: int) -> bool:
    # Clients' connections would stay open as long as a worker has them, too.
    try:
        target = os.readlink(f"/proc/self/fd/{file}")  # noqa: PTH115  # `Path` would change what is no path
        return stat.S_ISSOCK(os.fstat(file).st_mode) or target.startswith(("anon_inode:[eventpoll]", "/memfd:ppocr"))
    except OSError:
        return False
