"""The server's log: plain lines on standard error, one per request."""

import contextlib
import logging
import os
import stat
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from ppocr_serving.timing import STAGES
from ppocr_serving.workers.messages import Answer

__all__ = ["LogStream", "RequestRecord", "configure_logging"]


class LogStream:
    """A stream that takes whole lines, and loses those that cannot be written at once.

    Whoever collects the log may have stopped reading, and its disk may be full; neither may hold up an answer.

    Args:
        file: Descriptor of the stream's file.
    """

    def __init__(self, file: int) -> None:
        self._file = _without_waiting(file)

    def fileno(self) -> int:
        """Return the descriptor that is written to."""
        return self._file

    def write(self, text: str) -> None:
        """Write lines."""
        with contextlib.suppress(OSError):
            os.write(self._file, text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Do nothing: each line is written at once."""


def configure_logging() -> tuple[LogStream, LogStream]:
    """Send this package's log to standard error, where container platforms collect it.

    Returns:
        Standard output and standard error, in this order.
    """
    output, log = LogStream(_file_of(sys.stdout)), LogStream(_file_of(sys.stderr))
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("ppocr_serving")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return output, log


class RequestRecord:
    """Log record of a request: counts, times and the outcome; never pictures, texts or secrets from headers.

    Args:
        request_id: The request's id.

    Attributes:
        module: The requested module, `-` if there is none of that name.
        key: Name of the request's API key, empty if it has none.
        error: Stable code of the error, empty if there was none.
        answer: The worker's answer, if it came to one.
    """

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._start = time.perf_counter()
        self.module = "-"
        self.key = ""
        self.error = ""
        self.answer: Answer | None = None

    def line(self, status: int) -> str:
        """Return the log line; times are in milliseconds, `ms` since the request arrived, including waiting.

        Args:
            status: HTTP status of the answer.
        """
        milliseconds = (time.perf_counter() - self._start) * 1000
        answer = self.answer or Answer(0, status, module=self.module, error=self.error)
        return (
            f"id={self._request_id} module={answer.module} status={status} pictures={answer.pictures} "
            f"pixels={answer.pixels} lines={answer.lines}{_reread(answer)} ms={milliseconds:.1f}{_times(answer.stages)}"
            f"{f' key={self.key}' if self.key else ''}{f' error={answer.error}' if answer.error else ''}"
        )


def _file_of(stream: TextIO | None) -> int:
    # Python has none for a file that was closed when it started.
    return os.open(os.devnull, os.O_WRONLY) if stream is None else stream.fileno()


def _without_waiting(file: int) -> int:
    """Return a second descriptor of a file; of a pipe or a terminal, one whose writes fail rather than wait."""
    mode = os.fstat(file).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        # Opened again, because others who share the original may rely on writes that wait.
        with contextlib.suppress(OSError):  # it belongs to another user
            return os.open(f"/proc/self/fd/{file}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    return os.dup(file)


def _reread(answer: Answer) -> str:
    return f" reread={answer.reread}" if answer.reread else ""


def _times(stages: Mapping[str, float]) -> str:
    return "".join(f" {stage}={stages[stage] * 1000:.1f}" for stage in STAGES if stage in stages)
