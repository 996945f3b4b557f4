"""Bounded, fair queue: who computes next."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ppocr_serving.errors import Overloaded
from ppocr_serving.reading.deadline import Deadline

__all__ = ["Turn", "Turns"]

# Requests that compute for less than this are served in the order of arrival.
_SHORT_SECONDS = 1.0
# For each further second, a request is served as if it had come this many seconds later: short ones overtake it, but
# it gets on however many come.
_AGEING = 8.0
_MIN_TURN_SECONDS = 0.2
# Begun requests keep lines of their pictures in memory while they wait, so only so many more than can run may begin.
_MAX_PAUSED = 16
# Stages before which a request may pause. Before others it holds a decoded picture, which may take 150 MB.
_PAUSES = frozenset({"decode", "rec_engine", "cls_engine"})


class Turns:
    """Let a few requests compute at a time, let others wait, and refuse the rest at once.

    Long requests do not hold up short ones: they are paused while others that have computed less wait.

    Args:
        running: Requests that may compute at the same time, at least 1.
        waiting: Requests that may wait for their first turn.
        timeout: Seconds that a request may wait for its first turn.
    """

    def __init__(self, running: int, waiting: int, timeout: float) -> None:
        self._lock = threading.Lock()
        self._free = running
        self._limit = waiting
        self._timeout = timeout
        self._max_begun = running + _MAX_PAUSED
        self._begun = 0
        self._waiting: list[Turn] = []

    @contextmanager
    def turn(self, deadline: Deadline) -> "Iterator[Turn]":
        """Wait for a turn, and hold it for the enclosed block.

        Args:
            deadline: Until when the request may wait and compute.

        Raises:
            Overloaded: The queue is full, or the wait ran out.
        """
        deadline.check()
        turn = Turn(self, deadline)
        self._enter(turn)
        try:
            yield turn
        finally:
            self._leave(turn)

    def pause(self, turn: "Turn") -> None:
        """Let another request compute if one that should come first is waiting, and wait for the next turn.

        Args:
            turn: Of a request that computes. All of its threads may call this.

        Raises:
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
        if not turn.wait(turn.deadline.remaining):
            turn.deadline.check()

    def _should_pause(self, turn: "Turn") -> bool:
        if turn.current_seconds < _MIN_TURN_SECONDS:
            return False
        first = self._first()
        return first is not None and first.rank < turn.rank

    def _enter(self, turn: "Turn") -> None:
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                self._begin(turn)
                return
            if sum(not waiting.has_begun for waiting in self._waiting) >= self._limit:
                raise Overloaded(f"the queue is full: {self._limit} requests are waiting; try again later")
            self._waiting.append(turn)
        if turn.wait(min(self._timeout, turn.deadline.remaining)):
            return
        with self._lock:
            if turn.is_running:  # the turn came between the end of the wait and the lock
                return
            self._waiting.remove(turn)
        turn.deadline.check()
        raise Overloaded(f"the request waited {self._timeout:g} seconds without being started; try again later")

    def _leave(self, turn: "Turn") -> None:
        with self._lock:
            self._begun -= 1
            if turn.is_running:
                turn.stop()
                self._start_next()
            else:  # its time ran out while it was paused
                self._waiting.remove(turn)

    def _start_next(self) -> None:
        # The turn passes on directly, so that no newcomer can slip in between.
        turn = self._first()
        if turn is None:
            self._free += 1
            return
        self._waiting.remove(turn)
        self._begin(turn)

    def _begin(self, turn: "Turn") -> None:
        if not turn.has_begun:
            self._begun += 1
        turn.start()

    def _first(self) -> "Turn | None":
        may_begin = self._begun < self._max_begun
        candidates = [turn for turn in self._waiting if may_begin or turn.has_begun]
        return min(candidates, key=lambda turn: turn.rank, default=None)


class Turn:
    """One request's place among those that compute or wait.

    Args:
        turns: Where it belongs.
        deadline: Until when the request may wait and compute.

    Attributes:
        deadline: As given.
        has_begun: Whether it has had a turn.
    """

    def __init__(self, turns: Turns, deadline: Deadline) -> None:
        self._turns = turns
        self.deadline = deadline
        self.has_begun = False
        self._arrival = time.monotonic()
        self._computed = 0.0
        self._since: float | None = None
        self._running = threading.Event()

    @property
    def is_running(self) -> bool:
        """Whether the request has the turn now."""
        return self._running.is_set()

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
            DeadlineExceeded: The request's time is over.
        """
        self.deadline.check()
        if stage in _PAUSES:
            self._turns.pause(self)

    def start(self) -> None:
        """Give the turn to the request; called by `Turns`, under its lock."""
        self.has_begun = True
        self.deadline.begin()
        self._since = time.monotonic()
        self._running.set()

    def stop(self) -> None:
        """Take the turn away; called by `Turns`, under its lock."""
        self._computed += self.current_seconds
        self._since = None
        self._running.clear()

    def wait(self, seconds: float) -> bool:
        """Wait for the turn.

        Returns:
            Whether it came.
        """
        return self._running.wait(min(max(0.0, seconds), threading.TIMEOUT_MAX))
