"""Connections of clients: time limits between requests, and how many there may be."""

import asyncio
import contextlib
import heapq
import logging
import resource
import sys
import time
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from ppocr_serving.server.tls import TlsProtocol
from ppocr_serving.web.contract import encode_error

__all__ = ["Connection", "Connections"]

_log = logging.getLogger(__name__)

_MAX_HEAD_BYTES = 2**16
_MAX_TARGET_BYTES = 8190
_MAX_FIELDS = 100
# Once an answer has left a body unread, the client may go on sending it for this long: if the connection were closed
# at once, the system would discard the answer that the client has not read.
_LINGER_SECONDS = 5.0
# A client that takes nothing of its answer for this long loses it.
_SEND_SECONDS = 30.0
# A client that closes its sending side may have left, or wait for the answer: it is sent something at these times.
_PROBE_SECONDS = (0.0, 0.1, 1.0)
_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
# Files that are no connections of clients: libraries, the log, channels to the workers, bodies.
_RESERVED_FILES = 64
_FILES_PER_REQUEST = 2


class _Parser(h11.Connection):
    """h11's parser, with limits for the head of a request as other servers have them."""

    def next_event(self) -> Any:
        """See h11.

        Raises:
            h11.RemoteProtocolError: The client does not keep to the protocol, or to the limits.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            _check_head(event)
        return event


def _check_head(request: h11.Request) -> None:
    fields = request.headers.raw_items()
    expected = [value.lower() for name, value in request.headers if name == b"expect"]
    if not request.http_version.startswith(b"1."):
        raise h11.RemoteProtocolError("its version is not supported; use HTTP/1.1")
    if len(request.target) > _MAX_TARGET_BYTES:
        raise h11.RemoteProtocolError(f"the path exceeds {_MAX_TARGET_BYTES} bytes", HTTPStatus.REQUEST_URI_TOO_LONG)
    if len(fields) > _MAX_FIELDS or sum(len(name) + len(value) for name, value in fields) > _MAX_HEAD_BYTES:
        raise h11.RemoteProtocolError(
            f"its head exceeds {_MAX_FIELDS} lines or {_MAX_HEAD_BYTES} bytes",
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        )
    if {b"content-length", b"transfer-encoding"} <= {name for name, _ in request.headers}:
        # Servers that believe another one of the two would see another request in it.
        raise h11.RemoteProtocolError("it has both a length and a transfer coding; send one of them")
    if any(value != b"100-continue" for value in expected):
        raise h11.RemoteProtocolError("only 100-continue can be expected", HTTPStatus.EXPECTATION_FAILED)


class Connection(H11Protocol):
    """A client's connection, with time limits for what the protocol itself waits for without limit.

    The application limits the time for bodies and answers. Here is what happens between requests: the head of a
    request, idle connections, and the end of a connection.
    """

    def __init__(self, connections: "Connections", config: Config, state: ServerState) -> None:
        super().__init__(config, state, {})
        self.conn = _Parser(h11.SERVER, _MAX_HEAD_BYTES)
        self._siblings = connections
        self._head_since: float | None = None
        self._idle_since = 0.0
        self._closing_since: float | None = None
        self._last_unsent = 0
        self._last_sent = time.monotonic()
        self._is_refused = False
        self._tls: TlsProtocol | None = None

    @property
    def unsent(self) -> int:
        """Bytes of answers that the client has not taken yet."""
        encrypted = 0 if self._tls is None else self._tls.raw.get_write_buffer_size()
        return self.transport.get_write_buffer_size() + encrypted

    def run_over(self, tls: TlsProtocol) -> None:
        """Note, before the connection is made, that it will be encrypted."""
        self._tls = tls

    @property
    def is_answering(self) -> bool:
        """Whether a request has arrived and not been answered."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def has_request(self) -> bool:
        """Whether a request has arrived as a whole and not been answered."""
        return self.is_answering and not self.cycle.more_body

    @property
    def waits_for_head(self) -> bool:
        """Whether the client has to send the head of a request, or the rest of one."""
        return self._head_since is not None

    @property
    def since(self) -> float:
        """When the connection began to wait for what the client sends, in seconds of `time.monotonic`."""
        return self._idle_since if self._head_since is None else self._head_since

    @property
    def _is_idle_again(self) -> bool:
        """Whether a body that nobody wanted has arrived to its end after the answer."""
        return self.cycle is not None and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        self._lingering = _Lingering(transport, self)
        self.transport = self._lingering  # type: ignore[assignment]
        self._head_since = self._idle_since = time.monotonic()
        if self._tls is not None:
            self._siblings.end_handshake(self._tls)
        self._siblings.make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the connection."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # it would keep a reset connection in memory

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent."""
        if self._closing_since is not None:
            return  # the rest of a body that has been refused
        if self._head_since is None and not self.is_answering:
            self._head_since = time.monotonic()
        super().data_received(data)
        if self.is_answering:
            self._head_since = None
        elif self._is_idle_again:
            self._head_since = None
            self._idle_since = time.monotonic()
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def eof_received(self) -> bool:  # type: ignore[override]
        """Find out whether the client has left, or has only sent all that it will.

        Returns:
            Whether to keep the connection open.
        """
        if self._closing_since is not None:
            return False
        if self._tls is not None:
            return False  # TLS ends in both directions; the application learns of it as of a client that has left
        if not self.is_answering:
            if self._head_since is not None and self.conn.trailing_data[0]:
                self._refuse(400, "the request ends before its head is complete; send all of it")
            return False
        if self.cycle.more_body:
            self._refuse(400, "the request ends before its body is complete; send all of it")
            return False
        self.cycle.keep_alive = False
        if self.scope["http_version"] != "1.1":
            return False
        for seconds in _PROBE_SECONDS:
            self.loop.call_later(seconds, self._probe)
        return True

    def _probe(self) -> None:
        """Send what every client has to skip; where there is no client any more, this ends the connection."""
        if self.is_answering and not self.cycle.response_started and not self.transport.is_closing():
            self.transport.write(_INTERIM)

    def resume_writing(self) -> None:
        """Go on with an answer, of which the client has taken nearly all that was there."""
        self._last_sent = time.monotonic()  # the next part may be larger than what it has taken
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._idle_since = time.monotonic()
        super().on_response_complete()
        if not self.is_answering and self.conn.trailing_data[0]:
            self._head_since = self._idle_since

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # its words are the library's
        """Answer what never became a request; called while h11's error is handled."""
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        # What follows the colon is what the client has sent; a secret may be in it.
        reason = str(error).partition(": bytearray")[0]
        self._refuse(status, f"the request is not valid HTTP: {reason}")

    def shutdown(self) -> None:
        """Close the connection after the request that is being answered, if there is one."""
        if self.is_answering:
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def sweep(self, now: float, header_seconds: float) -> None:
        """Close the connection if the client has taken too long.

        Args:
            now: In seconds of `time.monotonic`.
            header_seconds: How long the head of a request may take.
        """
        unsent = self.unsent
        if not unsent or unsent < self._last_unsent:
            self._last_sent = now
        self._last_unsent = unsent
        if now - self._last_sent > _SEND_SECONDS:
            self.transport.abort()
        elif self._closing_since is not None:
            if not unsent:
                self._lingering.finish(now - self._closing_since > _LINGER_SECONDS)
        elif self._head_since is not None and now - self._head_since > header_seconds:
            if self.conn.trailing_data[0]:
                self._refuse(408, "the head of the request arrives too slowly; send all of it at once")
            else:
                self.transport.close()

    def note_closing(self) -> bool:
        """Note that the server has sent all that it will.

        Returns:
            Whether the client may still be sending.
        """
        self._closing_since = time.monotonic()
        return self._is_refused or (self.cycle is not None and self.cycle.more_body)

    def _refuse(self, status: int, message: str) -> None:
        _log.info("malformed HTTP: status=%d", status)  # details could leak a secret
        if self.is_answering and self.cycle.response_started:
            self.transport.abort()
            return
        body = encode_error(message, "101")
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nConnection: close\r\n"
            "Content-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self._is_refused = True
        self.transport.close()
        if self.is_answering:  # the application learns of it as of a client that has left
            self.cycle.disconnected = True
            self.cycle.message_event.set()


class _Lingering:
    """A transport that, when closed, lets the client send the rest of its body before the connection ends.

    Args:
        transport: asyncio's.
        connection: Whose it is.
    """

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection
        self._is_tls = transport.get_extra_info("sslcontext") is not None
        self._is_closing = False
        self._lingers = False

    def close(self) -> None:
        """Send what is left, then close the connection."""
        if self._is_closing:
            return
        self._is_closing = True
        self._lingers = self._connection.note_closing()
        if self._lingers:
            if self._transport.can_write_eof():  # not over TLS
                with contextlib.suppress(OSError):  # the client has reset it
                    self._transport.write_eof()
            self._transport.resume_reading()
        elif not (self._is_tls and self._connection.unsent):  # TLS would give up what takes long to send
            self._transport.close()

    def finish(self, has_lingered: bool) -> None:
        """End the connection, now that all has been sent.

        Args:
            has_lingered: Whether the client has had the time to send the rest of its body.
        """
        if not self._lingers and not self._transport.is_closing():
            self._transport.close()
        elif has_lingered:
            self._transport.abort()

    def is_closing(self) -> bool:
        """Return whether it has been closed."""
        return self._is_closing or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connections:
    """All connections, of which there may be only so many as the process may open files.

    Args:
        state: uvicorn's own list of connections.
        header_seconds: How long the head of a request may take.
        requests: Number of requests whose bodies and answers may take files, too.
    """

    def __init__(self, state: ServerState, header_seconds: float, requests: int) -> None:
        self._state = state
        self._header_seconds = header_seconds
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._handshakes: set[TlsProtocol] = set()
        self._limit = max(files // 4, files - _RESERVED_FILES - _FILES_PER_REQUEST * requests)

    def make_room(self) -> None:
        """Give up the least important connections if there are too many."""
        connections = self._state.connections
        if len(connections) + len(self._handshakes) <= self._limit:
            return
        heads: list[Connection | TlsProtocol] = [one for one in self._all() if one.waits_for_head]
        heads += self._handshakes
        others: list[Connection | TlsProtocol] = [
            connection for connection in self._all() if not (connection.waits_for_head or connection.has_request)
        ]
        # Connections without a request come first if they are many; a few may just have been made.
        expendable = heads if len(heads) > self._limit // 4 else others or heads
        # Several at a time: looking for them takes a while when thousands arrive.
        for connection in heapq.nsmallest(1 + self._limit // 20, expendable, key=lambda one: one.since):
            if isinstance(connection, Connection):
                connections.discard(connection)
                connection.transport.abort()
            else:
                self._handshakes.discard(connection)
                connection.raw.abort()

    def begin_handshake(self, tls: TlsProtocol) -> None:
        """Note a client that has been accepted and is no connection yet."""
        self._handshakes.add(tls)
        self.make_room()

    def end_handshake(self, tls: TlsProtocol) -> None:
        """Note that it is one, or has gone."""
        self._handshakes.discard(tls)

    def sweep(self) -> None:
        """Apply the time limits."""
        now = time.monotonic()
        for connection in self._all():
            connection.sweep(now, self._header_seconds)

    @property
    def answering(self) -> int:
        """Number of connections with a request that has not been answered."""
        return sum(connection.is_answering for connection in self._all())

    @property
    def unsent(self) -> int:
        """Bytes of answers that clients have not taken yet."""
        return sum(connection.unsent for connection in self._all())

    def shut_down(self) -> None:
        """Close each connection once nothing is being answered on it."""
        for connection in self._all():
            connection.shutdown()

    def _all(self) -> list[Connection]:
        return [connection for connection in self._state.connections if isinstance(connection, Connection)]
