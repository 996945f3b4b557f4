"""Answers in parts, in a worker process: to the server as they come, or gathered for an answer in one piece."""

from typing import Protocol

from ppocr_serving.web.responses import Response

__all__ = ["Gathering", "Outlet", "Sink"]


class Outlet(Protocol):
    """The way for what leaves before an answer is complete; see `ppocr_serving.workers.outlet.Outlet`."""

    @property
    def has_sent(self) -> bool:
        """Whether a part has left, and its status with it."""
        ...

    def begin(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        """Begin an answer in parts."""
        ...

    def send(self, data: bytes) -> None:
        """Send a part."""
        ...

    def next_page(self) -> None:
        """Begin another page."""
        ...


class Sink:
    """Takes the parts of one answer.

    Args:
        outlet: Where they go.
        status: HTTP status.
        headers: HTTP headers, names and values.
    """

    def __init__(self, outlet: Outlet, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        self._outlet = outlet
        self._status = status
        self._headers = headers
        outlet.begin(status, headers)

    def send(self, data: bytes) -> None:
        """Send a part, such as a line; if the client takes parts too slowly, wait while other requests compute.

        A part is sent as a whole or not at all. The caller should hold no decoded picture meanwhile.

        Args:
            data: The part; an empty one is not sent.

        Raises:
            RequestCancelled: Nobody waits for the answer any more.
            DeadlineExceeded: The time of the whole request is over.
            Overloaded: There is no memory or file left.
        """
        self._outlet.send(data)

    def end(self, data: bytes = b"") -> Response:
        """Return what a door's function returns after the last part.

        Args:
            data: One more part, for which nothing waits.
        """
        return Response(self._status, self._headers, data)


class Gathering:
    """An outlet for answers that must be in one piece: it keeps their parts.

    Args:
        outlet: The way to the server.
    """

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._head: tuple[int, tuple[tuple[str, str], ...]] | None = None
        self._parts: list[bytes] = []

    @property
    def has_sent(self) -> bool:
        """Whether there is a part, to which errors are added."""
        return bool(self._parts)

    def begin(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        """See `Outlet`."""
        self._head = (status, headers)

    def send(self, data: bytes) -> None:
        """See `Outlet`."""
        if data:
            self._parts.append(data)

    def next_page(self) -> None:
        """See `Outlet`."""
        self._outlet.next_page()

    def whole(self, response: Response) -> Response:
        """Return a response with all parts before its body."""
        if self._head is None or not self._parts:
            return response
        return Response(*self._head, b"".join((*self._parts, response.body)))
