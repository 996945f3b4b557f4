"""The server's log: plain lines on standard error, one a request."""

import logging
import sys
import time
from dataclasses import dataclass, field

from ppocr_serving.timing import STAGES, Stopwatch

__all__ = ["RequestRecord", "configure_logging"]


def configure_logging() -> None:
    """Send this package's log to standard error, where the platforms of containers collect it."""
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
    """Log record of a request: counts, times and the outcome; never a picture, a text or a header's secret.

    Attributes:
        request_id: The platform's id of the request, or one of ours.
        module: The task asked for, `-` where there is none of that name.
        pictures: How many pictures the request has.
        pixels: Pixels of all of them.
        lines: Items in the answer.
        error: The stable word for what went wrong, empty if nothing did.
        watch: Time by stage.
        start: When the request came, in seconds of `time.perf_counter`.
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
        """The line of log; times are in milliseconds, `ms` since the request came, its waiting included.

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
