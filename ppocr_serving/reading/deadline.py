"""Deadline of one request: until when it may wait and compute."""

import time

from ppocr_serving.errors import DeadlineExceeded, Overloaded, RequestCancelled

__all__ = ["Deadline"]


class Deadline:
    """The time until which a request may wait and compute.

    Args:
        seconds: How long.
        start: From when on, in seconds of `time.perf_counter`; None means now.
    """

    def __init__(self, seconds: float, start: float | None = None) -> None:
        self._seconds = seconds
        self._end = (time.perf_counter() if start is None else start) + seconds
        self._has_begun = False
        self._is_cancelled = False

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self._end - time.perf_counter()

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._is_cancelled

    def begin(self) -> None:
        """Note that the request has begun to compute: it will then end with another error."""
        self._has_begun = True

    def cancel(self) -> None:
        """Note that nobody waits for the answer any more: the next `check` ends the request."""
        self._is_cancelled = True

    def check(self) -> None:
        """End the request if its time is over; called between pictures and between engine calls.

        Raises:
            RequestCancelled: Nobody waits for the answer any more.
            Overloaded: It has been waiting all the time; another attempt may succeed.
            DeadlineExceeded: It has begun, and takes longer than it may.
        """
        if self._is_cancelled:
            raise RequestCancelled("the client has left before its request was answered")
        if self.remaining > 0:
            return
        raise self.expired()

    def expired(self) -> DeadlineExceeded | Overloaded:
        """Return the error for a request whose time is over."""
        if self._has_begun:
            return DeadlineExceeded(
                f"the request was not finished within {self._seconds:g} seconds; send fewer or smaller pictures, "
                f"or allow it more time"
            )
        return Overloaded(f"the request waited {self._seconds:g} seconds without being started; try again later")
