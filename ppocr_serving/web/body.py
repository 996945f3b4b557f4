"""Read the body of a request, within limits on its size and on the memory of all bodies together."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from flask import request

from ppocr_serving.errors import InvalidRequest, LimitExceeded
from ppocr_serving.reading.budget import Share
from ppocr_serving.web.prediction import Prediction

__all__ = ["Stream", "read_body", "received_body"]

_CHUNK = 2**18


class Stream(Protocol):
    """Source of a body. The server limits the time that reading takes."""

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes; fewer only at the end.

        Raises:
            OSError: The body is malformed, breaks off, or takes too long.
        """
        ...


@contextmanager
def received_body(prediction: Prediction) -> Iterator[bytearray]:
    """Read the body of Flask's current request; its room is held until the end of the block.

    Raises:
        LimitExceeded: The body declares, or has, more bytes than allowed.
        InvalidRequest, Overloaded: See `read_body`.
    """
    _require_size(request.content_length or 0, prediction.largest_body)
    with prediction.budget.share() as share:
        # The server's stream, not Flask's, which silently truncates a body without a declared length.
        yield read_body(request.environ["wsgi.input"], share, prediction.largest_body)


def read_body(stream: Stream, share: Share, largest: int) -> bytearray:
    """Read a body to its end.

    Args:
        stream: The server's input.
        share: Takes room for data as it arrives: a declared length takes none.
        largest: Maximum number of bytes.

    Raises:
        InvalidRequest: The body is malformed, breaks off, or takes too long.
        LimitExceeded: It is larger than allowed.
        Overloaded: All request bodies together need more room than there is.
    """
    body = bytearray()
    try:
        while part := stream.read(_CHUNK):
            share.take(len(part))
            body += part
            _require_size(len(body), largest)
    except OSError as error:
        raise InvalidRequest("the body is malformed, incomplete or took too long; send all of it") from error
    return body


def _require_size(size: int, largest: int) -> None:
    if size > largest:
        raise LimitExceeded(f"the body exceeds the limit of {largest} bytes; send fewer or smaller pictures")
