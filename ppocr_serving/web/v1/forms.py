"""Bodies of type `multipart/form-data`."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from ppocr_serving.errors import InvalidRequest, LimitExceeded

__all__ = ["FormPart", "form_parts"]

_MAX_BOUNDARY: Final = 256
_MAX_FIELDS: Final = 64  # besides files
_MAX_FIELD_BYTES: Final = 4096
_MAX_HEADER_BYTES: Final = 2048
_MAX_HEADERS: Final = 8
_CHUNK: Final = 2**18
_EXAMPLE: Final = "send it as curl -F file=@picture.png does"


class FormPart(NamedTuple):
    """One part of a form.

    Attributes:
        name: Of the field.
        filename: Of the file; None if the part is not a file.
        data: What it holds.
    """

    name: str
    filename: str | None
    data: bytes


def form_parts(body: bytes | memoryview, content_type: str, max_files: int, large: frozenset[str]) -> list[FormPart]:
    """Take a form apart.

    Args:
        body: The form.
        content_type: The header, with the boundary.
        max_files: How many files it may hold.
        large: Fields that may have any size, as files may.

    Raises:
        InvalidRequest: It is not a well-formed form, or not complete.
        LimitExceeded: It has too many parts, or a part that is no file and too large.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise InvalidRequest(
            f"the content type has {'no' if not boundary else 'too long a'} boundary; "
            f"let the client set the header, and {_EXAMPLE}"
        )
    parts: list[FormPart] = []
    try:
        parser = PushMultipartParser(
            boundary,
            max_header_size=_MAX_HEADER_BYTES,
            max_header_count=_MAX_HEADERS,
            max_segment_count=max_files + _MAX_FIELDS,
            strict=True,
        )
        with parser:
            pieces: list[bytes] = []
            size = 0
            segment: MultipartSegment | None = None
            for event in _events(parser, body):
                if isinstance(event, MultipartSegment):
                    segment, pieces, size = event, [], 0
                elif segment is None:  # pragma: no cover  # the parser starts with a segment
                    continue
                elif event is None:
                    parts.append(FormPart(segment.name, segment.filename, b"".join(pieces)))
                else:
                    size += len(event)
                    if segment.filename is None and segment.name not in large and size > _MAX_FIELD_BYTES:
                        raise LimitExceeded(
                            f"{segment.name[:40]!r}: the field has more than {_MAX_FIELD_BYTES} bytes; "
                            f"give a file a filename, {_EXAMPLE}"
                        )
                    pieces.append(event)
    except ParserLimitReached as error:
        raise LimitExceeded(
            f"the form is too large ({_reason(error)}); the limits are {max_files} files, {_MAX_FIELDS} other fields, "
            f"and {_MAX_HEADER_BYTES} bytes for a part's header"
        ) from error
    except MultipartError as error:
        raise InvalidRequest(f"the form is not well-formed ({_reason(error)}); {_EXAMPLE}") from error
    return parts


def _events(parser: PushMultipartParser, body: bytes | memoryview) -> Iterator[MultipartSegment | bytes | None]:
    view = memoryview(body)
    for start in range(0, len(view), _CHUNK):
        yield from parser.parse(bytes(view[start : start + _CHUNK]))


def _reason(error: MultipartError) -> str:
    reason = str(error.args[0]) if error.args else type(error).__name__
    return reason[:1].lower() + reason[1:]
