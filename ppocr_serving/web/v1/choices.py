"""The options of a request: how files are read, and what is answered."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, get_type_hints

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.outputs import Format
from ppocr_serving.outputs.formats import find_format
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.values import convert, suggestion
from ppocr_serving.web.allowances import require_side_lengths
from ppocr_serving.web.v1.languages import require_languages
from ppocr_serving.web.v1.negotiation import accepted_format
from ppocr_serving.web.v1.parcels import Parcel

__all__ = ["RENDER_OPTIONS", "AnswerOptions", "Choices", "choose", "choose_rendering", "option_hints"]

RENDER_OPTIONS: Final = ("format", "password")
"""Options of requests to render."""


class AnswerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options that do not change how a page is read; None is the default.

    Attributes:
        format: Name of the answer's format; it wins over the header Accept.
        partial: Answer what could be read, with an error for each file that could not; without, the first error is the
            answer. Default: true for `jsonl`, whose answer has begun before everything is read, else false.
        page_images: Add each page as it was read, as a JPEG file in base64; for `json` and `jsonl`.
        languages: What the files are written in, as BCP 47 tags separated by commas. A request for a language that the
            models do not read is refused.
    """

    format: str | None = None
    partial: bool | None = None
    page_images: bool | None = None
    languages: str | None = None


class Choices(NamedTuple):
    """The options of a request.

    Attributes:
        options: How files are read.
        format: The answer's format.
        partial: Whether files that cannot be read leave the others an answer.
        page_images: Whether the answer includes the pages as they were read.
    """

    options: ReadOptions
    format: Format
    partial: bool
    page_images: bool


def choose(parcel: Parcel, accept: str, languages: Iterable[str]) -> Choices:
    """Return the options of a request to read files.

    Args:
        parcel: What the request brings.
        accept: Its header Accept.
        languages: What the models read, as BCP 47 tags.

    Raises:
        InvalidRequest: An option is unknown, or has a value that is not allowed.
        LimitExceeded: An option exceeds what a client may ask for.
        NotAcceptable: The answer can be in no format that the client accepts.
    """
    _require_known(parcel, option_hints())
    options = ReadOptions(
        **{
            **ReadOptions.from_text({name: text for name, text in parcel.texts.items() if name in _READ_HINTS}).given(),
            **{name: value for name, value in parcel.values.items() if name in _READ_HINTS},
        }
    )
    require_side_lengths(options)
    answer = _answer_options(parcel)
    require_languages(answer.languages, languages)
    chosen = _format(answer.format, accept)
    page_images = bool(answer.page_images)
    if page_images and chosen.name not in ("json", "jsonl"):
        raise InvalidRequest(
            f"page_images is true, but the format is {chosen.name}; use format=json or format=jsonl, or leave it out"
        )
    return Choices(options, chosen, chosen.name == "jsonl" if answer.partial is None else answer.partial, page_images)


def choose_rendering(parcel: Parcel, accept: str) -> tuple[Format, str]:
    """Return the format of a request to render documents, and the password of its PDF files; raises as `choose`."""
    _require_known(parcel, {name: hint for name, hint in option_hints().items() if name in RENDER_OPTIONS})
    given = {**parcel.texts, **parcel.values}
    password = ReadOptions(password=given.get("password")).password
    return _format(_answer_options(parcel).format, accept), password or ""


def option_hints() -> Mapping[str, Any]:
    """Return the type of each option that a request may have."""
    return {**_READ_HINTS, **_ANSWER_HINTS}


def _require_known(parcel: Parcel, known: Mapping[str, Any]) -> None:
    for name in (*parcel.texts, *parcel.values):
        if name not in known:
            hint = suggestion(name[:40], known) or f"; known options: {', '.join(known)}"
            raise InvalidRequest(f"unknown option {name[:40]!r}{hint}")


def _answer_options(parcel: Parcel) -> AnswerOptions:
    given: dict[str, Any] = {}
    for is_text, options in ((True, parcel.texts), (False, parcel.values)):
        for name, value in options.items():
            if name not in _ANSWER_HINTS or (is_text and value == ""):
                continue
            plain = _joined(value) if name == "languages" else value
            given[name] = convert(name, plain, _ANSWER_HINTS[name], InvalidRequest, strict=not is_text)
    return AnswerOptions(**given)


def _joined(value: Any) -> Any:
    """Return languages as text, whether they were given as text or as a list."""
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return ",".join(value) if is_list else value


def _format(name: str | None, accept: str) -> Format:
    return accepted_format(accept) if name is None else find_format(name)


_READ_HINTS: Final[Mapping[str, Any]] = get_type_hints(ReadOptions, include_extras=True)
_ANSWER_HINTS: Final[Mapping[str, Any]] = get_type_hints(AnswerOptions, include_extras=True)
