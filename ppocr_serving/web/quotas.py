"""Limits per API key: requests and pixels per minute."""

import math
from collections.abc import Container

from ppocr_serving.errors import QuotaExceeded
from ppocr_serving.web.keys import Key

__all__ = ["Quotas"]

_MINUTE = 60.0  # seconds


class Quotas:
    """What each key may still use: as much at once as it may use per minute, refilled steadily.

    It takes memory for each key, not for each request.
    """

    def __init__(self) -> None:
        self._requests: dict[str, _Bucket] = {}
        self._pixels: dict[str, _Bucket] = {}

    def admit(self, key: Key, now: float) -> None:
        """Count a request, unless it is refused.

        Args:
            key: The request's key.
            now: In seconds of `time.monotonic`.

        Raises:
            QuotaExceeded: The key has used up its requests, or its pixels.
        """
        if key.pixels_per_minute:
            pixels = _bucket(self._pixels, key.name, key.pixels_per_minute, now)
            if pixels.level <= 0:
                raise _exceeded(key, f"{key.pixels_per_minute} pixels", pixels.seconds_until(1))
        if key.requests_per_minute:
            requests = _bucket(self._requests, key.name, key.requests_per_minute, now)
            if requests.level < 1:
                raise _exceeded(key, f"{key.requests_per_minute} requests", requests.seconds_until(1))
            requests.level -= 1

    def charge(self, name: str, pixels: int) -> None:
        """Subtract the pixels of an answered request, which may be more than are left; later ones wait for it.

        Args:
            name: The key's.
            pixels: How many.
        """
        bucket = self._pixels.get(name)
        if bucket is not None:
            bucket.level -= pixels

    def keep_only(self, names: Container[str]) -> None:
        """Forget all other keys."""
        for buckets in (self._requests, self._pixels):
            for name in [name for name in buckets if name not in names]:
                del buckets[name]


class _Bucket:
    """A quantity that refills up to a minute's worth.

    Args:
        per_minute: How much is added per minute; above 0.
        now: In seconds.

    Attributes:
        level: How much is left; below 0 if more has been used than there was.
    """

    __slots__ = ("_now", "_per_minute", "level")

    def __init__(self, per_minute: int, now: float) -> None:
        self._per_minute = per_minute
        self._now = now
        self.level = float(per_minute)

    def refill(self, per_minute: int, now: float) -> None:
        """Add what has come since the last time; the rate may be another one from now on."""
        self.level = min(per_minute, self.level + (now - self._now) * self._per_minute / _MINUTE)
        self._per_minute = per_minute
        self._now = now

    def seconds_until(self, level: float) -> int:
        """Return in how many whole seconds it has reached a level, at least 1."""
        return max(1, math.ceil((level - self.level) * _MINUTE / self._per_minute))


def _bucket(buckets: dict[str, _Bucket], name: str, per_minute: int, now: float) -> _Bucket:
    bucket = buckets.get(name)
    if bucket is None:
        bucket = buckets[name] = _Bucket(per_minute, now)
    bucket.refill(per_minute, now)
    return bucket


def _exceeded(key: Key, what: str, seconds: int) -> QuotaExceeded:
    return QuotaExceeded(
        f"the key {key.name!r} has used up its {what} per minute; try again in {seconds} seconds", seconds
    )
