"""Limits per key and minute."""

from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.errors import QuotaExceeded
from ppocr_serving.web.keys import Key
from ppocr_serving.web.quotas import Quotas


def key(requests: int = 0, pixels: int = 0, name: str = "alice") -> Key:
    return Key(name, b"", requests, pixels)


def refused(quotas: Quotas, limited: Key, now: float) -> QuotaExceeded | None:
    try:
        quotas.admit(limited, now)
    except QuotaExceeded as error:
        return error
    return None


def test_a_key_without_limits_is_never_refused() -> None:
    quotas = Quotas()
    for _ in range(1000):
        quotas.admit(key(), 0.0)
        quotas.charge("alice", 10**9)


def test_requests_may_come_at_once_and_refill_steadily() -> None:
    quotas, limited = Quotas(), key(requests=4)
    for _ in range(4):
        quotas.admit(limited, 100.0)
    error = refused(quotas, limited, 100.0)
    assert error is not None
    assert str(error) == "the key 'alice' has used up its 4 requests per minute; try again in 15 seconds"
    assert error.retry_after == 15
    assert refused(quotas, limited, 114.9) is not None
    assert refused(quotas, limited, 115.0) is None
    assert refused(quotas, limited, 115.0) is not None


def test_refused_requests_cost_nothing() -> None:
    quotas, limited = Quotas(), key(requests=1, pixels=100)
    quotas.admit(limited, 0.0)
    quotas.charge("alice", 150)
    for _ in range(100):
        assert refused(quotas, limited, 1.0) is not None
    assert refused(quotas, limited, 60.0) is None


def test_pixels_are_charged_afterwards_and_later_requests_wait_for_them() -> None:
    quotas, limited = Quotas(), key(pixels=6000)
    quotas.admit(limited, 0.0)
    quotas.charge("alice", 9000)
    error = refused(quotas, limited, 0.0)
    assert error is not None
    assert str(error) == "the key 'alice' has used up its 6000 pixels per minute; try again in 31 seconds"
    assert refused(quotas, limited, 30.0) is not None
    assert refused(quotas, limited, 31.0) is None


def test_keys_do_not_use_up_each_others_limits() -> None:
    quotas = Quotas()
    quotas.admit(key(requests=1), 0.0)
    quotas.admit(key(requests=1, name="bob"), 0.0)
    assert refused(quotas, key(requests=1), 0.0) is not None


def test_a_limit_can_change() -> None:
    quotas = Quotas()
    quotas.admit(key(requests=1), 0.0)
    assert refused(quotas, key(requests=60), 0.0) is not None
    assert refused(quotas, key(requests=60), 60.0) is None
    assert refused(quotas, key(requests=1), 60.0) is None
    assert refused(quotas, key(requests=1), 60.0) is not None


def test_keys_that_are_gone_are_forgotten() -> None:
    quotas = Quotas()
    for name in ("alice", "bob"):
        quotas.admit(key(1, 1, name), 0.0)
        quotas.charge(name, 100)
    quotas.keep_only({"bob"})
    quotas.charge("alice", 100)
    assert refused(quotas, key(1, 1), 0.0) is None
    assert refused(quotas, key(1, 1, "bob"), 0.0) is not None


@given(st.integers(1, 100), st.lists(st.floats(0, 20), max_size=200))
def test_no_minute_has_more_than_twice_the_limit(limit: int, pauses: list[float]) -> None:
    quotas, now, admitted = Quotas(), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if refused(quotas, key(requests=limit), now) is None:
            admitted.append(now)
    for begin in admitted:
        assert sum(begin <= moment < begin + 60 for moment in admitted) <= 2 * limit


@given(st.integers(1, 1000), st.integers(1, 10**6), st.integers(0, 10**7))
def test_a_client_that_waits_as_told_is_let_in(requests: int, pixels: int, used: int) -> None:
    quotas, limited = Quotas(), key(requests, pixels)
    for _ in range(requests):
        quotas.admit(limited, 0.0)
    quotas.charge("alice", used)
    now, refusals = 0.0, 0
    while error := refused(quotas, limited, now):
        now += error.retry_after
        refusals += 1
        assert refusals <= 2  # for its pixels, then for its requests
