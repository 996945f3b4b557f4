"""How many requests are let in: a bounded, fair queue, and a bound on the bytes that wait in it."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ppocr_serving.errors import Overloaded

__all__ = ["Admission", "Buffer"]


class Admission:
    """Lets a few requests work at a time, makes some wait in order, and refuses the rest at once.

    Args:
        running: Requests that may work at the same time, at least 1.
        waiting: Requests that may wait for their turn.
        timeout: Seconds that a request may wait.
        buffered_bytes: Bytes of request bodies that may be held at the same time, of waiting and working requests.
    """

    def __init__(self, running: int, waiting: int, timeout: float, buffered_bytes: int) -> None:
        self._lock = threading.Lock()
        self._free = running
        self._limit = waiting
        self._timeout = timeout
        self._room = buffered_bytes
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def buffer(self) -> Iterator["Buffer"]:
        """Holds the room that one request's body takes while it arrives and until it has been answered.

        A few large bodies that arrive together would otherwise exhaust the memory long before the queue is full.
        """
        buffer = Buffer(self._take)
        try:
            yield buffer
        finally:
            self._take(-buffer.size)

    def _take(self, size: int) -> None:
        with self._lock:
            if size > self._room:
                raise Overloaded("the server holds all the request bodies it has room for; try again later")
            self._room -= size

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a turn, first come first served, and holds it for the enclosed block.

        Raises:
            Overloaded: The queue is full, or the wait ran out.
        """
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._queue) >= self._limit:
                raise Overloaded(f"all places are taken and {self._limit} requests are waiting; try again later")
            ticket = threading.Event()
            self._queue.append(ticket)
        if ticket.wait(self._timeout):
            return
        with self._lock:
            if ticket.is_set():  # the turn came between the end of the wait and the lock
                return
            self._queue.remove(ticket)
        raise Overloaded(f"no turn within {self._timeout:g} seconds; try again later")

    def _leave(self) -> None:
        with self._lock:
            # The turn passes on to the longest waiting request directly, so that no newcomer can slip in between.
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1


class Buffer:
    """The room that one request's body takes.

    Args:
        take: Takes room for bytes, or raises Overloaded.

    Attributes:
        size: Bytes taken so far.
    """

    def __init__(self, take: Callable[[int], None]) -> None:
        self._take = take
        self.size = 0

    def take(self, size: int) -> None:
        """Takes room for `size` more bytes.

        Raises:
            Overloaded: There is none now.
        """
        self._take(size)
        self.size += size
