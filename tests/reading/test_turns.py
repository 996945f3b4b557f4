"""Turns: served in order, and refused when the queue is full."""

import threading
import time

import pytest

from ppocr_serving.errors import DeadlineExceeded, EngineError, Overloaded
from ppocr_serving.reading.budget import Budget, Share
from ppocr_serving.reading.deadline import Deadline
from ppocr_serving.reading.turns import Turns


def enter_in_order(turns: Turns, count: int, entered: list[int]) -> list[threading.Thread]:
    """Start threads that take turns, each once the one before it is waiting."""

    def take(number: int) -> None:
        with turns.turn(Deadline(60)):
            entered.append(number)

    threads = []
    for number in range(count):
        threads.append(threading.Thread(target=take, args=(number,)))
        threads[-1].start()
        while len(turns._waiting) <= number:
            time.sleep(0.001)
    return threads


def test_turns_come_in_the_order_of_arrival() -> None:
    turns = Turns(running=1, waiting=20, timeout=60)
    entered: list[int] = []

    with turns.turn(Deadline(60)):
        threads = enter_in_order(turns, 20, entered)
        assert entered == []
    for thread in threads:
        thread.join()

    assert entered == list(range(20))


def test_concurrency_is_limited() -> None:
    turns = Turns(running=3, waiting=50, timeout=60)
    lock = threading.Lock()
    now = peak = done = 0

    def work() -> None:
        nonlocal now, peak, done
        with turns.turn(Deadline(60)):
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


def test_a_full_queue_refuses_at_once() -> None:
    turns = Turns(running=1, waiting=1, timeout=60)
    entered: list[int] = []
    with turns.turn(Deadline(60)):
        (waiting,) = enter_in_order(turns, 1, entered)
        with pytest.raises(Overloaded, match="1 requests are waiting"), turns.turn(Deadline(60)):
            pass
    waiting.join()

    assert entered == [0]


def test_a_request_that_times_out_leaves_the_queue() -> None:
    turns = Turns(running=1, waiting=2, timeout=0.01)
    with turns.turn(Deadline(60)):
        for _ in range(5):
            with pytest.raises(Overloaded, match=r"the request waited 0\.01 seconds"), turns.turn(Deadline(60)):
                pass
    with turns.turn(Deadline(60)):
        pass


def test_a_request_waits_until_its_deadline_at_most() -> None:
    turns = Turns(running=1, waiting=2, timeout=60)
    with turns.turn(Deadline(60)):
        with pytest.raises(Overloaded, match=r"the request waited 0\.01 seconds"), turns.turn(Deadline(0.01)):
            pass
        with pytest.raises(Overloaded), turns.turn(Deadline(-1)):
            pass
    with turns.turn(Deadline(60)):
        pass


class Work(threading.Thread):
    """A request that computes in steps until it is told to stop."""

    def __init__(self, turns: Turns, deadline: Deadline, stage: str = "rec_engine") -> None:
        super().__init__()
        self.turns, self.deadline, self.stage = turns, deadline, stage
        self.steps = 0
        self.error: BaseException | None = None
        self.stopped = threading.Event()

    def run(self) -> None:
        try:
            with self.turns.turn(self.deadline) as turn:
                while not self.stopped.is_set():
                    turn.before_stage(self.stage)
                    self.steps += 1
                    time.sleep(0.001)
        except DeadlineExceeded as error:
            self.error = error

    def stop(self) -> None:
        self.stopped.set()
        self.join()


def test_a_request_ends_at_its_deadline() -> None:
    turns = Turns(running=1, waiting=0, timeout=60)
    work = Work(turns, Deadline(0.05), "det_engine")
    work.run()
    assert isinstance(work.error, DeadlineExceeded)
    assert str(work.error).startswith("the request was not finished within 0.05 seconds; ")
    with turns.turn(Deadline(60)):
        pass


def test_a_short_request_overtakes_long_ones() -> None:
    turns = Turns(running=1, waiting=3, timeout=60)
    long = [Work(turns, Deadline(60)) for _ in range(3)]
    for work in long:
        work.start()
    while not all(work.steps for work in long):  # each pauses for the others
        time.sleep(0.01)
    with turns.turn(Deadline(60)):
        before = [work.steps for work in long]
        time.sleep(0.05)
        assert [work.steps for work in long] == before  # nobody else computes meanwhile
    for work in long:
        while work.steps == before[long.index(work)]:  # and all of them go on
            time.sleep(0.01)
        work.stop()


def test_requests_do_not_pause_with_a_picture_in_memory() -> None:
    turns = Turns(running=1, waiting=1, timeout=60)
    work, other = Work(turns, Deadline(2), "det_engine"), Work(turns, Deadline(60))
    work.start()
    while not work.steps:
        time.sleep(0.001)
    other.start()
    work.join()
    assert isinstance(work.error, DeadlineExceeded)
    other.stop()


def test_a_paused_request_ends_at_its_deadline() -> None:
    turns = Turns(running=1, waiting=1, timeout=60)
    work = Work(turns, Deadline(2))
    work.start()
    while not work.steps:
        time.sleep(0.001)
    other = Work(turns, Deadline(60), "det_engine")  # does not give way
    other.start()
    work.join()
    assert isinstance(work.error, DeadlineExceeded)
    assert other.steps
    other.stop()
    with turns.turn(Deadline(60)):
        pass


def test_the_number_of_begun_requests_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ppocr_serving.reading.turns._MAX_PAUSED", 2)
    turns = Turns(running=1, waiting=100, timeout=60)
    works = [Work(turns, Deadline(60)) for _ in range(6)]
    for work in works:
        work.start()
    while sum(work.steps > 0 for work in works) < 3:
        time.sleep(0.01)
    time.sleep(1.5)  # longer than a request computes before it gives way
    assert sum(work.steps > 0 for work in works) == 3
    for work in works:
        work.stopped.set()
    for work in works:
        work.join()
    assert all(work.error is None for work in works)


def fail(share: Share) -> None:
    share.take(10)
    raise EngineError("broken")


def test_a_failure_releases_its_turn_and_its_share() -> None:
    turns, budget = Turns(running=1, waiting=0, timeout=60), Budget(10)
    for _ in range(3):
        with pytest.raises(EngineError), budget.share() as share, turns.turn(Deadline(60)):
            fail(share)


def test_all_requests_share_one_byte_budget() -> None:
    budget = Budget(10)
    with budget.share() as first, budget.share() as second:
        first.take(4)
        second.take(4)
        first.take(2)
        with pytest.raises(Overloaded, match="request bodies"):
            second.take(1)
    with budget.share() as alone:
        alone.take(10)
