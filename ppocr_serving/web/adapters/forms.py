"""Forms of both types, with one file and a few options."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from ppocr_serving.errors import InvalidRequest, LimitExceeded
from ppocr_serving.web.adapters.refusals import check_form
from ppocr_serving.web.media_types import MULTIPART, media_type_of
from ppocr_serving.web.v1.forms import FormPart, form_parts
from ppocr_serving.workers.messages import Head

__all__ = ["Form", "open_form"]

_MAX_FIELDS: Final = 64
_MAX_FIELD_BYTES: Final = 4096
# What clients encode of base64 and data URLs. General decoding would take many times the memory of a body of nothing
# else. A plus sign stays one: base64 has no spaces, and some clients do not encode it.
_IN_BASE64: Final = tuple((f"%{ord(character):02x}".encode(), character.encode()) for character in "+/=:;,\r\n ")


class Form(NamedTuple):
    """What a form holds.

    Attributes:
        file: The bytes of its file; None if there is none.
        file_field: The name of the file's field.
        large: Fields that may have any size, by name.
        fields: The other fields by name.
    """

    file: bytes | None
    file_field: str
    large: dict[str, bytes]
    fields: dict[str, str]


def open_form(head: Head, body: bytes | memoryview, large: frozenset[str] = frozenset()) -> Form:
    """Take a form apart.

    Args:
        head: The request's head.
        body: Its body.
        large: Names of fields that may have any size; they hold base64.

    Raises:
        UnsupportedMediaType: It is not a form.
        InvalidRequest: It is not well-formed, or has something twice.
        LimitExceeded: It has too many fields, or one that is too large.
    """
    check_form(head)
    file: FormPart | None = None
    texts: dict[str, bytes] = {}
    for part in _parts(head, body, large):
        if part.filename is not None:
            if file is not None:
                raise InvalidRequest(f"{part.name[:40]!r}: is a second file; send one per request")
            file = part
        elif part.name in texts:
            raise InvalidRequest(f"{part.name[:40]!r}: the field is there twice; send it once")
        else:
            texts[part.name] = part.data
    fields = {name: _text(name, value) for name, value in texts.items() if name not in large}
    encoded = {name: value for name, value in texts.items() if name in large}
    return Form(None, "", encoded, fields) if file is None else Form(file.data, file.name, encoded, fields)


def _parts(head: Head, body: bytes | memoryview, large: frozenset[str]) -> Iterable[FormPart]:
    if media_type_of(head.content_type) == MULTIPART:
        return form_parts(body, head.content_type, 1, large)
    return _urlencoded(bytes(body), large)


def _urlencoded(body: bytes, large: frozenset[str]) -> Iterator[FormPart]:
    if (count := body.count(b"&") + 1) > _MAX_FIELDS:
        raise LimitExceeded(f"the form has {count} fields; the limit is {_MAX_FIELDS}")
    for item in filter(None, body.split(b"&")):
        start, _, value = item.partition(b"=")
        name = _text("the name of a field", _decoded("the name of a field", start))
        yield FormPart(name, None, _decoded_base64(value) if name in large else _decoded(name, value))


def _decoded(name: str, value: bytes) -> bytes:
    if len(value) > _MAX_FIELD_BYTES:
        raise LimitExceeded(f"{name[:40]!r}: the field has {len(value)} bytes; the limit is {_MAX_FIELD_BYTES}")
    return unquote_to_bytes(value.replace(b"+", b" "))


def _decoded_base64(value: bytes) -> bytes:
    for encoded, character in _IN_BASE64:
        value = value.replace(encoded, character).replace(encoded.upper(), character)
    return value


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name[:40]!r}: the field is not valid UTF-8; give a file a filename") from error
