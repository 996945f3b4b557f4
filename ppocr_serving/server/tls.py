"""TLS between a client and its connection."""

import asyncio
import ssl
import time
from asyncio.sslproto import SSLProtocol
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ppocr_serving.server.connections import Connection, Connections

__all__ = ["TlsProtocol"]

# When all has been sent, a client has this long to confirm the end.
_SHUTDOWN_SECONDS = 5


class TlsProtocol(SSLProtocol):
    """asyncio's TLS, as a protocol of its own, so that clients count from the moment at which they are accepted.

    Given a certificate, asyncio's server would tell of a connection after the handshake only: silent clients could
    take all the files that the process may open.

    Args:
        connections: All connections.
        connection: What follows after the handshake.
        context: The certificate.
        handshake_seconds: How long the handshake may take.

    Attributes:
        raw: The transport of what is encrypted.
        since: When the handshake began, in seconds of `time.monotonic`.
    """

    # Bytes that are read at once, and held for each connection, idle ones included.
    max_size = 2**16

    raw: asyncio.Transport

    def __init__(
        self, connections: "Connections", connection: "Connection", context: ssl.SSLContext, handshake_seconds: float
    ) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            connection,
            context,
            None,  # type: ignore[arg-type]  # nobody waits for the handshake
            server_side=True,
            ssl_handshake_timeout=handshake_seconds,  # type: ignore[arg-type]  # fractions are fine
            ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        self._connections = connections
        self._connection = connection
        self.since = time.monotonic()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin the handshake."""
        self.raw = transport
        self._connection.run_over(self)
        self._connections.begin_handshake(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of the client."""
        self._connections.end_handshake(self)
        super().connection_lost(exc)
        # The connection and its transports refer to each other, so that they stay until cycles are looked for; these
        # are most of what they take.
        self._ssl_buffer = bytearray()
        self._ssl_buffer_view = memoryview(self._ssl_buffer)
        self._sslobj = None
        self._extra.pop("ssl_object", None)
