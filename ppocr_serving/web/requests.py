"""Requests as ASGI delivers them: their head, and their body within limits of size, room and time."""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from ppocr_serving.errors import InvalidRequest, LimitExceeded, Overloaded, RequestCancelled, RequestTimedOut
from ppocr_serving.reading.budget import Budget, Share
from ppocr_serving.workers.messages import Head, close_file, contents, memory_file, write_all

__all__ = ["BodyLimits", "Receive", "Request", "SpooledBody"]

Receive = Callable[[], Awaitable[dict[str, Any]]]
"""ASGI's source of messages about a request."""

# The platforms' own ids come first, so that their logs and ours can be matched.
_ID_HEADERS = ("x-fc-request-id", "x-scf-request-id", "x-request-id")
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Smaller bodies are kept without a file, of which a process may open only so many.
_SPOOL_BYTES = 2**18
# So much of a body that nobody wants is skipped; with more to come the connection is closed.
_SKIPPED_BYTES = 2**16
# Many times what all options and formats need; a worker gets all of it in one message.
_MAX_QUERY_BYTES = 2**13
_MAX_HEADER_BYTES = 2**11


class SpooledBody:
    """A request's body: in this process while it is small, else in a file in memory.

    Attributes:
        size: Bytes so far.
    """

    def __init__(self) -> None:
        self._start = bytearray()
        self._file: int | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Add data at the end.

        Raises:
            OSError: There is no memory or no file left.
        """
        self.size += len(data)
        if self._file is not None:
            write_all(self._file, data)
            return
        self._start += data
        if self.size > _SPOOL_BYTES:
            self.fileno()

    def fileno(self) -> int:
        """Return the descriptor of a file that holds all of it.

        Raises:
            OSError: There is no memory or no file left.
        """
        if self._file is None:
            self._file = memory_file(self._start)
            self._start = bytearray()
        return self._file

    def contents(self) -> memoryview:
        """Return all of it, without copying it."""
        return memoryview(self._start) if self._file is None else contents(self._file)

    def close(self) -> None:
        """Let go of it."""
        close_file(self._file)
        self._file = None
        self._start = bytearray()


class BodyLimits(NamedTuple):
    """Limits of a body.

    Attributes:
        size: Maximum number of bytes.
        seconds: A body must grow noticeably (`Share.last_progress`), or end, in this time.
    """

    size: int
    seconds: float


class Request:
    """A request whose head has arrived.

    Args:
        scope: ASGI's description of it.
        receive: ASGI's source of its body.

    Attributes:
        method: HTTP method.
        path: Path, without the query.
        query: The query as it was sent, without the question mark.
        headers: The first value of each header, by lower-case name.
        request_id: The platform's or the client's id of the request, or one of ours.
        must_close: Whether so much of a body is still to come that the connection cannot be used for another request.
    """

    def __init__(self, scope: Mapping[str, Any], receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path = _without_host(scope["path"])
        self.query: str = scope.get("query_string", b"").decode("latin-1")
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            self.headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        self.request_id = self._id()
        self.must_close = (
            "transfer-encoding" in self.headers or "expect" in self.headers or self._declared_size() > _SKIPPED_BYTES
        )
        self._receive = receive

    def head(self) -> Head:
        """Return what matters to the answer.

        Raises:
            InvalidRequest: The query or a header is far longer than any that has a meaning.
        """
        content_type, accept = (self.headers.get(name, "") for name in ("content-type", "accept"))
        for name, text, largest in (
            ("query", self.query, _MAX_QUERY_BYTES),
            ("header Content-Type", content_type, _MAX_HEADER_BYTES),
            ("header Accept", accept, _MAX_HEADER_BYTES),
        ):
            if len(text) > largest:
                raise InvalidRequest(f"the {name} has {len(text)} bytes; the limit is {largest}")
        return Head(self.path, self.query, content_type, accept)

    @asynccontextmanager
    async def body(self, budget: Budget, limits: BodyLimits) -> AsyncIterator[SpooledBody]:
        """Receive the body; its room is held until the end of the block.

        Args:
            budget: Room for all bodies; it is taken as the body arrives, not as the request declares.
            limits: Limits of this one.

        Raises:
            LimitExceeded: The body declares, or has, more bytes than allowed.
            RequestTimedOut: It arrives too slowly.
            Overloaded: All bodies together need more room than there is.
            RequestCancelled: The client has left.
        """
        _require_size(self._declared_size(), limits.size)
        end: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        share = budget.share(end.set_exception)
        body = SpooledBody()
        try:
            await self._receive_into(body, share, limits, end)
            share.complete()
            yield body
        finally:
            if not end.cancel() and not end.cancelled():
                end.exception()  # taken note of
            share.release()
            body.close()

    async def hang_up(self) -> None:
        """Wait until the client leaves; only once the body has been received."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _receive_into(
        self, body: SpooledBody, share: Share, limits: BodyLimits, end: "asyncio.Future[Any]"
    ) -> None:
        self.must_close = True  # if it ends in an error, the rest is still to come
        more = True
        while more:
            message = await self._next_message(end, share.last_progress + limits.seconds - time.monotonic())
            data = message.get("body", b"")
            more = message.get("more_body", False)
            _require_size(body.size + len(data), limits.size)
            share.take(len(data))
            try:
                body.write(data)
            except (OSError, MemoryError) as error:
                raise Overloaded("the server has no memory for the body; try again later") from error
        self.must_close = False

    async def _next_message(self, end: "asyncio.Future[Any]", seconds: float) -> dict[str, Any]:
        receiving: asyncio.Future[Any] = asyncio.ensure_future(self._receive())
        try:
            await asyncio.wait({receiving, end}, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                end.result()  # raises
            if not receiving.done():
                raise RequestTimedOut("the body arrives too slowly; send all of it at once")
        finally:
            receiving.cancel()
        message: dict[str, Any] = receiving.result()
        if message["type"] == "http.disconnect":
            raise RequestCancelled("the client has left before its request was complete")
        return message

    def _declared_size(self) -> int:
        length = self.headers.get("content-length", "")
        return int(length) if length.isdecimal() else 0

    def _id(self) -> str:
        for header in _ID_HEADERS:
            value = self.headers.get(header, "")
            if _SAFE_ID.fullmatch(value):
                return value
        return uuid.uuid4().hex


def _without_host(path: str) -> str:
    """Return a path as most clients send it; clients of a proxy also name the server."""
    for scheme in ("http://", "https://"):
        if path.startswith(scheme):
            return "/" + path.removeprefix(scheme).partition("/")[2]
    return path


def _require_size(size: int, largest: int) -> None:
    if size > largest:
        raise LimitExceeded(f"the body exceeds the limit of {largest} bytes; send fewer or smaller pictures")
