"""Doors: the paths whose requests are answered by worker processes, and what the server does for each by itself.

The server's process imports this, so it must stay light; what answers the requests is in `ppocr_serving.web.answers`.
"""

from collections.abc import Callable
from typing import NamedTuple

from ppocr_serving.errors import PathNotServed, UnsupportedMediaType
from ppocr_serving.web.responses import Response, error_record, error_response
from ppocr_serving.workers.messages import Head

__all__ = ["EVENT", "PREDICT", "PREDICT_PREFIX", "Door", "door_at", "unknown_path"]

PREDICT_PREFIX = "/predict/"
"""Before the name of a module."""


class Door(NamedTuple):
    """A way for clients to have something read.

    Attributes:
        name: Unique, for the log and the table of what answers.
        check: Refuses a request before its body arrives. Raises OcrError.
        refuse: Returns an error in the form that clients of this door expect, given the request's id.
        stream_error: Returns what ends an answer of which parts have been sent, given the error and the request's id.
        takes_documents: Whether a request may have many pages: each then has the time of a request, and all of them
            that of a document.
    """

    name: str
    check: Callable[[Head], None]
    refuse: Callable[[BaseException, str], Response]
    stream_error: Callable[[BaseException, str], bytes] = error_record
    takes_documents: bool = False


def _require_json(head: Head) -> None:
    media_type = head.content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaType(
            f"the content type is {media_type[:80]!r}; send the header Content-Type: application/json"
        )


def _accept_all(_: Head) -> None:
    """Let every request in."""


PREDICT = Door("predict", _require_json, error_response)
"""The four modules."""

EVENT = Door("event", _accept_all, error_response)
"""A serverless platform's event, which may contain a request to any other door."""

_DOORS = {"/invoke": EVENT, "/event-invoke": EVENT}


def door_at(path: str) -> Door | None:
    """Return the door at a path; None if there is none."""
    name = path.removeprefix(PREDICT_PREFIX)
    if path.startswith(PREDICT_PREFIX) and name != "" and "/" not in name:
        return PREDICT
    return _DOORS.get(path)


def unknown_path(path: str) -> PathNotServed:
    """Return the error of a path where there is nothing."""
    return PathNotServed(f"the path {path[:80]!r} is unknown; post pictures to /predict/ocr_system")
