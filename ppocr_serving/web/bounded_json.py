"""JSON from clients, looked into without making Python objects of all of it."""

import re

import msgspec

from ppocr_serving.errors import InvalidRequest

__all__ = [
    "DECODING_ERRORS",
    "kind_of_json",
    "object_of_json",
    "text_of_json",
    "too_many_values",
    "without_byte_order_mark",
]

DECODING_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises, whatever the bytes are."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_KINDS = {b"{": "an object", b"[": "a list", b'"': "a string", b"t": "true", b"f": "false", b"n": "null"}

# A character outside Latin-1 makes Python take four bytes for each character of a string.
_NOT_ASCII = re.compile(rb"[\x80-\xff]|\\u(?!00[0-7])")
_MAX_WIDE_BYTES = 2**16
# Keys and options have far fewer quotation marks and commas than this.
_MAX_PUNCTUATION = 4096
_CHUNK = 2**20


def too_many_values(body: bytes | memoryview, pictures: int) -> str:
    """Look for more JSON values than a request needs, before any Python object is created for them.

    Args:
        body: JSON.
        pictures: How many it may contain.

    Returns:
        What there is too much of; empty if it is not.
    """
    most = 2 * pictures + _MAX_PUNCTUATION
    quotes = commas = 0
    view = memoryview(body)
    for start in range(0, len(view), _CHUNK):
        chunk = bytes(view[start : start + _CHUNK])
        quotes += chunk.count(b'"')
        commas += chunk.count(b",")
    counts = {"quotation marks": quotes, "commas": commas}
    return next((f"{count} {name}" for name, count in counts.items() if count > most), "")


def text_of_json(string: msgspec.Raw) -> bytes | memoryview:
    """Return the text of a JSON string in UTF-8, without a copy unless it has escapes.

    Text outside ASCII would take four times its size on the way, so there may only be little of it.

    Raises:
        msgspec.DecodeError: It is not a string, its escapes are not valid, or it has a lot of text outside ASCII.
    """
    value = memoryview(string)
    if value[:1].tobytes() != b'"':
        raise msgspec.DecodeError("it is not a string")
    if re.search(rb"\\", value) is None:
        return value[1:-1]
    if value.nbytes > _MAX_WIDE_BYTES and _NOT_ASCII.search(value) is not None:
        raise msgspec.DecodeError("it has characters outside ASCII")
    return msgspec.json.decode(string, type=str).encode("utf-8", "surrogatepass")


def object_of_json(value: memoryview, what: str, example: str) -> dict[str, msgspec.Raw]:
    """Return the values of a JSON object by name; they refer to it.

    Args:
        value: JSON.
        what: What it is, for messages; they go on with "is".
        example: What to send.

    Raises:
        InvalidRequest: It is something else.
    """
    try:
        return msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{what} is {kind_of_json(value)}; send an object: {example}") from error
    except DECODING_ERRORS as error:
        raise InvalidRequest(f"{what} is not valid JSON ({error}); send {example}") from error


def kind_of_json(value: memoryview) -> str:
    """Return what a JSON value is, in words."""
    first = bytes(value[:100]).lstrip()[:1]
    return _KINDS.get(first, "a number")


def without_byte_order_mark(body: bytes | memoryview) -> memoryview:
    """Return JSON without the byte order mark that some clients put before it."""
    view = memoryview(body)
    return view[len(_BYTE_ORDER_MARK) :] if bytes(view[: len(_BYTE_ORDER_MARK)]) == _BYTE_ORDER_MARK else view
