"""Deadline of one request: until when it may wait and compute."""

import time

from ppocr_serving.errors import DeadlineExceeded, Overloaded

__all__ = ["Deadline"]


class Deadline:
    """The time until which a request may wait and compute.

    Args:
        seconds: How long.
        start: When the request came, in seconds of `time.perf_counter`; None means now.
    """

    def __init__(self, seconds: float, start: float | None = None) -> None:
        self._seconds = seconds
        self._end = (time.perf_counter() if start is None else start) + seconds
        self._has_begun = False

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self._end - time.perf_counter()

    def begin(self) -> None:
        """Note that the request has begun to compute: it will then end with another error."""
        self._has_begun = True

    def check(self) -> None:
        """End the request if its time is over; called between pictures and between engine calls.

        Raises:
            Overloaded: It has been waiting all the time; another attempt may succeed.
            DeadlineExceeded: It has begun, and takes longer than it may.
        """
        if self.remaining > 0:
            return
        if self._has_begun:
            raise DeadlineExceeded(
                f"the request was not finished within {self._seconds:g} seconds; send fewer or smaller pictures, "
                f"or allow it more time"
            )
        raise Overloaded(f"the request waited {self._seconds:g} seconds without being started; try again later")
