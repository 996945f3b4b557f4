"""Doors: the paths whose requests are answered by worker processes, and what the server does for each by itself.

The server's process imports this, so it must stay light; what answers the requests is in `ppocr_serving.web.answers`.
"""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from ppocr_serving.errors import PathNotServed, UnsupportedMediaType
from ppocr_serving.web.adapters.refusals import (
    check_form,
    check_form_or_json,
    check_json,
    refuse_ocr,
    refuse_ocrspace,
    refuse_umiocr,
)
from ppocr_serving.web.media_types import is_json, media_type_of
from ppocr_serving.web.responses import Response, error_record, error_response
from ppocr_serving.web.v1 import refusals as v1
from ppocr_serving.workers.messages import Head

__all__ = [
    "CAPABILITIES",
    "DOORS",
    "EVENT",
    "OCR",
    "OCRSPACE",
    "PREDICT",
    "PREDICT_PREFIX",
    "READ",
    "RENDER",
    "UMIOCR",
    "UMIOCR_OPTIONS",
    "Door",
    "door_at",
    "refuse_at",
    "unknown_path",
]

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
        methods: Allowed methods.
        module: The module whose reader answers; empty if the path names it, or none is needed.
        is_constant: Whether the answer stays the same as long as the server runs.
        adapters: Names of the adapters that answer: it is there if one of them is switched on. Empty if it always is.
    """

    name: str
    check: Callable[[Head], None]
    refuse: Callable[[BaseException, str], Response]
    stream_error: Callable[[BaseException, str], bytes] = error_record
    takes_documents: bool = False
    methods: tuple[str, ...] = ("POST",)
    module: str = ""
    is_constant: bool = False
    adapters: frozenset[str] = frozenset()


def _require_json(head: Head) -> None:
    media_type = media_type_of(head.content_type)
    if not is_json(media_type):
        raise UnsupportedMediaType(
            f"the content type is {media_type[:80]!r}; send the header Content-Type: application/json"
        )


def _accept_all(_: Head) -> None:
    """Let every request in."""


PREDICT = Door("predict", _require_json, error_response)
"""The four modules."""

EVENT = Door("event", _accept_all, error_response)
"""A serverless platform's event, which may contain a request to any other door.

It has the time of a request for pictures, whatever is inside: platforms end an invocation after a time of their own,
which has to be longer than ours, or the client gets no answer at all.
"""

_ENTIRE_PAGES = "ocr_system"

READ = Door(
    "v1/read",
    v1.check_files,
    v1.refuse,
    module=_ENTIRE_PAGES,
    stream_error=v1.error_record,
    takes_documents=True,
)
"""Read files of any kind, and answer in any format."""

RENDER = Door("v1/render", v1.check_documents, v1.refuse, module=_ENTIRE_PAGES, takes_documents=True)
"""Write what was read before in another format."""

CAPABILITIES = Door(
    "v1/capabilities", _accept_all, v1.refuse, methods=("GET", "HEAD"), module=_ENTIRE_PAGES, is_constant=True
)
"""Say what can be read, and how."""

OCR = Door(
    "ocr",
    check_form_or_json,
    refuse_ocr,
    module=_ENTIRE_PAGES,
    takes_documents=True,
    adapters=frozenset({"paddlex", "rapidocr", "liteparse"}),
)
"""Answer the clients of PaddleX, rapidocr_api and LiteParse."""

_UMIOCR: Final = frozenset({"umiocr"})

UMIOCR = Door("umiocr", check_json, refuse_umiocr, module=_ENTIRE_PAGES, adapters=_UMIOCR)
"""Answer the clients of Umi-OCR."""

UMIOCR_OPTIONS = Door(
    "umiocr/options",
    _accept_all,
    refuse_umiocr,
    methods=("GET", "HEAD"),
    module=_ENTIRE_PAGES,
    is_constant=True,
    adapters=_UMIOCR,
)
"""Say which options Umi-OCR's clients have."""

OCRSPACE = Door(
    "ocrspace",
    check_form,
    refuse_ocrspace,
    module=_ENTIRE_PAGES,
    takes_documents=True,
    adapters=frozenset({"ocrspace"}),
)
"""Answer the clients of OCR.space."""

DOORS: Final[Mapping[str, Door]] = MappingProxyType(
    {
        "/v1/read": READ,
        "/v1/render": RENDER,
        "/v1/capabilities": CAPABILITIES,
        "/ocr": OCR,
        "/api/ocr": UMIOCR,
        "/api/ocr/get_options": UMIOCR_OPTIONS,
        "/parse/image": OCRSPACE,
        "/invoke": EVENT,
        "/event-invoke": EVENT,
    }
)
"""All doors by path, but for those of the four modules."""


def door_at(path: str, adapters: Collection[str]) -> Door | None:
    """Return the door at a path; None if there is none.

    Args:
        path: The path.
        adapters: Those that are switched on.
    """
    name = path.removeprefix(PREDICT_PREFIX)
    if path.startswith(PREDICT_PREFIX) and name != "" and "/" not in name:
        return PREDICT
    door = DOORS.get(path)
    return None if door is not None and door.adapters and door.adapters.isdisjoint(adapters) else door


def refuse_at(path: str, adapters: Collection[str]) -> Callable[[BaseException, str], Response]:
    """Return what makes the errors at a path, whether or not there is anything.

    Args:
        path: The path.
        adapters: Those that are switched on.
    """
    door = door_at(path, adapters)
    if door is not None:
        return door.refuse
    return v1.refuse if path.startswith("/v1/") else error_response


def unknown_path(path: str) -> PathNotServed:
    """Return the error of a path where there is nothing."""
    return PathNotServed(
        f"the path {path[:80]!r} is unknown; post files to /v1/read, or pictures to /predict/ocr_system"
    )
