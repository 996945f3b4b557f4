"""Time and size limits of a download."""

import msgspec

__all__ = ["DownloadLimits"]


class DownloadLimits(msgspec.Struct, frozen=True):
    """Time and size limits.

    Attributes:
        attempts: Attempts per URL, at least 1.
        backoff_s: Seconds before the second attempt; doubled before each further one.
        stall_s: Seconds without a byte after which an attempt is given up.
        max_bytes: Limit for one download, and for the unpacked size of one archive.
    """

    attempts: int = 4
    backoff_s: float = 1.0
    stall_s: float = 30.0
    max_bytes: int = 1 << 30

    def impatient(self) -> "DownloadLimits":
        """Return the limits for an address that another source can stand in for: one attempt of a few seconds."""
        return msgspec.structs.replace(self, attempts=1, stall_s=min(self.stall_s, 5.0))
