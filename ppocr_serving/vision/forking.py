"""What runs in helper processes: each piece of work in a forked process with limits that the kernel enforces."""

import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from ppocr_serving.vision.helpers import MAX_MESSAGE

__all__ = ["Ended", "answer_requests", "limit_memory", "prepare_process"]

_STATM: Final = Path("/proc/self/statm")
_FAILED = 1


class Ended(msgspec.Struct, frozen=True):
    """What became of a process that has not answered.

    Attributes:
        signal: What has ended it, or 0.
        lacks_memory: Whether it has ended by itself: it got no more memory.
    """

    signal: int
    lacks_memory: bool


def prepare_process() -> None:
    """Set this process up to fork others: the owner alone decides when it ends, and nothing is dumped."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGPROF, signal.SIGCHLD):  # whatever the owner does with them
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def answer_requests(
    owner: socket.socket,
    work: Callable[[bytes, list[int]], None],
    failure: Callable[[Ended], bytes],
    is_last: Callable[[bytes], bool] = lambda _: False,
) -> None:
    """Answer requests, each in a forked process, until the other end closes the connection.

    Args:
        owner: Where requests come from.
        work: Called in the forked process with a request and the descriptors that came with it; sends the answer.
        failure: Makes the answer for a process that ended without one.
        is_last: Whether a message asks to end.
    """
    while True:
        message, files, _, _ = socket.recv_fds(owner, MAX_MESSAGE, 2)
        if not message or is_last(message):
            return
        child = os.fork()
        if not child:
            try:
                work(message, files)
                os._exit(0)
            finally:
                os._exit(_FAILED)
        for file in files:
            os.close(file)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            owner.send(failure(Ended(max(0, -code), code > 0)))


def limit_memory(size: int, *, is_final: bool = True) -> None:
    """Limit the address space of this process.

    Args:
        size: Bytes that it may take in addition to what it has.
        is_final: Whether the limit can never be raised again.
    """
    pages = int(_STATM.read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + size
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit if is_final else hard))
