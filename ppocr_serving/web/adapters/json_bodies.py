"""Bodies of JSON that hold one file and a few options."""

from typing import Any, Final, NamedTuple

import msgspec

from ppocr_serving.errors import ImageDecodeError, InvalidRequest, LimitExceeded
from ppocr_serving.web.bounded_json import (
    DECODING_ERRORS,
    kind_of_json,
    object_of_json,
    text_of_json,
    too_many_values,
    without_byte_order_mark,
)

__all__ = ["FileAndFields", "open_json"]

_MAX_FIELDS_BYTES: Final = 16_384


class FileAndFields(NamedTuple):
    """What a body holds.

    Attributes:
        file: The text of the file's field.
        fields: Plain values of the others by name.
    """

    file: bytes | memoryview
    fields: dict[str, Any]


def open_json(body: bytes | memoryview, file: str) -> FileAndFields:
    """Take a body apart, without making Python objects of all of it.

    Args:
        body: JSON.
        file: Name of the field that has the file.

    Raises:
        InvalidRequest: It does not have the required form.
        LimitExceeded: It has far more in it than one file and some options.
    """
    example = f'{{"{file}": "<base64>"}}'
    view = without_byte_order_mark(body)
    if surplus := too_many_values(view, 1):
        raise LimitExceeded(f"the body has {surplus}, far more than one file and its options need")
    sections = object_of_json(view, "the body:", example)
    if file not in sections:
        raise InvalidRequest(f"{file}: the key is missing; send {example}")
    raw = sections.pop(file)
    if kind_of_json(memoryview(raw)) != "a string":
        raise InvalidRequest(f"{file}: is {kind_of_json(memoryview(raw))}; send the base64 of a file as a string")
    try:
        text = text_of_json(raw)
    except msgspec.DecodeError as error:
        raise ImageDecodeError(f"{file}: is not valid base64 ({error}); send the base64 of a file") from error
    size = sum(memoryview(value).nbytes for value in sections.values())
    if size > _MAX_FIELDS_BYTES:
        raise LimitExceeded(f"the fields besides {file} have {size} bytes; the limit is {_MAX_FIELDS_BYTES}")
    try:
        fields = {name: msgspec.json.decode(value) for name, value in sections.items()}
    except DECODING_ERRORS as error:
        raise InvalidRequest(f"the body is not valid JSON ({error}); send {example}") from error
    return FileAndFields(text, fields)
