"""Bounded, fair queue of requests."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from ppocr_serving.errors import Overloaded

__all__ = ["Turns"]


class Turns:
    """Let a few requests run at a time, make some wait in order, and refuse the rest at once.

    Args:
        running: Requests that may run at the same time, at least 1.
        waiting: Requests that may wait for their turn.
        timeout: Seconds that a request may wait.
    """

    def __init__(self, running: int, waiting: int, timeout: float) -> None:
        self._lock = threading.Lock()
        self._free = running
        self._limit = waiting
        self._timeout = timeout
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, first come first served, and hold it for the enclosed block.

        Raises:
            Overloaded: The queue is full, or the wait timed out.
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
                raise Overloaded(f"the queue is full: {self._limit} requests are waiting; try again later")
            ticket = threading.Event()
            self._queue.append(ticket)
        if ticket.wait(self._timeout):
            return
        with self._lock:
            if ticket.is_set():  # the turn came between the timeout and the lock
                return
            self._queue.remove(ticket)
        raise Overloaded(f"the request waited {self._timeout:g} seconds without being started; try again later")

    def _leave(self) -> None:
        with self._lock:
            # The turn passes directly to the request that has waited longest, so that no newcomer can jump the queue.
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1
