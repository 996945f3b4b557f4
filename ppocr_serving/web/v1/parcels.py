"""What a request brings: files, options and documents, in whichever way its body holds them."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from ppocr_serving.errors import InvalidRequest, LimitExceeded, UnsupportedMediaType
from ppocr_serving.web.media_types import MULTIPART, URLENCODED, media_type_of
from ppocr_serving.web.v1.forms import form_parts
from ppocr_serving.web.v1.json_bodies import parse_body
from ppocr_serving.web.v1.names import safe_name
from ppocr_serving.web.v1.refusals import check_documents, check_files, is_raw
from ppocr_serving.workers.messages import Head

__all__ = ["Parcel", "Sent", "open_parcel"]

_DOCUMENTS: Final = "documents"
_MAX_QUERY_FIELDS: Final = 64
# What clients call their file; no option has one of these names.
_FILE_FIELDS: Final = frozenset({"file", "files", "image", "images", "image_file", "picture", "document", "pdf"})
# A form's first field; no picture and no PDF begins like this.
_FIELD: Final = re.compile(rb"[\w.%+~-]{1,200}=")


class Sent(NamedTuple):
    """A file that a client has sent.

    Attributes:
        data: Its bytes; empty if it is yet to be fetched.
        name: Its name, safe to show; empty if it has none.
        url: Where it is to be fetched from; empty if it was sent.
    """

    data: bytes
    name: str = ""
    url: str = ""


class Parcel(NamedTuple):
    """What a request brings.

    Attributes:
        files: The files, in order.
        texts: Options as text by name, from the query or a form; a form's win.
        values: Options as plain values by name, from JSON; they win over texts.
        documents: JSON of documents; None if there are none.
    """

    files: list[Sent]
    texts: Mapping[str, str]
    values: Mapping[str, Any]
    documents: bytes | None = None


def open_parcel(head: Head, body: bytes | memoryview, max_files: int, *, documents: bool = False) -> Parcel:
    """Take a request apart.

    Args:
        head: The request's head.
        body: Its body.
        max_files: How many files it may hold.
        documents: Whether it may hold documents besides; it then cannot be a file itself.

    Raises:
        InvalidRequest: It does not have the required form.
        UnsupportedMediaType: It holds something else than its content type says.
        LimitExceeded: It has too many files, or too much of something else.
    """
    (check_documents if documents else check_files)(head)
    texts = _query(head.query)
    media_type = media_type_of(head.content_type)
    if media_type == MULTIPART:
        return _open_form(head, body, max_files, texts, documents)
    # A gateway need not pass on the type of what is in its event.
    if not documents and is_raw(media_type) and not (media_type == "" and bytes(body[:1]) == b"{"):
        if media_type == URLENCODED and _FIELD.match(bytes(body[:256])):
            raise UnsupportedMediaType(
                f"the body is a form of type {URLENCODED}, which holds no files; "
                "send one as curl -F file=@picture.png does"
            )
        return Parcel([Sent(bytes(body))] if len(body) else [], texts, {})
    if documents and not len(body):  # its error is that of a request without documents
        return Parcel([], texts, {})
    keys = frozenset({"files", "options", _DOCUMENTS} if documents else {"files", "options"})
    parsed = parse_body(body, max_files, keys)
    files = [Sent(file.data, safe_name(file.name), file.url) for file in parsed.files]
    return Parcel(files, texts, parsed.options, None if parsed.documents is None else bytes(parsed.documents))


def _open_form(head: Head, body: bytes | memoryview, max_files: int, texts: dict[str, str], documents: bool) -> Parcel:
    files: list[Sent] = []
    fields: dict[str, str] = {}
    found: bytes | None = None
    large = frozenset({_DOCUMENTS} if documents else ())
    for part in form_parts(body, head.content_type, max_files + len(large), large):
        if documents and part.name == _DOCUMENTS:
            if found is not None:
                raise InvalidRequest(f"{_DOCUMENTS}: is there twice; send it once")
            found = part.data
        elif part.filename is not None:
            files.append(Sent(part.data, safe_name(part.filename)))
        else:
            text = _text(part.name, part.data)
            if part.name in _FILE_FIELDS:
                raise InvalidRequest(
                    f"{part.name!r}: the field has no file, but a text; write @ before the name of a file, as curl -F "
                    f"{part.name}=@picture.png does"
                )
            _add(fields, part.name, text)
    if len(files) > max_files:
        raise LimitExceeded(f"files: {len(files)} files; the limit is {max_files} per request")
    return Parcel(files, {**texts, **fields}, {}, found)


def _query(query: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=_MAX_QUERY_FIELDS
        )
    except UnicodeDecodeError as error:
        raise InvalidRequest("the query is not valid UTF-8; percent-encode it") from error
    except ValueError as error:
        raise InvalidRequest(f"the query has more than {_MAX_QUERY_FIELDS} options; give each once") from error
    for name, value in pairs:
        _add(fields, name, value)
    return fields


def _add(fields: dict[str, str], name: str, value: str) -> None:
    if name in fields:
        raise InvalidRequest(f"option {name[:40]!r} is there twice; give it once")
    fields[name] = value


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{name[:40]!r}: the field is not text; give a file a filename, as curl -F file=@picture.png does"
        ) from error
