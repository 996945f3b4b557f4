"""The server's log: plain lines on standard error, one per request."""

import logging
import sys
import time
from dataclasses import dataclass, field

from ppocr_serving.timing import STAGES, Stopwatch

__all__ = ["RequestRecord", "configure_logging"]


def configure_logging() -> None:
    """Send this package's log to standard error, where container platforms collect it."""
    logger = logging.getLogger("ppocr_serving")
    if logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


@dataclass(slots=True)
class RequestRecord:
    """Log record of a request: counts, times and the outcome; never pictures, texts or secrets from headers.

    Attributes:
        request_id: The platform's id of the request, or one of ours.
        module: The requested module, `-` if there is none of that name.
        pictures: How many pictures the request has.
        pixels: Pixels of all of them.
        lines: Items in the answer.
        error: Stable code of the error, empty if there was none.
        watch: Time by stage.
        start: When the request arrived, in seconds of `time.perf_counter`.
    """

    request_id: str
    module: str = "-"
    pictures: int = 0
    pixels: int = 0
    lines: int = 0
    error: str = ""
    watch: Stopwatch = field(default_factory=Stopwatch)
    start: float = field(default_factory=time.perf_counter)

    def line(self, status: int) -> str:
        """Return the log line; times are in milliseconds, `ms` since the request arrived, including waiting.

        Args:
            status: HTTP status of the answer.
        """
        milliseconds = (time.perf_counter() - self.start) * 1000
        stages = "".join(
            f" {stage}={self.watch.seconds[stage] * 1000:.1f}" for stage in STAGES if stage in self.watch.seconds
        )
        return (
            f"id={self.request_id} module={self.module} status={status} pictures={self.pictures} "
            f"pixels={self.pixels} lines={self.lines} ms={milliseconds:.1f}{stages}"
            f"{f' error={self.error}' if self.error else ''}"
        )
