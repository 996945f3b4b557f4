"""Reads the body of a request, within bounds of size, time and the memory that all bodies together may take."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from flask import request
from gunicorn.http.errors import ParseException

from ppocr_serving.errors import InvalidRequest, LimitExceeded
from ppocr_serving.http.admission import Buffer
from ppocr_serving.http.prediction import Prediction

__all__ = ["Stream", "read_body", "received_body"]

_CHUNK = 2**18
# From the end of the headers to the end of the body: 32 MiB in this time are 2 Mbit/s.
_SECONDS = 120.0


class Stream(Protocol):
    """What a body is read from."""

    def read(self, size: int, /) -> bytes:
        """Returns `size` bytes, and fewer only at the end."""
        ...


@contextmanager
def received_body(prediction: Prediction) -> Iterator[bytes]:
    """Reads the body of the request that Flask handles now; its room is held until the end of the block.

    Raises:
        LimitExceeded: It declares, or has, more bytes than allowed.
        InvalidRequest, Overloaded: See `read_body`.
    """
    _require_size(request.content_length or 0, prediction.largest_body)
    with prediction.admission.buffer() as buffer:
        yield read_body(
            request.environ["wsgi.input"], request.environ["gunicorn.socket"], buffer, prediction.largest_body
        )


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
            _require_size(len(body), largest)
    except (OSError, ParseException) as error:
        raise InvalidRequest("the body is malformed or broke off; send all of it") from error
    finally:
        watchdog.cancel()
    return bytes(body)


def _require_size(size: int, largest: int) -> None:
    if size > largest:
        raise LimitExceeded(f"the body has more than the allowed {largest} bytes; send fewer or smaller pictures")
