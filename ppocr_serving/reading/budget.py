"""Limit on the total bytes of request bodies in memory."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ppocr_serving.errors import Overloaded

__all__ = ["Budget", "Share"]


class Budget:
    """Room for the bodies of all requests, both waiting and running.

    Args:
        size: Bytes.
    """

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._room = size

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """Hold the room for one request's body from its arrival until the request has been answered.

        Otherwise a few large bodies arriving together would exhaust the memory long before the queue is full.
        """
        share = Share(self._take)
        try:
            yield share
        finally:
            self._take(-share.size)

    def _take(self, size: int) -> None:
        with self._lock:
            if size > self._room:
                raise Overloaded("the server has no room for more request bodies; try again later")
            self._room -= size


class Share:
    """The room that one request's body takes.

    Args:
        take: Takes room for a number of bytes, or raises Overloaded.

    Attributes:
        size: Bytes taken so far.
    """

    def __init__(self, take: Callable[[int], None]) -> None:
        self._take = take
        self.size = 0

    def take(self, size: int) -> None:
        """Take room for `size` more bytes.

        Raises:
            Overloaded: There is not enough room at the moment.
        """
        self._take(size)
        self.size += size
