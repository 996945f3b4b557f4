"""The server's log on standard error: a line per message and request, as text or as JSON."""

import contextlib
import logging
import os
import stat
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from ppocr_serving.settings import LogFormat
from ppocr_serving.web.record import Outcome

__all__ = ["LogStream", "configure_logging"]

# JSON allows these inside a text, but some readers end a line there.
_LINE_ENDS = {ord(character): f"\\u{ord(character):04x}" for character in "\x7f\x85\u2028\u2029"}
_ABOUT_REQUEST = "id=%s"


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


def configure_logging(form: LogFormat = "text") -> tuple[LogStream, LogStream]:
    """Send this package's log to standard error, where container platforms collect it.

    Args:
        form: Form of its lines.

    Returns:
        Standard output and standard error, in this order.
    """
    output, log = LogStream(_file_of(sys.stdout)), LogStream(_file_of(sys.stderr))
    handler = logging.StreamHandler(log)
    text = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(_JsonFormatter() if form == "json" else text)
    logger = logging.getLogger("ppocr_serving")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return output, log


class _JsonFormatter(logging.Formatter):
    """One object in one line, whatever the message contains."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
        }
        if isinstance(record.msg, Outcome):
            entry |= {"message": "request", **record.msg.fields()}
        else:
            entry["message"] = _encodable(record.getMessage())
            if str(record.msg).startswith(_ABOUT_REQUEST) and isinstance(record.args, tuple):
                entry["id"] = record.args[0]
        if record.exc_info:
            entry["traceback"] = _encodable(self.formatException(record.exc_info))
        return msgspec.json.encode(entry).decode().translate(_LINE_ENDS)


def _encodable(text: str) -> str:
    """Return a text with what UTF-8 does not have, bytes of file names for example, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


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
