"""Turns: begun requests compute in order, and long ones give way to short ones."""

import threading
import time

import pytest

from ppocr_serving.errors import DeadlineExceeded, EngineError, OcrError, Overloaded, RequestCancelled
from ppocr_serving.reading.deadline import Deadline
from ppocr_serving.reading.turns import Turn, Turns


def turn(seconds: float = 60) -> Turn:
    return Turn(Deadline(seconds))


def enter_in_order(turns: Turns, count: int, entered: list[int]) -> list[threading.Thread]:
    """Start threads that take turns, each once the one before it is waiting."""

    def take(number: int) -> None:
        with turns.of(turn()):
            entered.append(number)

    threads = []
    for number in range(count):
        threads.append(threading.Thread(target=take, args=(number,)))
        threads[-1].start()
        while len(turns._waiting) <= number:
            time.sleep(0.001)
    return threads


def test_turns_come_in_the_order_of_arrival() -> None:
    turns = Turns(1)
    entered: list[int] = []

    with turns.of(turn()):
        threads = enter_in_order(turns, 20, entered)
        assert entered == []
    for thread in threads:
        thread.join()

    assert entered == list(range(20))


def test_the_order_is_that_of_arrival_even_if_threads_come_late() -> None:
    turns = Turns(1)
    first, second = turn(), turn()
    entered: list[Turn] = []

    def take(mine: Turn) -> None:
        with turns.of(mine):
            entered.append(mine)

    threads = [threading.Thread(target=take, args=(mine,)) for mine in (second, first)]
    with turns.of(turn()):
        for number, thread in enumerate(threads):
            thread.start()
            while len(turns._waiting) <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join()

    assert entered == [first, second]


def test_concurrency_is_limited() -> None:
    turns = Turns(3)
    lock = threading.Lock()
    now = peak = done = 0

    def work() -> None:
        nonlocal now, peak, done
        with turns.of(turn()):
            with lock:
                now += 1
                peak = max(peak, now)
            time.sleep(0.002)
            with lock:
                now -= 1
                done += 1

    threads = [threading.Thread(target=work) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (peak, done) == (3, 40)


def test_a_request_waits_until_its_deadline_at_most() -> None:
    turns = Turns(1)
    with turns.of(turn()):
        for _ in range(5):
            with pytest.raises(Overloaded, match=r"the request waited 0\.01 seconds"), turns.of(turn(0.01)):
                pass
        with pytest.raises(Overloaded), turns.of(turn(-1)):
            pass
    with turns.of(turn()):
        pass


class Work(threading.Thread):
    """A request that computes in steps until it is told to stop."""

    def __init__(self, turns: Turns, seconds: float = 60, stage: str = "rec_engine") -> None:
        super().__init__()
        self.turns, self.turn, self.stage = turns, turn(seconds), stage
        self.steps = 0
        self.error: OcrError | None = None
        self.stopped = threading.Event()

    def run(self) -> None:
        try:
            with self.turns.of(self.turn):
                while not self.stopped.is_set():
                    self.turn.before_stage(self.stage)
                    self.steps += 1
                    time.sleep(0.001)
        except OcrError as error:
            self.error = error

    def stop(self) -> None:
        self.stopped.set()
        self.join()

    def wait_for_step(self) -> None:
        before = self.steps
        while self.steps == before:
            time.sleep(0.001)


def test_a_request_ends_at_its_deadline() -> None:
    turns = Turns(1)
    work = Work(turns, 0.05, "det_engine")
    work.run()
    assert isinstance(work.error, DeadlineExceeded)
    assert str(work.error).startswith("the request was not finished within 0.05 seconds; ")
    with turns.of(turn()):
        pass


def test_a_short_request_overtakes_long_ones() -> None:
    turns = Turns(1)
    long = [Work(turns) for _ in range(3)]
    for work in long:
        work.start()
    while not all(work.steps for work in long):  # each pauses for the others
        time.sleep(0.01)
    with turns.of(turn()):
        before = [work.steps for work in long]
        time.sleep(0.05)
        assert [work.steps for work in long] == before  # nobody else computes meanwhile
    for work in long:
        while work.steps == before[long.index(work)]:  # and all of them go on
            time.sleep(0.01)
        work.stop()


def test_requests_do_not_pause_with_a_picture_in_memory() -> None:
    turns = Turns(1)
    work, other = Work(turns, 2, "det_engine"), Work(turns)
    work.start()
    work.wait_for_step()
    other.start()
    work.join()
    assert isinstance(work.error, DeadlineExceeded)
    other.stop()


def test_a_paused_request_ends_at_its_deadline() -> None:
    turns = Turns(1)
    work = Work(turns, 2)
    work.start()
    work.wait_for_step()
    other = Work(turns, stage="det_engine")  # does not give way
    other.start()
    work.join()
    assert isinstance(work.error, DeadlineExceeded)
    assert other.steps
    other.stop()
    with turns.of(turn()):
        pass


def test_others_compute_while_a_request_waits_for_something_else() -> None:
    turns = Turns(1)
    mine, entered = turn(), list[int]()
    with turns.of(mine):
        with mine.given_away():
            for _ in range(2):
                with turns.of(turn()):
                    entered.append(mine.current_seconds == 0)
        waiting = enter_in_order(turns, 1, entered)
        assert entered == [True, True]  # it has its turn again
    for thread in waiting:
        thread.join()


def wait_aside(turns: Turns, other: Work, seconds: float, error: OcrError | None = None) -> None:
    """Give the turn to another request that keeps it, and come back."""
    mine = turn(seconds)
    with turns.of(mine), mine.given_away():
        other.start()
        other.wait_for_step()
        if error is not None:
            raise error


def test_a_request_that_waits_for_something_else_keeps_no_turn_that_it_does_not_get() -> None:
    turns = Turns(1)
    for error, expected in ((None, DeadlineExceeded), (EngineError("it fails"), EngineError)):
        other = Work(turns, stage="det_engine")  # does not give way
        with pytest.raises(expected):
            wait_aside(turns, other, 0.05, error)
        other.stop()
        with turns.of(turn()):
            pass


@pytest.mark.parametrize("stage", ["rec_engine", "det_engine"])
def test_a_request_that_computes_ends_when_it_is_cancelled(stage: str) -> None:
    turns = Turns(1)
    work = Work(turns, stage=stage)
    work.start()
    work.wait_for_step()
    work.turn.cancel()
    work.join()
    assert isinstance(work.error, RequestCancelled)
    with turns.of(turn()):
        pass


def test_requests_that_wait_end_when_they_are_cancelled() -> None:
    turns = Turns(1)
    paused, never_begun, early = Work(turns), Work(turns), Work(turns)
    paused.start()
    paused.wait_for_step()
    other = Work(turns, stage="det_engine")  # does not give way
    other.start()
    other.wait_for_step()  # so the first one is paused
    never_begun.start()
    while len(turns._waiting) < 2:
        time.sleep(0.001)
    early.turn.cancel()  # before its thread comes
    early.start()
    for work in (never_begun, paused):
        work.turn.cancel()
    for work in (never_begun, paused, early):
        work.join()
        assert isinstance(work.error, RequestCancelled)
    assert (never_begun.steps, early.steps) == (0, 0)
    other.stop()
    assert other.error is None
    with turns.of(turn()):
        pass


def test_a_failure_releases_its_turn() -> None:
    turns = Turns(1)

    def fail() -> None:
        with turns.of(turn()):
            raise EngineError("broken")

    for _ in range(3):
        with pytest.raises(EngineError):
            fail()
    with turns.of(turn()):
        pass
