"""Limit on the total bytes of request bodies in memory."""

import time
from collections.abc import Callable

from ppocr_serving.errors import OcrError, Overloaded

__all__ = ["Budget", "Share"]

_PROGRESS_BYTES = 2**16  # a body has noticeably grown if it has grown by this much
# One that has not for this long gives way to others while there is no room.
_PATIENCE_SECONDS = 1.0


class Budget:
    """Room for the bodies of all requests: those that arrive, wait, or are being answered.

    Otherwise a few large bodies arriving together would exhaust the memory long before the queue is full. Bodies that
    arrive slowly cannot occupy all of the room: the slowest one is given up when another needs it.

    Args:
        size: Bytes.
    """

    def __init__(self, size: int) -> None:
        self._room = size
        self._arriving: dict[Share, Callable[[OcrError], None]] = {}

    def share(self, give_up: Callable[[OcrError], None]) -> "Share":
        """Return the share of a request whose body begins to arrive.

        Args:
            give_up: Called with an error if the request has to end, because others need its room or the server stops.
        """
        share = Share(self)
        self._arriving[share] = give_up
        return share

    def take(self, share: "Share", size: int) -> None:
        """Take room; called by `Share`."""
        while size > self._room:
            slowest = max((other for other in self._arriving if other is not share), key=_idle_seconds, default=None)
            if slowest is None or _idle_seconds(slowest) < _PATIENCE_SECONDS:
                raise Overloaded("the server has no room for more request bodies; try again later")
            give_up = self._arriving.pop(slowest)
            slowest.release()
            give_up(Overloaded("the body arrived too slowly while others needed its room; try again later"))
        self._room -= size

    def refuse_arriving(self, error: OcrError) -> None:
        """End all requests whose bodies are not complete, with an error."""
        while self._arriving:
            _, give_up = self._arriving.popitem()
            give_up(error)

    def finish(self, share: "Share") -> None:
        """Note that a body is complete; called by `Share`."""
        self._arriving.pop(share, None)

    def give_back(self, size: int) -> None:
        """Return room; called by `Share`."""
        self._room += size


class Share:
    """The room that one request's body takes.

    Args:
        budget: Where the room comes from.

    Attributes:
        size: Bytes taken so far.
        last_progress: When the body last grew by a noticeable amount, in seconds of `time.monotonic`.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0
        self.last_progress = time.monotonic()
        self._noted = 0

    def take(self, size: int) -> None:
        """Take room for `size` more bytes, which have arrived.

        Raises:
            Overloaded: There is not enough room at the moment.
        """
        self._budget.take(self, size)
        self.size += size
        if self.size - self._noted >= _PROGRESS_BYTES:
            self._noted = self.size
            self.last_progress = time.monotonic()

    def complete(self) -> None:
        """Note that the body is complete: it keeps its room until `release`."""
        self._budget.finish(self)

    def release(self) -> None:
        """Return the room; may be called more than once."""
        self._budget.finish(self)
        self._budget.give_back(self.size)
        self.size = 0


def _idle_seconds(share: Share) -> float:
    return time.monotonic() - share.last_progress
