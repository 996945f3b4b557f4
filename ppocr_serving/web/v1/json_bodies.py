"""Bodies of type `application/json`, taken apart without making Python objects of all of it."""

import re
from typing import Any, Final, NamedTuple

import msgspec

from ppocr_serving.errors import ImageDecodeError, InvalidRequest, LimitExceeded
from ppocr_serving.reading.inputs import decode_base64_file
from ppocr_serving.web.bounded_json import (
    DECODING_ERRORS,
    kind_of_json,
    object_of_json,
    text_of_json,
    too_many_values,
    without_byte_order_mark,
)
from ppocr_serving.web.v1.places import at_file

__all__ = ["JsonBody", "JsonFile", "parse_body"]

_EXAMPLE: Final = '{"files": [{"data": "<base64>"}]}'
_MAX_OPTIONS_BYTES: Final = 4096
_MAX_TEXT_BYTES: Final = 4096


class JsonFile(NamedTuple):
    """A file of a body.

    Attributes:
        data: Its bytes; empty if it is yet to be fetched.
        name: Its name as it was sent; empty if it has none.
        url: Where it is to be fetched from; empty if it was sent.
    """

    data: bytes
    name: str
    url: str = ""


class JsonBody(NamedTuple):
    """A body.

    Attributes:
        files: The files.
        options: Plain values by name.
        documents: JSON of the documents; None if there are none.
    """

    files: list[JsonFile]
    options: dict[str, Any]
    documents: msgspec.Raw | None


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    files: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    options: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    documents: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def parse_body(body: bytes | memoryview, max_files: int, keys: frozenset[str]) -> JsonBody:
    """Take a body apart.

    Args:
        body: JSON.
        max_files: How many files it may hold.
        keys: Those that it may have: of `files`, `options`, `documents`.

    Raises:
        InvalidRequest: It does not have the required form; the message names what is wrong and where.
        LimitExceeded: It has too many files.
    """
    view = without_byte_order_mark(body)
    envelope = _envelope(view)
    for key in envelope.__struct_fields__:
        if key not in keys and getattr(envelope, key) is not msgspec.UNSET:
            raise InvalidRequest(f"{key}: is for /v1/render; send {_EXAMPLE}")
    options = {} if envelope.options is msgspec.UNSET else _options(envelope.options)
    files = [] if envelope.files is msgspec.UNSET else _files(envelope.files, max_files)
    return JsonBody(files, options, None if envelope.documents is msgspec.UNSET else envelope.documents)


def _envelope(view: memoryview) -> _Envelope:
    # A structure rather than a dictionary: of a million keys there is none that it does not know.
    try:
        return msgspec.json.decode(view, type=_Envelope)
    except msgspec.ValidationError as error:
        unknown = re.search(r"unknown field `(.{0,200})`", str(error))
        if unknown is not None:
            raise InvalidRequest(f"{unknown[1][:40]!r}: unknown key; send {_EXAMPLE}") from error
        raise InvalidRequest(f"the body: is {kind_of_json(view)}; send an object: {_EXAMPLE}") from error
    except DECODING_ERRORS as error:
        raise InvalidRequest(f"the body: is not valid JSON ({error}); send {_EXAMPLE}") from error


def _files(raw: msgspec.Raw, max_files: int) -> list[JsonFile]:
    if surplus := too_many_values(memoryview(raw), 4 * max_files):
        raise LimitExceeded(f"files: {surplus}, far more than {max_files} files need; send fewer files")
    try:
        items = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except DECODING_ERRORS as error:
        raise InvalidRequest(f"files: is {kind_of_json(memoryview(raw))}; send a list: {_EXAMPLE}") from error
    if len(items) > max_files:
        raise LimitExceeded(f"files: {len(items)} files; the limit is {max_files} per request")
    return [_file(index, item) for index, item in enumerate(items)]


def _file(index: int, item: msgspec.Raw) -> JsonFile:
    name = ""
    data = item
    if kind_of_json(memoryview(item)) != "a string":
        with at_file(index, ""):
            fields = object_of_json(memoryview(item), "the file:", '{"data": "<base64>", "name": "invoice.pdf"}')
            unknown = sorted(fields.keys() - {"data", "name", "url"})
            if unknown:
                raise InvalidRequest(f"{unknown[0][:40]!r}: unknown key; a file has data or url, and name")
            if "data" in fields and "url" in fields:
                raise InvalidRequest("data: is there beside url; send one of them")
            if not ("data" in fields or "url" in fields):
                raise InvalidRequest('data: the key is missing; send {"data": "<base64>"}')
            name = _short_text("name", fields["name"]) if "name" in fields else ""
            if "url" in fields:
                return JsonFile(b"", name, _short_text("url", fields["url"]))
            data = fields["data"]
    with at_file(index, name):
        try:
            text = text_of_json(data)
        except msgspec.DecodeError as error:
            raise ImageDecodeError(f"data: is not valid base64 ({error}); send the base64 of a file") from error
        return JsonFile(decode_base64_file(text), name)


def _short_text(name: str, raw: msgspec.Raw) -> str:
    if memoryview(raw).nbytes > _MAX_TEXT_BYTES:
        raise InvalidRequest(f"{name}: has {memoryview(raw).nbytes} bytes; the limit is {_MAX_TEXT_BYTES}")
    try:
        return msgspec.json.decode(raw, type=str)
    except DECODING_ERRORS as error:
        raise InvalidRequest(f"{name}: is {kind_of_json(memoryview(raw))}; send a string") from error


def _options(raw: msgspec.Raw) -> dict[str, Any]:
    size = memoryview(raw).nbytes
    if size > _MAX_OPTIONS_BYTES:
        raise InvalidRequest(f"options: has {size} bytes; the limit is {_MAX_OPTIONS_BYTES}")
    object_of_json(memoryview(raw), "options:", '{"drop_score": 0.6}')
    try:
        options: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
    except DECODING_ERRORS as error:
        raise InvalidRequest("options: contains a number that is out of range, or is nested too deeply") from error
    return options
