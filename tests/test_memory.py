"""When to replace a process; each case runs in a separate process that grows on demand."""

import logging
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection

import pytest

from ppocr_serving.memory import MemoryLimit, resident_mb

FORK = multiprocessing.get_context("fork")
MANY = 1000  # requests, more than enough


def grow(megabytes: float) -> bytearray:
    return bytearray(b"x") * int(megabytes * 2**20)


def in_a_process(run: Callable[[], object]) -> object:
    """Run a function in a forked process."""

    def child(result: Connection) -> None:
        result.send(run())

    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=child, args=(sender,))
    process.start()
    sender.close()
    answer: object = receiver.recv()
    process.join()
    assert process.exitcode == 0
    return answer


def test_resident_memory_is_measured_in_mebibytes() -> None:
    before = resident_mb()
    held = grow(64)

    assert 60 < resident_mb() - before < 72
    assert len(held) == 64 * 2**20


def test_a_process_past_the_limit_is_replaced() -> None:
    def run() -> list[bool]:
        fresh = resident_mb()
        limit = MemoryLimit(int(fresh * 1.5) + 64)
        seen = [limit.claim(MANY)]  # not before its models are loaded
        limit.begin()
        seen.append(limit.claim(MANY))
        held = grow(fresh * 0.5 + 32)
        seen.append(limit.claim(MANY))
        held += grow(64)
        seen.append(limit.claim(31))  # too young
        seen.append(limit.claim(32))
        return seen

    assert in_a_process(run) == [False, False, False, False, True]


def test_without_a_limit_no_process_is_replaced() -> None:
    def run() -> bool:
        limit = MemoryLimit(0)
        limit.begin()
        return limit.claim(MANY)

    assert in_a_process(run) is False


def test_processes_are_replaced_one_at_a_time() -> None:
    limit = MemoryLimit(1)

    def run() -> bool:
        limit.begin()
        held = grow(resident_mb())
        return limit.claim(MANY) and bool(held)

    def claim_before_the_replacement_begins() -> bool:
        fresh = resident_mb()
        limit._threshold_mb = fresh / 2
        return limit.claim(MANY)

    assert in_a_process(run) is True
    assert in_a_process(claim_before_the_replacement_begins) is False
    assert in_a_process(run) is True  # the replacement, which begins


def test_a_limit_below_the_startup_size_warns_once_and_replaces_nothing(caplog: pytest.LogCaptureFixture) -> None:
    limit = MemoryLimit(3)
    with caplog.at_level(logging.WARNING, logger="ppocr_serving"):
        limit.begin()
        limit.begin()

    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith("PPOCR_MAX_MEMORY_MB is 3, but a process has ")
    assert "set a higher value, or 0" in message
    assert limit.claim(MANY) is False
