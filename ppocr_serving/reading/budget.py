"""A bound on the bytes of request bodies that are in memory at the same time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ppocr_serving.errors import Overloaded

__all__ = ["Budget", "Share"]


class Budget:
    """Room for the bodies of all requests, of waiting and of working ones.

    Args:
        size: Bytes.
    """

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._room = size

    @contextmanager
    def share(self) -> Iterator["Share"]:
        """Hold the room that one request's body takes while it arrives and until it has been answered.

        A few large bodies that arrive together would otherwise exhaust the memory long before the queue is full.
        """
        share = Share(self._take)
        try:
            yield share
        finally:
            self._take(-share.size)

    def _take(self, size: int) -> None:
        with self._lock:
            if size > self._room:
                raise Overloaded("the server holds all the request bodies it has room for; try again later")
            self._room -= size


class Share:
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
        """Take room for `size` more bytes.

        Raises:
            Overloaded: There is none now.
        """
        self._take(size)
        self.size += size
