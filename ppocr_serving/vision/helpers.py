"""Helper processes that handle hostile files: started on demand, idle for a minute at most, ended with their owner.

A helper forks a process with limits for each piece of work (see `ppocr_serving.vision.forking`), so that what a file
does to that process is over when it ends.
"""

import atexit
import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["MAX_MESSAGE", "Helper", "Helpers", "end_idle_processes", "memory_file", "write_all"]

MAX_MESSAGE: Final = 4096
"""Bytes of a request or an answer."""
_IDLE_SECONDS = 60.0
# All that a helper gets of the environment, which may hold keys and passwords: what libraries are found and run by.
_ENVIRONMENT: Final = (
    *("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "OPENBLAS_CORETYPE"),
    *("LANG", "LC_ALL", "TZ", "TMPDIR"),
)
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}  # a helper is forked
_CHECK_MILLISECONDS = 100  # how often somebody who waits for an answer looks whether it is still wanted


class Helper:
    """A process that makes another one for each piece of work.

    Args:
        module: The module whose `serve` runs in it, given the descriptor of its connection.
    """

    def __init__(self, module: str) -> None:
        self._connection, others = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with others:
                self._process = _start(module, others.fileno())
        except BaseException:
            self._connection.close()
            raise
        self.idle_since = 0.0

    def ask(self, message: bytes, files: tuple[int, ...] = (), check: Callable[[], None] | None = None) -> bytes:
        """Send a request and wait for its answer.

        Args:
            message: The request, at most `MAX_MESSAGE` bytes.
            files: Descriptors to send with it.
            check: Called ten times per second while waiting; raises if the answer is not wanted any more. The process
                must then be ended.

        Raises:
            OSError: The process has ended.
        """
        socket.send_fds(self._connection, [message], files)
        if check is not None:
            arrival = select.poll()
            arrival.register(self._connection, select.POLLIN)
            while not arrival.poll(_CHECK_MILLISECONDS):
                check()
        answer = self._connection.recv(MAX_MESSAGE)
        if not answer:
            raise BrokenPipeError(errno.EPIPE, "the process has ended")
        return answer

    def forget(self) -> None:
        """Let go of a process that belongs to the process that this one was forked from."""
        self._connection.close()
        self._process.returncode = 0

    def end(self) -> None:
        """End it, with all that it has forked."""
        self._connection.close()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _start(module: str, connection: int) -> "subprocess.Popen[bytes]":
    # Without the site module, whose .pth files may import anything, but with what they have added to the path.
    path = [str(Path(entry).absolute()) for entry in sys.path]
    package, _, name = module.rpartition(".")
    program = f"import sys; sys.path[:] = {path!r}; from {package} import {name}; {name}.serve({connection})"
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a broken file can make decoders print megabytes
        pass_fds=[connection],
        cwd="/",
        env={**{name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}, **_ONE_THREAD},
        process_group=0,
    )


class Helpers:
    """Helpers of this process: as many as there are files at a time.

    Args:
        module: As for `Helper`.
        purpose: What they are for, in messages: "decodes pictures".
    """

    def __init__(self, module: str, purpose: str) -> None:
        self._module = module
        self._purpose = purpose
        self._lock = threading.Lock()
        self._idle: list[Helper] = []
        self._timer: threading.Timer | None = None
        os.register_at_fork(after_in_child=self.forget)
        _all.append(self)

    def ask(self, message: bytes, files: tuple[int, ...], check: Callable[[], None] | None = None) -> bytes:
        """Have a request answered by one that is idle, or by a new one.

        Args:
            message: As for `Helper.ask`.
            files: Likewise.
            check: Likewise; the helper is ended if it raises.

        Raises:
            OSError: None can be started.
            MemoryError: It has ended although it is new.
        """
        helper, answer = self.begin(message, files, check)
        self.put_back(helper)
        return answer

    def begin(
        self, message: bytes, files: tuple[int, ...], check: Callable[[], None] | None = None
    ) -> tuple[Helper, bytes]:
        """As `ask`, but return the helper with its answer: the caller puts it back, or ends it.

        Raises:
            OSError: None can be started.
            MemoryError: It has ended although it is new.
        """
        while True:
            with self._lock:
                helper = self._idle.pop() if self._idle else None
            is_new = helper is None
            helper = helper or Helper(self._module)
            try:
                return helper, helper.ask(message, files, check)
            except OSError as error:
                helper.end()
                if is_new:
                    raise MemoryError(f"the process that {self._purpose} has ended") from error
                continue  # it had already ended
            except BaseException:  # an answer that nobody waits for is on its way
                helper.end()
                raise

    def put_back(self, helper: Helper) -> None:
        """Return a helper that has answered everything."""
        with self._lock:
            helper.idle_since = time.monotonic()
            self._idle.append(helper)
            self._watch()

    def forget(self) -> None:
        """Let go of all in a process that has been forked."""
        for helper in self._idle:
            helper.forget()
        self._lock = threading.Lock()  # another thread may have held it
        self._idle = []
        self._timer = None

    def end_idle(self, seconds: float = 0.0) -> None:
        """End those that have been idle for some time."""
        with self._lock:
            limit = time.monotonic() - seconds
            ended = [helper for helper in self._idle if helper.idle_since <= limit]
            self._idle = [helper for helper in self._idle if helper.idle_since > limit]
            self._timer = None
            self._watch()
        for helper in ended:
            helper.end()

    def _watch(self) -> None:
        if self._idle and self._timer is None:
            self._timer = threading.Timer(_IDLE_SECONDS, self.end_idle, [_IDLE_SECONDS / 2])
            self._timer.daemon = True
            self._timer.start()


_all: Final[list[Helpers]] = []  # one for each kind of file


@atexit.register
def end_idle_processes() -> None:
    """End the processes that wait for files; they are started again when there are some."""
    for helpers in _all:
        helpers.end_idle()


@contextlib.contextmanager
def memory_file() -> Iterator[int]:
    """Yield the descriptor of a file in memory, which is closed at the end of the block."""
    file = os.memfd_create("ppocr-file", os.MFD_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


def write_all(file: int, data: bytes) -> None:
    """Write bytes to a file."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
