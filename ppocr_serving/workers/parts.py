"""Parts of an answer in the server's process, on their way from a worker process to a client."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Parts", "PieceOfAnswer"]


class PieceOfAnswer(NamedTuple):
    """A part of an answer.

    Attributes:
        status: HTTP status; 0 for all but the first part.
        headers: HTTP headers, names and values; empty for all but the first part.
        data: What the client is sent.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    data: bytes


class Parts:
    """Parts of one answer that its client has not taken yet, in order.

    The worker process waits while there are many, so that there is never more than it may send ahead.

    Attributes:
        have_begun: Whether there has been one. The answer cannot be begun again by another process then.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, PieceOfAnswer]] = deque()
        self._changed = asyncio.Event()
        self._is_ended = False
        self._acknowledge: Callable[[], None] = lambda: None
        self.have_begun = False

    @property
    def waiting_seconds(self) -> float:
        """For how long the client has not taken the oldest part; 0 if there is none."""
        return time.monotonic() - self._waiting[0][0] if self._waiting else 0.0

    def connect(self, acknowledge: Callable[[], None]) -> None:
        """Have the worker process told of each part that the client has taken."""
        self._acknowledge = acknowledge

    def put(self, part: PieceOfAnswer) -> None:
        """Add a part."""
        self.have_begun = True
        self._waiting.append((time.monotonic(), part))
        self._changed.set()

    def end(self) -> None:
        """Note that there will be no more."""
        self._is_ended = True
        self._changed.set()

    async def first(self) -> PieceOfAnswer | None:
        """Wait for a part.

        Returns:
            The first one that the client has not taken; None at the end.
        """
        while not self._waiting:
            if self._is_ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._waiting[0][1]

    def take(self) -> None:
        """Note that the client has taken the first part."""
        self._waiting.popleft()
        if self._waiting:  # the next one has waited behind it, and only now for the client
            self._waiting[0] = (time.monotonic(), self._waiting[0][1])
        self._acknowledge()
