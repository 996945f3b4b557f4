"""How a job speaks to the server before it is answered: the first parts of its answer, and how far it is."""

import threading
from collections import deque
from collections.abc import Callable

from ppocr_serving.errors import Overloaded, RequestCancelled
from ppocr_serving.reading.deadline import Deadline
from ppocr_serving.reading.turns import Turn
from ppocr_serving.workers.messages import Channel, Job, Message, Part, Progress, close_file, memory_file
from ppocr_serving.workers.refusals import STARVED

__all__ = ["Outlet"]

# What may be on its way to a client that has not taken it: enough that a quick one never waits, and little enough that
# slow ones cost little. A part that is larger goes alone.
_MAX_UNTAKEN = 4
_MAX_UNTAKEN_BYTES = 2**20
_MAX_INLINE_BYTES = 2**15  # a message with a head and so much data is below the limit of messages


class Outlet:
    """The way from a job to the server while the job is being answered; one thread at a time may use it.

    Args:
        channel: To the server.
        job: The job.

    Attributes:
        turn: The job's place among those that compute or wait.
    """

    def __init__(self, channel: Channel, job: Job) -> None:
        self._channel = channel
        self._number = job.number
        self._deadline = Deadline(job.seconds, job.arrival, job.page_seconds)
        self.turn = Turn(self._deadline, self._tell)
        self._head: tuple[int, tuple[tuple[str, str], ...]] | None = None
        self._has_sent = False
        self._untaken: deque[int] = deque()  # sizes
        self._changed = threading.Condition()

    @property
    def has_sent(self) -> bool:
        """Whether a part of the answer has left, and its status with it."""
        return self._has_sent

    def begin(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        """Begin an answer in parts; its head leaves with the first one.

        Args:
            status: HTTP status.
            headers: HTTP headers, names and values.
        """
        self._head = (status, headers)

    def send(self, data: bytes) -> None:
        """Send a part, of which the client gets all or nothing; wait first if it takes parts too slowly.

        Meanwhile others compute, so the caller should hold nothing large, such as a decoded picture.

        Args:
            data: The part; an empty one is not sent.

        Raises:
            RequestCancelled: Nobody waits for the answer any more.
            DeadlineExceeded: The request's time is over.
            Overloaded: There is no memory or file left.
        """
        if not data:
            return
        if not self._has_room(len(data)):
            with self.turn.given_away():
                self._wait_until(lambda: self._has_room(len(data)))
        self._deadline.check_whole()
        status, headers = (self._head or (200, ())) if not self._has_sent else (0, ())
        is_inline = len(data) <= _MAX_INLINE_BYTES
        try:
            file = None if is_inline else memory_file(data)
        except (OSError, MemoryError) as error:
            raise Overloaded(STARVED) from error
        with self._changed:
            self._untaken.append(len(data))
        try:
            self._speak(Part(self._number, status, headers, data if is_inline else b"", not is_inline), file)
        finally:
            close_file(file)
        self._has_sent = True

    def next_page(self) -> None:
        """Begin another page: it has its own deadline, and others may compute first.

        Raises:
            RequestCancelled: Nobody waits for the answer any more.
            DeadlineExceeded: The request's time is over.
        """
        self._tell(computes=True)
        self.turn.next_page()

    def note_taken(self) -> None:
        """Note that the client has taken the oldest part; called by the thread that hears from the server."""
        with self._changed:
            self._untaken.popleft()
            self._changed.notify_all()

    def cancel(self) -> None:
        """End the job: nobody waits for the answer any more."""
        self.turn.cancel()
        with self._changed:
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        untaken = len(self._untaken), sum(self._untaken)
        return not untaken[0] or (untaken[0] < _MAX_UNTAKEN and untaken[1] + size <= _MAX_UNTAKEN_BYTES)

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            while not condition():
                self._deadline.check_whole()
                self._changed.wait(min(max(0.0, self._deadline.remaining), threading.TIMEOUT_MAX))

    def _tell(self, computes: bool) -> None:
        self._speak(Progress(self._number, computes))

    def _speak(self, message: Message, file: int | None = None) -> None:
        try:
            self._channel.send(message, file)
        except ConnectionError as error:  # this process is about to end
            raise RequestCancelled("the server is gone") from error
