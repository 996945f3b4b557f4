"""Admission: turns in order, and refusals when there is no room."""

import threading
import time

import pytest

from ppocr_serving.errors import EngineError, Overloaded
from ppocr_serving.http.admission import Admission, Buffer


def enter_in_order(admission: Admission, count: int, entered: list[int]) -> list[threading.Thread]:
    """Starts threads that take their turns, each when the one before it waits."""

    def take(number: int) -> None:
        with admission.turn():
            entered.append(number)

    threads = []
    for number in range(count):
        threads.append(threading.Thread(target=take, args=(number,)))
        threads[-1].start()
        while len(admission._queue) <= number:
            time.sleep(0.001)
    return threads


def test_turns_come_in_the_order_of_arrival() -> None:
    admission = Admission(running=1, waiting=20, timeout=60, buffered_bytes=0)
    entered: list[int] = []

    with admission.turn():
        threads = enter_in_order(admission, 20, entered)
        assert entered == []
    for thread in threads:
        thread.join()

    assert entered == list(range(20))


def test_no_more_work_at_a_time_than_allowed() -> None:
    admission = Admission(running=3, waiting=50, timeout=60, buffered_bytes=0)
    lock = threading.Lock()
    now = peak = done = 0

    def work() -> None:
        nonlocal now, peak, done
        with admission.turn():
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
    admission = Admission(running=1, waiting=1, timeout=60, buffered_bytes=0)
    entered: list[int] = []
    with admission.turn():
        (waiting,) = enter_in_order(admission, 1, entered)
        with pytest.raises(Overloaded, match="1 requests are waiting"), admission.turn():
            pass
    waiting.join()

    assert entered == [0]


def test_a_wait_that_ran_out_leaves_the_queue_and_its_turn_goes_to_the_next() -> None:
    admission = Admission(running=1, waiting=2, timeout=0.01, buffered_bytes=0)
    with admission.turn():
        for _ in range(5):
            with pytest.raises(Overloaded, match=r"no turn within 0\.01 seconds"), admission.turn():
                pass
    with admission.turn():
        pass


def fail(buffer: Buffer) -> None:
    buffer.take(10)
    raise EngineError("broken")


def test_a_failure_gives_its_turn_and_its_room_back() -> None:
    admission = Admission(running=1, waiting=0, timeout=60, buffered_bytes=10)
    for _ in range(3):
        with pytest.raises(EngineError), admission.buffer() as buffer, admission.turn():
            fail(buffer)


def test_bytes_are_bounded_together() -> None:
    admission = Admission(running=1, waiting=0, timeout=60, buffered_bytes=10)
    with admission.buffer() as first, admission.buffer() as second:
        first.take(4)
        second.take(4)
        first.take(2)
        with pytest.raises(Overloaded, match="request bodies"):
            second.take(1)
    with admission.buffer() as alone:
        alone.take(10)
