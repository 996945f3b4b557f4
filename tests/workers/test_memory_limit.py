"""When to replace a process."""

import logging

import pytest

from ppocr_serving.workers.memory import MemoryLimit, resident_mb

MANY = 1000  # requests, more than enough


def test_resident_memory_is_measured_in_mebibytes() -> None:
    before = resident_mb()
    held = bytearray(b"x") * (64 * 2**20)

    assert 60 < resident_mb() - before < 72
    assert len(held) == 64 * 2**20


def test_a_process_past_the_limit_is_replaced() -> None:
    limit = MemoryLimit(150)
    seen = [limit.is_exceeded(1, 151, MANY)]  # not before its models are loaded
    limit.begin(100)
    seen.append(limit.is_exceeded(1, 100, MANY))
    seen.append(limit.is_exceeded(1, 150, MANY))
    seen.append(limit.is_exceeded(1, 151, 31))  # too young
    seen.append(limit.is_exceeded(1, 151, 32))

    assert seen == [False, False, False, False, True]


def test_without_a_limit_no_process_is_replaced() -> None:
    limit = MemoryLimit(0)
    limit.begin(100)

    assert not limit.is_exceeded(1, 10**6, MANY)


def test_a_limit_below_the_startup_size_warns_once_and_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    limit = MemoryLimit(3)
    with caplog.at_level(logging.WARNING, logger="ppocr_serving"):
        limit.begin(100)
        limit.begin(100)

    (message,) = caplog.messages
    assert message.startswith("PPOCR_MAX_MEMORY_MB is 3, but a process has 100 MB as soon as its models are loaded")
    assert "set a higher value, or 0" in message
    assert not limit.is_exceeded(1, 125, MANY)
    assert limit.is_exceeded(1, 126, MANY)


def test_the_log_says_why_a_process_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    limit = MemoryLimit(200)
    limit.begin(100)
    with caplog.at_level(logging.INFO, logger="ppocr_serving"):
        assert limit.is_exceeded(17, 201, MANY)

    (message,) = caplog.messages
    assert message.startswith("process 17 has 201 MB, more than the limit of 200 (PPOCR_MAX_MEMORY_MB is 200)")
