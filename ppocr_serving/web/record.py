"""What is known of a request once it has been answered: for the log, the metrics and the header `Server-Timing`."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ppocr_serving.timing import STAGES
from ppocr_serving.workers.messages import Answer

__all__ = ["Outcome", "RequestRecord"]


class Outcome(NamedTuple):
    """A request that has been answered; as text, its line in the log. Never has pictures, texts or secrets.

    Attributes:
        request_id: The request's id.
        door: Name of the door, empty if the path is none.
        module: The module that was asked for, `-` if none of that name exists.
        key: Name of the client's key, empty if it has none.
        status: HTTP status.
        seconds: From the arrival of the request's head on.
        error: Stable code of the error, empty if there was none.
        answer: Counts and times of the worker; zeros if it came to none.
    """

    request_id: str
    door: str
    module: str
    key: str
    status: int
    seconds: float
    error: str
    answer: Answer

    def __str__(self) -> str:
        answer = self.answer
        door = "" if self.door in ("", "predict") else f" door={self.door}"
        key = f" key={self.key}" if self.key else ""
        pages = f" pages={answer.pages}" if answer.pages not in (0, answer.pictures) else ""
        reread = f" reread={answer.reread}" if answer.reread else ""
        times = "".join(f" {stage}={answer.stages[stage] * 1000:.1f}" for stage in STAGES if stage in answer.stages)
        error = f" error={self.error}" if self.error else ""
        return (
            f"id={self.request_id} module={self.module} status={self.status}{door}{key} pictures={answer.pictures}"
            f"{pages} pixels={answer.pixels} lines={answer.lines}{reread} ms={self.seconds * 1000:.1f}{times}{error}"
        )

    def fields(self) -> dict[str, Any]:
        """Return it for a log of objects: times in milliseconds, and nothing that is empty."""
        answer = self.answer
        named = {
            "door": self.door,
            "module": self.module.strip("-"),
            "key": self.key,
            "reread": answer.reread,
            "error": self.error,
            "stages": _milliseconds(answer.stages),
        }
        return {
            "id": self.request_id,
            "status": self.status,
            "pictures": answer.pictures,
            "pages": answer.pages,
            "pixels": answer.pixels,
            "lines": answer.lines,
            "ms": round(self.seconds * 1000, 1),
            "queue_ms": round(answer.waited * 1000, 1),
            **{name: value for name, value in named.items() if value},
        }


class RequestRecord:
    """What is noted of a request while it is answered.

    Args:
        request_id: The request's id.

    Attributes:
        request_id: As given.
        door: Name of the door, empty if the path is none.
        module: The requested module, `-` if there is none of that name.
        key: Name of the client's key, empty if it has none.
        error: Stable code of the error, empty if there was none.
        answer: The worker's answer, if it came to one, or what it says of its work for one that was not sent.
        is_noted: Whether it is in the log and the metrics.
    """

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self._start = time.perf_counter()
        self.door = ""
        self.module = "-"
        self.key = ""
        self.error = ""
        self.answer: Answer | None = None
        self.is_noted = False

    def outcome(self, status: int) -> Outcome:
        """Return what the request has come to.

        Args:
            status: HTTP status of the answer.
        """
        seconds = time.perf_counter() - self._start
        answer = self.answer or Answer(0, status, module=self.module, error=self.error)
        return Outcome(
            self.request_id, self.door, answer.module, self.key, status, seconds, self.error or answer.error, answer
        )

    def server_timing(self) -> str:
        """Return the value of `Server-Timing`: milliseconds of waiting, of each stage, and until now."""
        answer = self.answer or Answer(0, 0)
        times = {"queue": answer.waited, **answer.stages, "total": time.perf_counter() - self._start}
        return ", ".join([f"{name};dur={seconds * 1000:.1f}" for name, seconds in times.items()])


def _milliseconds(times: Mapping[str, float]) -> dict[str, float]:
    return {name: round(seconds * 1000, 1) for name, seconds in times.items()}
