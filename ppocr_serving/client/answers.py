"""What a server's answers say."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec

from ppocr_serving.client.errors import ConnectionFailed, ServerFault, UnexpectedAnswer
from ppocr_serving.client.sending import Source
from ppocr_serving.errors import (
    DeadlineExceeded,
    InvalidRequest,
    KeyRequired,
    LimitExceeded,
    NotReady,
    OcrError,
    Overloaded,
    QuotaExceeded,
)
from ppocr_serving.outputs import Item, Origin
from ppocr_serving.outputs.as_json import error_of, read_items
from ppocr_serving.outputs.jsonl import read_record
from ppocr_serving.reading.files import naming_source
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.results import Document, Page

__all__ = ["Records", "capabilities_of", "document_of", "error_of_answer", "item_of", "origin_of_server"]

_OTHERS: Final[Mapping[int, tuple[type[OcrError], str]]] = {
    401: (KeyRequired, "something in front of it wants a user name or a key; ask who runs it"),
    403: (KeyRequired, "something in front of it does not let you in; ask who runs it"),
    413: (LimitExceeded, "a proxy in front of it refuses files of this size; send a smaller file, or raise its limit"),
    429: (Overloaded, "a proxy in front of it refuses so many requests; try again later"),
    502: (ConnectionFailed, "a proxy in front of it does not reach it; is the server running?"),
    503: (NotReady, "a proxy in front of it has no server that is ready; try again later"),
    504: (
        DeadlineExceeded,
        "a proxy in front of it waits no longer; raise its time limit, or read fewer pages at a time",
    ),
}
"""The errors of answers that do not come from the service, but from a proxy in front of it, and what to do."""


class _Error(msgspec.Struct, frozen=True):
    code: str
    message: str
    request_id: str = ""
    file: int | None = None
    name: str | None = None
    page: int | None = None


class _Refusal(msgspec.Struct, frozen=True):
    error: _Error


class _Profile(msgspec.Struct, frozen=True):
    name: str
    files: dict[str, str]


class _Option(msgspec.Struct, frozen=True):
    default: Any = None


class _Capabilities(msgspec.Struct, frozen=True):
    version: str
    profiles: Annotated[list[_Profile], msgspec.Meta(min_length=1)]
    options: dict[str, _Option]


class Records:
    """The pages of an answer in JSON lines, while it arrives.

    Args:
        server: The server in messages.
        times: Receives the seconds of every stage, in the end.
    """

    def __init__(self, server: str, times: dict[str, float] | None) -> None:
        self._server = server
        self._times = times
        self._is_complete = False

    def page(self, line: str) -> Iterator[Page]:
        """Yield the page of a line, if it has one.

        Raises:
            OcrError: The document or the rest of it could not be read.
        """
        if not line.strip():
            return
        try:
            record = read_record(line.encode())
        except InvalidRequest as error:
            raise UnexpectedAnswer(f"{self._server} answers with something other than pages ({error})") from error
        if record.error is not None:
            raise record.error
        if record.page is not None:
            yield record.page
        if record.times is not None:
            self._is_complete = True
            if self._times is not None:
                self._times.update(record.times)

    def require_complete(self) -> None:
        """Check that the last record has arrived.

        Raises:
            ConnectionFailed: It has not.
        """
        if not self._is_complete:
            raise ConnectionFailed(f"the answer of {self._server} ends before its last page; read the file again")


def item_of(body: bytes, server: str) -> Item:
    """Return the one document of an answer, with what made it.

    Args:
        body: The answer.
        server: The server in messages.

    Raises:
        UnexpectedAnswer: The answer is something else.
    """
    try:
        (item,) = read_items(body)
    except (InvalidRequest, ValueError) as error:
        raise UnexpectedAnswer(f"{server} answers with something other than one document ({error})") from error
    return item


def document_of(item: Item, source: Source) -> Document:
    """Return the document that was read.

    Raises:
        OcrError: It could not be read.
    """
    if item.document.error is None:
        return item.document
    with naming_source(source):
        raise item.document.error


def capabilities_of(body: bytes, server: str) -> dict[str, Any]:
    """Return the capabilities in an answer.

    Raises:
        UnexpectedAnswer: It is something else.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnexpectedAnswer(f"{server} does not say what it can do ({error})") from error


def origin_of_server(capabilities: dict[str, Any], options: ReadOptions) -> Origin:
    """Return what makes the documents of a server.

    Args:
        capabilities: What it can do.
        options: Options of the call.

    Raises:
        UnexpectedAnswer: It does not say.
    """
    try:
        stated = msgspec.convert(capabilities, _Capabilities)
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the server does not say what it reads with ({error})") from error
    effective = {
        name: stated.options.get(name, _Option()).default if value is None else value
        for name, value in options.plain().items()
    }
    return Origin(stated.profiles[0].name, stated.profiles[0].files, effective, stated.version)


def error_of_answer(status: int, body: bytes, server: str, seconds: float | None) -> OcrError:
    """Return the error of an answer.

    Args:
        status: The HTTP status.
        body: The answer.
        server: The server in messages.
        seconds: When to try again, if the answer says so.
    """
    try:
        sent = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        kind, advice = _OTHERS.get(
            status, (UnexpectedAnswer, "this is not the API of ppocr-serving; check the address and its path")
        )
        return kind(f"{server} answers with status {status}: {advice}")
    if sent.code == QuotaExceeded.code:
        error: OcrError = QuotaExceeded(sent.message, int(seconds or 1))
    elif sent.code == ServerFault.code:
        error = ServerFault(sent.message)
    else:
        error = error_of(sent.code, sent.message)
    placed = {"file": sent.file, "name": sent.name, "page": sent.page, "request_id": sent.request_id or None}
    error.details = {name: value for name, value in placed.items() if value is not None}
    return error
