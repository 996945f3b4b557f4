"""Limits of a download: time and space."""

import msgspec

__all__ = ["DownloadLimits"]


class DownloadLimits(msgspec.Struct, frozen=True):
    """Time and size limits.

    Attributes:
        attempts: Tries for one address, at least 1.
        backoff_s: Seconds before the second try; doubled before each further one.
        stall_s: Seconds without a byte after which a try is given up.
        max_bytes: Ceiling for one download, and for what one archive unpacks to.
    """

    attempts: int = 4
    backoff_s: float = 1.0
    stall_s: float = 30.0
    max_bytes: int = 1 << 30
