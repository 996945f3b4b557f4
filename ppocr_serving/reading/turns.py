"""Fair turns: which of the begun requests computes next."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ppocr_serving.reading.deadline import Deadline

__all__ = ["Turn", "Turns"]

# Requests that compute for less than this are served in the order of arrival.
_SHORT_SECONDS = 1.0
# For each further second, a request is served as if it had come this many seconds later: short ones overtake it, but
# it gets on however many come.
_AGEING = 8.0
_MIN_TURN_SECONDS = 0.2
# Stages before which a request may pause. Before others it holds a decoded picture, which may take 150 MB.
_PAUSES = frozenset({"decode", "rec_engine", "cls_engine"})


class Turns:
    """Let a few requests compute at a time while the others wait.

    Long requests do not hold up short ones: they are paused while others that have computed less wait.

    Args:
        running: Requests that may compute at the same time, at least 1.
    """

    def __init__(self, running: int) -> None:
        self._lock = threading.Lock()
        self._free = running
        self._waiting: list[Turn] = []

    @contextmanager
    def of(self, turn: "Turn") -> Iterator[None]:
        """Wait for a request's turn, and hold it for the enclosed block.

        Raises:
            RequestCancelled: Nobody waits for its answer any more.
            Overloaded: Its deadline passed before its turn came.
        """
        with self._lock:
            turn.belongs_to(self)
            self._enter(turn)
        try:
            turn.wait()
            yield
        finally:
            self._leave(turn)

    def pause(self, turn: "Turn") -> None:
        """Let another request compute if one that should come first is waiting, and wait for the next turn.

        Args:
            turn: Of a request that computes. All of its threads may call this.

        Raises:
            RequestCancelled: Nobody waits for its answer any more.
            DeadlineExceeded: The request's time was over before its next turn.
        """
        with self._lock:
            if turn.is_running:
                if not self._should_pause(turn):
                    return
                turn.stop()
                self._waiting.append(turn)
                self._start_next()
        # The other threads of the request wait here, too.
        turn.wait()

    @contextmanager
    def without(self, turn: "Turn") -> Iterator[None]:
        """Let others compute while a request waits for something else in the enclosed block, then wait for its turn.

        Args:
            turn: Of a request that computes. No other thread of it may compute now.

        Raises:
            RequestCancelled: Nobody waits for the answer any more.
            DeadlineExceeded: The request's time was over before its next turn.
        """
        with self._lock:
            if turn.is_running:
                turn.stop()
                self._start_next()
        yield
        with self._lock:
            self._enter(turn)
        turn.wait()

    def _enter(self, turn: "Turn") -> None:
        if self._free and not self._waiting:
            self._free -= 1
            turn.start()
        else:
            self._waiting.append(turn)

    def _should_pause(self, turn: "Turn") -> bool:
        if turn.current_seconds < _MIN_TURN_SECONDS:
            return False
        first = self._first()
        return first is not None and first.rank < turn.rank

    def _leave(self, turn: "Turn") -> None:
        with self._lock:
            if turn.is_running:
                turn.stop()
                self._start_next()
            elif turn in self._waiting:  # its time was over while it waited
                self._waiting.remove(turn)

    def _start_next(self) -> None:
        # The turn passes on directly, so that no newcomer can slip in between.
        turn = self._first()
        if turn is None:
            self._free += 1
            return
        self._waiting.remove(turn)
        turn.start()

    def _first(self) -> "Turn | None":
        return min(self._waiting, key=lambda turn: turn.rank, default=None)


class Turn:
    """One request's place among those that compute or wait.

    Args:
        deadline: Until when the request may wait and compute.
        tell: Called with False when the request stops computing, to let others compute, and with True when it goes on.
    """

    def __init__(self, deadline: Deadline, tell: Callable[[bool], None] | None = None) -> None:
        self._turns: Turns | None = None
        self._deadline = deadline
        self._tell = tell
        self._arrival = time.monotonic()
        self._computed = 0.0
        self._since: float | None = None
        self._may_go_on = threading.Event()

    @property
    def is_running(self) -> bool:
        """Whether the request has the turn now."""
        return self._since is not None

    @property
    def current_seconds(self) -> float:
        """Seconds since the turn began; 0 if the request is waiting."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    @property
    def rank(self) -> float:
        """Order among requests, the lowest first."""
        return self._arrival + _AGEING * max(0.0, self._computed + self.current_seconds - _SHORT_SECONDS)

    def before_stage(self, stage: str) -> None:
        """Give way to others and keep to the deadline; see `Stopwatch`.

        Raises:
            RequestCancelled: Nobody waits for the answer any more.
            DeadlineExceeded: The request's time is over.
        """
        self._deadline.check()
        if stage in _PAUSES and self._turns is not None:
            self._turns.pause(self)

    def next_page(self) -> None:
        """Begin another page, which has its own deadline, and give way to others.

        Raises:
            RequestCancelled: Nobody waits for the answer any more.
            DeadlineExceeded: The request's time is over.
        """
        self._deadline.next_page()
        if self._turns is not None:
            self._turns.pause(self)

    @contextmanager
    def given_away(self) -> Iterator[None]:
        """Let others compute while the request waits for something else in the enclosed block; see `Turns.without`."""
        if self._turns is None:
            yield
            return
        self._announce(computes=False)
        with self._turns.without(self):
            yield
        self._announce(computes=True)

    def cancel(self) -> None:
        """End the request where it waits, or before its next stage: nobody waits for the answer any more."""
        self._deadline.cancel()
        self._may_go_on.set()

    def belongs_to(self, turns: Turns) -> None:
        """Note whose turn this is; called by `Turns`, under its lock."""
        self._turns = turns

    def start(self) -> None:
        """Give the turn to the request; called by `Turns`, under its lock."""
        self._deadline.begin()
        self._since = time.monotonic()
        self._may_go_on.set()

    def stop(self) -> None:
        """Take the turn away; called by `Turns`, under its lock."""
        self._computed += self.current_seconds
        self._deadline.pause()
        self._since = None
        self._may_go_on.clear()
        if self._deadline.is_cancelled:
            self._may_go_on.set()

    def wait(self) -> None:
        """Wait for the turn; called by `Turns`.

        Raises:
            RequestCancelled, DeadlineExceeded, Overloaded: It will not come.
        """
        pauses = self._deadline.has_begun and not self._may_go_on.is_set()
        if pauses:
            self._announce(computes=False)
        if not self._may_go_on.wait(min(max(0.0, self._deadline.remaining), threading.TIMEOUT_MAX)):
            raise self._deadline.expired()
        self._deadline.check_whole()
        if pauses:
            self._announce(computes=True)

    def _announce(self, *, computes: bool) -> None:
        if self._tell is not None:
            self._tell(computes)
