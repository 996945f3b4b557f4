"""Turns: served in order, and refused when the queue is full."""

import threading
import time

import pytest

from ppocr_serving.errors import EngineError, Overloaded
from ppocr_serving.reading.budget import Budget, Share
from ppocr_serving.reading.turns import Turns


def enter_in_order(turns: Turns, count: int, entered: list[int]) -> list[threading.Thread]:
    """Start threads that take turns, each once the one before it is waiting."""

    def take(number: int) -> None:
        with turns.turn():
            entered.append(number)

    threads = []
    for number in range(count):
        threads.append(threading.Thread(target=take, args=(number,)))
        threads[-1].start()
        while len(turns._queue) <= number:
            time.sleep(0.001)
    return threads


def test_turns_come_in_the_order_of_arrival() -> None:
    turns = Turns(running=1, waiting=20, timeout=60)
    entered: list[int] = []

    with turns.turn():
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
        with turns.turn():
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
    with turns.turn():
        (waiting,) = enter_in_order(turns, 1, entered)
        with pytest.raises(Overloaded, match="1 requests are waiting"), turns.turn():
            pass
    waiting.join()

    assert entered == [0]


def test_a_request_that_times_out_leaves_the_queue() -> None:
    turns = Turns(running=1, waiting=2, timeout=0.01)
    with turns.turn():
        for _ in range(5):
            with pytest.raises(Overloaded, match=r"the request waited 0\.01 seconds"), turns.turn():
                pass
    with turns.turn():
        pass


def fail(share: Share) -> None:
    share.take(10)
    raise EngineError("broken")


def test_a_failure_releases_its_turn_and_its_share() -> None:
    turns, budget = Turns(running=1, waiting=0, timeout=60), Budget(10)
    for _ in range(3):
        with pytest.raises(EngineError), budget.share() as share, turns.turn():
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
