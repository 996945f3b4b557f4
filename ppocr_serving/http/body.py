"""Reads the body of a request, within bounds of size, time and the memory that all bodies together may take."""

import socket
import threading
from typing import Protocol

from gunicorn.http.errors import ParseException

from ppocr_serving.errors import InvalidRequest, LimitExceeded
from ppocr_serving.http.admission import Buffer

__all__ = ["Stream", "read_body", "require_size"]

_CHUNK = 2**18
# From the end of the headers to the end of the body: 32 MiB in this time are 2 Mbit/s.
_SECONDS = 120.0


class Stream(Protocol):
    """What a body is read from."""

    def read(self, size: int, /) -> bytes:
        """Returns `size` bytes, and fewer only at the end."""
        ...


def read_body(stream: Stream, connection: socket.socket, buffer: Buffer, largest: int) -> bytes:
    """Reads a body to its end.

    Args:
        stream: The server's input, not Flask's, which cuts a body without a declared length off and says nothing.
        connection: Its reading side is shut down when the time is over; a client that sends a byte now and then
            would keep a thread for ever.
        buffer: Room for what arrives is taken from it, as it arrives: a declared length takes none.
        largest: The most bytes allowed.

    Raises:
        InvalidRequest: The body is malformed, breaks off, or takes too long.
        LimitExceeded: It is larger than allowed.
        Overloaded: All request bodies together need more room than there is.
    """
    watchdog = threading.Timer(_SECONDS, connection.shutdown, (socket.SHUT_RD,))
    watchdog.daemon = True
    watchdog.start()
    body = bytearray()
    try:
        while part := stream.read(_CHUNK):
            buffer.take(len(part))
            body += part
            require_size(len(body), largest)
    except (OSError, ParseException) as error:
        raise InvalidRequest("the body is malformed or broke off; send all of it") from error
    finally:
        watchdog.cancel()
    return bytes(body)


def require_size(size: int, largest: int) -> None:
    """Refuses a body that is too large.

    Raises:
        LimitExceeded: `size` bytes are more than `largest`.
    """
    if size > largest:
        raise LimitExceeded(f"the body has more than the allowed {largest} bytes; send fewer or smaller pictures")
