"""What clients may ask for, where it is less than what the operator may set."""

from typing import Final

from ppocr_serving.errors import LimitExceeded
from ppocr_serving.reading.options import ReadOptions

__all__ = ["LIMITED_SIDES", "MAX_SIDE_LENGTH", "require_side_lengths"]

MAX_SIDE_LENGTH: Final = 2000
"""Pixels. The detector's memory grows with the square."""

LIMITED_SIDES: Final = ("det_limit_side_len", "det_closer_side_len")
"""The options that it limits."""


def require_side_lengths(options: ReadOptions) -> None:
    """Check the side lengths that a client asks for.

    Raises:
        LimitExceeded: One exceeds the limit.
    """
    for name in LIMITED_SIDES:
        side = getattr(options, name)
        if side is not None and side > MAX_SIDE_LENGTH:
            raise LimitExceeded(f"{name} is {side}; the limit is {MAX_SIDE_LENGTH} per request")
