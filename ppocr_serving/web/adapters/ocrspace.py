"""The answers of OCR.space's `POST /parse/image`: a file in a form, a result per page."""

import base64
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.outputs import Item, write
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.results import Document, Line, Page
from ppocr_serving.web.adapters.boxes import upright
from ppocr_serving.web.adapters.fields import convert_fields, language_of, require_language
from ppocr_serving.web.adapters.forms import Form, open_form
from ppocr_serving.web.adapters.pages import open_pages, reader_of
from ppocr_serving.web.adapters.sent import file_of_base64, file_of_url
from ppocr_serving.web.call import Call
from ppocr_serving.web.responses import Response, json_response

__all__ = ["answer_ocrspace"]

# Names count in any letter case, and clients use that.
_BASE64_SPELLINGS: Final = frozenset({"base64Image", "base64image", "Base64Image", "Base64image", "BASE64IMAGE"})
_HINTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        name.lower(): hint
        for name, hint in {
            "url": str,
            "apikey": str,
            "language": str,
            "filetype": str,
            "isOverlayRequired": bool,
            "detectOrientation": bool,
            "scale": bool,
            "isTable": bool,
            "OCREngine": Literal[1, 2, 3],
            "isCreateSearchablePdf": bool,
            "isSearchablePdfHideTextLayer": bool,
        }.items()
    }
)
_AUTOMATIC: Final = "auto"
_LANGUAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ara": "ar",
        "bul": "bg",
        "chs": "zh-Hans",
        "cht": "zh-Hant",
        "cze": "cs",
        "dan": "da",
        "dut": "nl",
        "eng": "en",
        "fin": "fi",
        "fre": "fr",
        "ger": "de",
        "gre": "el",
        "hrv": "hr",
        "hun": "hu",
        "ita": "it",
        "jpn": "ja",
        "kor": "ko",
        "nor": "no",
        "pol": "pl",
        "por": "pt",
        "rus": "ru",
        "slv": "sl",
        "spa": "es",
        "swe": "sv",
        "tai": "th",
        "tha": "th",
        "tur": "tr",
        "ukr": "uk",
        "vnm": "vi",
    }
)
_SUCCESS, _PARTIAL, _FAILURE = 1, 2, 3
_PAGE_SUCCESS, _PAGE_FAILURE = 1, -10
_NO_PDF: Final = "Searchable PDF not generated as it was not requested."
_NO_OVERLAY: Final = "Text overlay is not provided as it is not requested"


def answer_ocrspace(call: Call) -> Response:
    """Answer a request of a client of OCR.space.

    Raises:
        OcrError: It cannot be answered.
    """
    call.record.module = "ocrspace"
    start = time.perf_counter()
    form = open_form(call.head, call.body, _BASE64_SPELLINGS)
    fields = convert_fields({name.lower(): value for name, value in form.fields.items()}, _HINTS, strict=False)
    language = fields.get("language", _AUTOMATIC)
    if language != _AUTOMATIC:
        tag = language_of("language", language, _LANGUAGES)
        require_language("language", language, tag, reader_of(call).settings.models.profile.languages)
    has_overlay = fields.get("isoverlayrequired", False)
    in_rows = fields.get("istable", False)
    options = ReadOptions(
        orientation=fields.get("detectorientation"),
        words=has_overlay,
        reading_order="rows" if in_rows else "natural",
    )
    pdf: str | msgspec.Raw = _NO_PDF
    with open_pages(_file(form, fields.get("url"), call), call) as pages:
        read = list(pages.read(options))
        if fields.get("iscreatesearchablepdf"):
            call.next_page()  # to write it all may take longer than what the last page has left
            with call.watch("encode"):
                data = write([Item(Document(tuple(read)), pages=pages.file)], "pdf", check=call.check_request)
                # As it goes into the answer, because as text it would be held several times.
                pdf = msgspec.Raw(b'"data:application/pdf;base64,%s"' % base64.b64encode(data))
    errors = [str(page.error) for page in read if page.error is not None]
    answer: dict[str, Any] = {
        "ParsedResults": [_result(page, has_overlay, in_rows) for page in read],
        "OCRExitCode": _SUCCESS if not errors else _PARTIAL if len(errors) < len(read) else _FAILURE,
        "IsErroredOnProcessing": bool(errors),
        "ProcessingTimeInMilliseconds": str(round((time.perf_counter() - start) * 1000)),
        "SearchablePDFURL": pdf,
    }
    if errors:
        answer |= {"ErrorMessage": errors, "ErrorDetails": errors[0]}
    return json_response(msgspec.json.encode(answer))


def _file(form: Form, url: str | None, call: Call) -> bytes:
    ways = [*([form.file_field or "file"] if form.file is not None else []), *form.large, *(["url"] if url else [])]
    if len(ways) != 1:
        given = f"{' and '.join(ways)} are given" if ways else "no file is given"
        raise InvalidRequest(f"{given}; send one of file, base64Image and url")
    if form.file is not None:
        return form.file
    if url:
        return file_of_url(url, call)
    ((name, text),) = form.large.items()
    return file_of_base64(name, text)


def _result(page: Page, has_overlay: bool, in_rows: bool) -> dict[str, Any]:
    lines = [_line(line) for line in page.lines] if has_overlay else []
    return {
        "TextOverlay": {
            "Lines": lines,
            "HasOverlay": has_overlay,
            "Message": f"Total lines: {len(lines)}" if has_overlay else _NO_OVERLAY,
        },
        "TextOrientation": str(page.angle),
        "FileParseExitCode": _PAGE_SUCCESS if page.error is None else _PAGE_FAILURE,
        "ParsedText": "".join(f"{row}\r\n" for row in (_rows(page.lines) if in_rows else _texts(page.lines))),
        "ErrorMessage": "" if page.error is None else str(page.error),
        "ErrorDetails": "",
    }


def _texts(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines]


def _rows(lines: Sequence[Line]) -> list[str]:
    """Return the lines of a table: those beside each other in one row, with a tab after each of them."""
    rows: list[list[Line]] = []
    for line in lines:
        if rows and _is_beside(rows[-1][-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return ["".join(f"{line.text}\t" for line in row) for row in rows]


def _is_beside(line: Line, after: Line) -> bool:
    start, top, _, bottom = upright(line.box)
    left, next_top, _, next_bottom = upright(after.box)
    middle = (next_top + next_bottom) / 2
    return top <= middle <= bottom and left >= start


def _line(line: Line) -> dict[str, Any]:
    words = [_word(word.text, upright(word.box)) for word in line.words]
    _, top, _, bottom = upright(line.box)
    return {"LineText": line.text, "Words": words, "MaxHeight": bottom - top, "MinTop": top}


def _word(text: str, sides: tuple[int, int, int, int]) -> dict[str, Any]:
    left, top, right, bottom = sides
    return {"WordText": text, "Left": left, "Top": top, "Height": bottom - top, "Width": right - left}
