"""Deadlines of one request: until when it may wait and compute, and for how long it may compute for one page."""

import math
import time

from ppocr_serving.errors import DeadlineExceeded, Overloaded, PageDeadlineExceeded, RequestCancelled

__all__ = ["Deadline"]


class Deadline:
    """The time until which a request may wait and compute, and the time that it may compute for a page.

    The time for a page only passes while the request computes; `next_page` starts it again.

    Args:
        seconds: How long the whole request may take.
        start: From when on, in seconds of `time.perf_counter`; None means now.
        page_seconds: How long a page may take.
    """

    def __init__(self, seconds: float, start: float | None = None, page_seconds: float = math.inf) -> None:
        self._seconds = seconds
        self._end = (time.perf_counter() if start is None else start) + seconds
        self._page_seconds = page_seconds
        self._page_left = page_seconds
        self._page_end = math.inf  # while it does not compute
        self._has_begun = False
        self._is_computing = False
        self._is_cancelled = False

    @property
    def remaining(self) -> float:
        """Seconds until the deadline of the whole request; negative after it."""
        return self._end - time.perf_counter()

    @property
    def has_begun(self) -> bool:
        """Whether the request has computed."""
        return self._has_begun

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._is_cancelled

    def begin(self) -> None:
        """Note that the request computes from now on: it will then end with another error."""
        self._has_begun = True
        if not self._is_computing:
            self._is_computing = True
            self._page_end = time.perf_counter() + self._page_left

    def pause(self) -> None:
        """Note that the request does not compute, until `begin` is called again."""
        if self._is_computing:
            self._is_computing = False
            self._page_left = self._page_end - time.perf_counter()
            self._page_end = math.inf

    def next_page(self) -> None:
        """Give the next page all the time that a page may have.

        Raises:
            RequestCancelled, DeadlineExceeded, Overloaded: The whole request has to end.
        """
        self.check_whole()
        self._page_left = self._page_seconds
        if self._is_computing:
            self._page_end = time.perf_counter() + self._page_seconds

    def cancel(self) -> None:
        """Note that nobody waits for the answer any more: the next `check` ends the request."""
        self._is_cancelled = True

    def check(self) -> None:
        """End the request, or its page, if its time is over; called between pictures and between engine calls.

        Raises:
            RequestCancelled: Nobody waits for the answer any more.
            Overloaded: It has been waiting all the time; another attempt may succeed.
            DeadlineExceeded: It has begun, and takes longer than it may.
            PageDeadlineExceeded: Its page takes longer than a page may; others may follow after `next_page`.
        """
        self.check_whole()
        if time.perf_counter() >= self._page_end:
            raise self.page_expired()

    def check_whole(self) -> None:
        """End the request if its time is over, whatever its page has left.

        Raises:
            RequestCancelled, Overloaded, DeadlineExceeded: As `check` does.
        """
        if self._is_cancelled:
            raise RequestCancelled("the client has left before its request was answered")
        if self.remaining <= 0:
            raise self.expired()

    def expired(self) -> DeadlineExceeded | Overloaded:
        """Return the error for a request whose time is over."""
        if self._has_begun:
            return DeadlineExceeded(
                f"the request was not finished within {self._seconds:g} seconds; send fewer or smaller pictures, "
                f"or allow it more time"
            )
        return Overloaded(f"the request waited {self._seconds:g} seconds without being started; try again later")

    def page_expired(self) -> PageDeadlineExceeded:
        """Return the error for a page whose time is over."""
        return PageDeadlineExceeded(
            f"the page was not read within {self._page_seconds:g} seconds; send it smaller or with less text, "
            f"or allow more time per page"
        )
