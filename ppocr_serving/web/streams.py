"""A response that is sent in parts, as they come from a worker process."""

from collections.abc import Awaitable, Callable
from typing import Any

from ppocr_serving.workers.parts import Parts

__all__ = ["ResponseStream", "Send"]

Send = Callable[[dict[str, Any]], Awaitable[None]]
"""ASGI's sink for messages about a response."""


class ResponseStream:
    """The parts of a response, for which the client sets the pace.

    Args:
        start: Sends the head of a response without a length, given its status and headers.
        send: ASGI's sink.

    Attributes:
        status: HTTP status that has been sent; 0 while there is no part.
    """

    def __init__(self, start: Callable[[int, tuple[tuple[str, str], ...]], Awaitable[None]], send: Send) -> None:
        self._start = start
        self._send = send
        self.status = 0

    @property
    def has_begun(self) -> bool:
        """Whether a head has been sent, after which the response can no longer become another one."""
        return self.status != 0

    async def forward(self, parts: Parts) -> None:
        """Send parts, each when the client has taken the one before, until their end."""
        while (part := await parts.first()) is not None:
            if not self.has_begun:
                await self._start(part.status, part.headers)
                self.status = part.status
            await self._send_body(part.data)
            await self._send_body(b"")  # which waits until little of the part is left to be taken
            parts.take()

    async def end(self, data: bytes) -> None:
        """Send the end of the response.

        Args:
            data: What is left of it.
        """
        await self._send_body(data, more=False)

    async def _send_body(self, data: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
