"""What a well-formed answer of each door is, and what of it must be the same whenever the same is asked."""

import csv
import io
import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree

from benchmarks.doors import Answer, Asked

__all__ = ["Outcome", "comparable", "examine", "without_origin"]

_KNOWN_STATUSES: Final = frozenset({200, 400, 404, 405, 406, 408, 413, 415, 417, 431, 503, 504})  # never 500
_OK: Final = 200
_NOT_OK: Final = 400
_INVOCATION_STATUSES: Final = (200, 404)
# Sizes, such as 10x20, are no addresses.
_LEAKS: Final = re.compile(r"Traceback|site-packages|File \"|/tmp/|/proc/|/usr/|\.py\b|(?<!\d)0x[0-9a-f]{8}")
_MAX_MESSAGE: Final = 1000
_MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "json": "application/json",
        "text": "text/plain",
        "markdown": "text/markdown",
        "hocr": "application/xhtml+xml",
        "alto": "application/xml",
        "csv": "text/csv",
        "jsonl": "application/x-ndjson",
        "pdf": "application/pdf",
        "png": "image/png",
    }
)
_VOLATILE: Final = frozenset(
    (
        "times",
        "logId",
        "time",
        "timestamp",
        "ProcessingTimeInMilliseconds",
        "request_id",
        "X-Request-Id",
        "Server-Timing",
    )
)


class Outcome(NamedTuple):
    """What an answer says.

    Attributes:
        status: The status of the request itself: of one that a gateway has wrapped, that in the event's answer.
        problem: What is wrong with the form; empty if nothing is.
    """

    status: int
    problem: str = ""


class _Malformed(Exception):
    """An answer in a form that its door does not have."""


def examine(asked: Asked, answer: Answer) -> Outcome:
    """Examine the form of an answer.

    Args:
        asked: The request.
        answer: Its answer.
    """
    if answer.status not in _KNOWN_STATUSES:
        return Outcome(answer.status, f"status {answer.status}: {answer.body[:200]!r}")
    if asked.method == "HEAD":
        return Outcome(answer.status, f"HEAD has a body: {answer.body[:80]!r}" if answer.body else "")
    try:
        if asked.door.startswith("event "):
            return Outcome(_examine_event(asked, answer))
        _DOORS[asked.door](asked, answer)
    except (_Malformed, KeyError, TypeError) as error:
        return Outcome(answer.status, f"status {answer.status}, {error}: {answer.body[:200]!r}")
    return Outcome(answer.status)


def comparable(answer: Answer) -> bytes:
    """Return the status and the body of an answer without times, dates and ids."""
    media_type = answer.content_type.partition(";")[0]
    body = answer.body
    if media_type in ("application/json", "application/x-ndjson"):
        values = [_without_volatile(json.loads(line)) for line in body.splitlines() if line]
        body = "\n".join(json.dumps(value, sort_keys=True) for value in values).encode()
    return b"%d %s\n" % (answer.status, media_type.encode()) + body


def without_origin(compared: bytes) -> bytes:
    """Return what `comparable` returns without what an answer says of the options that took effect."""
    head, _, body = compared.partition(b"\n")
    try:
        values = [_without(json.loads(line), frozenset({"origin"})) for line in body.splitlines()]
    except ValueError:  # not JSON
        return compared
    return head + json.dumps(values).encode()


def _without(value: Any, names: Set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(item, names) for name, item in value.items() if name not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value


def _without_volatile(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(value.get("body"), str) and "statusCode" in value:  # an event's answer
        value = {**value, "body": _json_or_text(value["body"])}
    return _without(value, _VOLATILE)


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _require(condition: object, problem: str) -> None:
    if not condition:
        raise _Malformed(problem)


def _object(answer: Answer) -> dict[str, Any]:
    _require(answer.content_type.partition(";")[0] == "application/json", f"content type {answer.content_type!r}")
    try:
        value = json.loads(answer.body)
    except ValueError as error:
        raise _Malformed(f"not valid JSON ({error})") from error
    _require(isinstance(value, dict), "not an object")
    found: dict[str, Any] = value
    return found


def _check_message(message: object) -> None:
    """Check that a message about an error is one line for clients."""
    if not isinstance(message, str) or not message:
        raise _Malformed("no message")
    _require(len(message) <= _MAX_MESSAGE, f"a message of {len(message)} characters")
    _require(message.isprintable(), "a message with characters that cannot be printed")
    leak = _LEAKS.search(message)
    _require(leak is None, f"the message tells {leak[0] if leak else ''!r}")


def _check_predict(_: Asked, answer: Answer) -> None:
    value = _object(answer)
    _require(set(value) == {"msg", "results", "status"}, f"keys {sorted(value)}")
    _require((answer.status == _OK) == (value["status"] == "000"), f"status {value['status']!r}")
    if answer.status == _OK:
        _require(isinstance(value["results"], list) and value["msg"] == "", "no results")
    else:
        _require(value["results"] == "", "results beside an error")
        _check_message(value["msg"])


def _check_native(asked: Asked, answer: Answer) -> None:
    if answer.status == _OK:
        media_type = answer.content_type.partition(";")[0]
        _require(media_type in _MEDIA_TYPES.values(), f"content type {answer.content_type!r}")
        name = next(name for name, kind in _MEDIA_TYPES.items() if kind == media_type)
        _require(not asked.format or name == asked.format, f"content type {answer.content_type!r}")
        _check_format(name, answer.body)
        return
    value = _object(answer)
    _require(set(value) == {"error"} and isinstance(value["error"], dict), f"keys {sorted(value)}")
    error = value["error"]
    _require(re.fullmatch("[a-z_]+", str(error.get("code"))), "no code")
    _require(re.fullmatch(r"[\w.-]+", str(error.get("request_id"))), "no request_id")
    _check_message(error.get("message"))


def _check_format(name: str, body: bytes) -> None:
    try:
        if name == "pdf":
            _require(body.startswith(b"%PDF-") and body.rstrip().endswith(b"%%EOF"), "not a whole PDF")
            return
        if name == "png":
            _require(body.startswith(b"\x89PNG\r\n\x1a\n") and body.endswith(b"IEND\xaeB`\x82"), "not a whole PNG")
            return
        text = body.decode()
        if name == "json":
            _check_documents(json.loads(text))
        elif name == "jsonl":
            kinds = [json.loads(line)["type"] for line in text.splitlines()]
            _require(text.endswith("\n") and kinds[-1] == "end" and kinds.count("end") == 1, f"records {kinds[-3:]}")
        elif name in ("hocr", "alto"):
            root = ElementTree.fromstring(text).tag  # noqa: S314  # expat refuses entities that grow
            _require(root.rpartition("}")[2] == {"hocr": "html", "alto": "alto"}[name], f"the root is {root}")
        elif name == "csv":
            widths = {len(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True)}
            _require(len(widths) == 1, f"rows of {sorted(widths)} columns")
    except (ValueError, KeyError, IndexError, csv.Error, ElementTree.ParseError) as error:
        raise _Malformed(f"not valid {name} ({type(error).__name__}: {error})") from error


def _check_documents(value: Any) -> None:
    documents = value.get("documents") if isinstance(value, dict) else None
    if not isinstance(documents, list) or not documents:
        raise _Malformed("no documents")
    for document in documents:
        _require(isinstance(document["pages"], list), "a document without a list of pages")
        if document.get("error"):
            _check_message(document["error"]["message"])


def _check_paddlex(_: Asked, answer: Answer) -> None:
    value = _object(answer)
    _require({"logId", "errorCode", "errorMsg"} <= set(value), f"keys {sorted(value)}")
    _require(value["errorCode"] == (0 if answer.status == _OK else answer.status), f"errorCode {value['errorCode']!r}")
    if answer.status == _OK:
        pages = value["result"]["ocrResults"]
        _require(all("prunedResult" in page for page in pages), "a page without a prunedResult")
    else:
        _check_message(value["errorMsg"])


def _check_rapidocr(_: Asked, answer: Answer) -> None:
    value = _object(answer)
    if answer.status == _OK:
        _require(list(value) == [str(number) for number in range(len(value))], f"keys {list(value)[:9]}")
        _require(
            all({"rec_txt", "dt_boxes", "score"} <= set(line) for line in value.values()), "a line without its keys"
        )
    else:
        _check_message(value.get("errorMsg"))


def _check_liteparse(_: Asked, answer: Answer) -> None:
    value = _object(answer)
    if answer.status == _OK:
        lines = value["results"]
        _require(all({"text", "bbox", "confidence"} <= set(line) for line in lines), "keys of a line")
    else:
        _check_message(value.get("error"))


def _check_umi(_: Asked, answer: Answer) -> None:
    value = _object(answer)
    _require({"code", "data"} <= set(value), f"keys {sorted(value)}")
    _require((value["code"] in (100, 101)) == (answer.status == _OK), f"code {value['code']!r}")
    if value["code"] != 100:
        _check_message(value["data"])


def _check_ocr_space(_: Asked, answer: Answer) -> None:
    value = _object(answer)
    _require({"OCRExitCode", "IsErroredOnProcessing"} <= set(value), f"keys {sorted(value)}")
    if answer.status == _OK:
        pages = value["ParsedResults"]
        _require(pages and all("ParsedText" in page for page in pages), "a page without ParsedText")
        failed = [page["ErrorMessage"] for page in pages if page["ErrorMessage"]]
        _require(value["IsErroredOnProcessing"] == bool(failed), "IsErroredOnProcessing differs from the pages")
    else:
        _require(value["IsErroredOnProcessing"] is True, "an error without IsErroredOnProcessing")
        failed = value["ErrorMessage"]
    for message in failed:
        _check_message(message)


def _examine_event(asked: Asked, answer: Answer) -> int:
    """Examine the outcome of an invocation; return the status of the request in the event."""
    if answer.status not in _INVOCATION_STATUSES:  # refused before anybody knew what is in the body
        return _examined(("predict",), asked, answer)
    value = _object(answer)
    own = asked.door.removeprefix("event ")
    if "statusCode" not in value:  # no event, so it was taken for the body of a prediction
        status = _OK if value.get("status") == "000" else _NOT_OK
        return _examined(("predict",), asked, answer._replace(status=status))
    _require(set(value) == {"isBase64Encoded", "statusCode", "headers", "body"}, f"keys {sorted(value)}")
    try:
        body = b64decode(value["body"], validate=True) if value["isBase64Encoded"] else value["body"].encode()
    except ValueError as error:
        raise _Malformed(f"body is not valid base64 ({error})") from error
    content_type = {name.lower(): text for name, text in value["headers"].items()}.get("content-type", "")
    # A mutated path is that of another door, or of none.
    return _examined((own, "predict", "v1/read"), asked, Answer(value["statusCode"], content_type, body))


def _examined(doors: Sequence[str], asked: Asked, answer: Answer) -> int:
    """Return the status of an answer that has the form of one of some doors."""
    outcomes = [examine(asked._replace(door=door), answer) for door in doors]
    _require(any(not outcome.problem for outcome in outcomes), outcomes[0].problem)
    return outcomes[0].status


_DOORS: Final[Mapping[str, Callable[[Asked, Answer], None]]] = MappingProxyType(
    {
        "predict": _check_predict,
        "v1/read": _check_native,
        "v1/render": _check_native,
        "ocr json": _check_paddlex,
        "ocr form": _check_rapidocr,
        "ocr file": _check_liteparse,
        "api/ocr": _check_umi,
        "parse/image": _check_ocr_space,
    }
)
