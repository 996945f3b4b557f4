"""The HTTP interface of Umi-OCR: a picture in base64, lines with what ends each of them."""

import time
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.results import Line, Page
from ppocr_serving.web.adapters.fields import convert_fields, require_known, require_language
from ppocr_serving.web.adapters.joining import separator
from ppocr_serving.web.adapters.json_bodies import open_json
from ppocr_serving.web.adapters.pages import open_pages, reader_of, require_picture
from ppocr_serving.web.adapters.refusals import check_json
from ppocr_serving.web.adapters.sent import file_of_base64
from ppocr_serving.web.allowances import MAX_SIDE_LENGTH
from ppocr_serving.web.call import Call
from ppocr_serving.web.responses import Response, json_response

__all__ = ["answer_umiocr", "answer_umiocr_options"]

_FILE: Final = "base64"
_FOUND, _NOTHING = 100, 101
_Parser = Literal["multi_para", "multi_line", "multi_none", "single_para", "single_line", "single_none", "none"]
_Corner = tuple[int, int]
_Area = tuple[_Corner, _Corner]
_SideLength = Annotated[int, msgspec.Meta(ge=32, le=999_999)]
_HINTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "ocr.language": str,
        "ocr.cls": bool,
        "ocr.limit_side_len": _SideLength,
        "tbpu.parser": _Parser,
        "tbpu.ignoreArea": Annotated[list[_Area], msgspec.Meta(max_length=1000)],
        "data.format": Literal["dict", "text"],
    }
)
_LANGUAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "models/config_chinese.txt": "zh-Hans",
        "models/config_en.txt": "en",
        "models/config_chinese_cht(v2).txt": "zh-Hant",
        "models/config_japan.txt": "ja",
        "models/config_korean.txt": "ko",
        "models/config_cyrillic.txt": "ru",
    }
)
_PARSERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "multi_para": "columns, a line break after each paragraph",
        "multi_line": "columns, a line break after each line",
        "multi_none": "columns, no line breaks",
        "single_para": "rows, a line break after each paragraph",
        "single_line": "rows, a line break after each line",
        "single_none": "rows, no line breaks",
        "none": "rows, a line break after each line",
    }
)


def answer_umiocr(call: Call) -> Response:
    """Answer a request of a client of Umi-OCR.

    Raises:
        OcrError: It cannot be answered.
    """
    check_json(call.head)
    call.record.module = "umiocr"
    timestamp, start = time.time(), time.perf_counter()
    text, fields = open_json(call.body, _FILE)
    require_known(fields, {"options": None})
    given = fields.get("options")
    if given is not None and not isinstance(given, dict):
        raise InvalidRequest('options: is not an object; send one such as {"data.format": "text"}')
    options = convert_fields(given or {}, _HINTS)
    if language := options.get("ocr.language"):
        tag = _LANGUAGES.get(language, language)
        require_language("ocr.language", language, tag, reader_of(call).settings.models.profile.languages)
    parser = options.get("tbpu.parser", "multi_para")
    with open_pages(file_of_base64(_FILE, text), call) as pages:
        require_picture(pages)
        (page,) = pages.read(_read_options(options, parser))
    rows = list(_rows(page, parser, options.get("tbpu.ignoreArea", [])))
    data: Any = rows
    if not rows:
        data = "no text was found in the picture"
    elif options.get("data.format") == "text":
        data = "".join(row["text"] + row["end"] for row in rows)
    return json_response(
        msgspec.json.encode(
            {
                "code": _FOUND if rows else _NOTHING,
                "data": data,
                "score": sum(row["score"] for row in rows) / len(rows) if rows else 0,
                "time": time.perf_counter() - start,
                "timestamp": timestamp,
            }
        )
    )


def answer_umiocr_options(call: Call) -> Response:
    """Answer which options there are."""
    languages = reader_of(call).settings.models.profile.languages
    known = [[name, tag] for name, tag in _LANGUAGES.items() if tag in languages]
    options: dict[str, Any] = {
        "ocr.language": {
            "title": "Language",
            "toolTip": "The models read all of their languages at once; one that they do not read is refused.",
            "type": "enum",
            "optionsList": known,
            "default": known[0][0] if known else "",
        },
        "ocr.cls": {
            "title": "Lines that are upside down",
            "type": "boolean",
            "default": reader_of(call).settings.reading.use_angle_cls,
        },
        "ocr.limit_side_len": {
            "title": "Longer side in pixels to which pictures are shrunk before lines are looked for",
            "toolTip": f"More than {MAX_SIDE_LENGTH} counts as {MAX_SIDE_LENGTH}.",
            "type": "enum",
            "optionsList": [[side, str(side)] for side in (960, MAX_SIDE_LENGTH)],
            "default": 960,
        },
        "tbpu.parser": {
            "title": "Order of the lines and what ends them",
            "type": "enum",
            "optionsList": [[name, text] for name, text in _PARSERS.items()],
            "default": "multi_para",
        },
        "tbpu.ignoreArea": {
            "title": "Areas whose lines are left out",
            "toolTip": "A list of [[left, top], [right, bottom]] in pixels.",
            "type": "var",
            "default": [],
        },
        "data.format": {
            "title": "Form of the data",
            "type": "enum",
            "optionsList": [["dict", "lines with boxes"], ["text", "plain text"]],
            "default": "dict",
        },
    }
    return json_response(msgspec.json.encode(options))


def _read_options(options: Mapping[str, Any], parser: str) -> ReadOptions:
    side = options.get("ocr.limit_side_len")
    return ReadOptions(
        use_angle_cls=options.get("ocr.cls"),
        det_limit_side_len=None if side is None else min(side, MAX_SIDE_LENGTH),
        reading_order="natural" if parser.startswith("multi") else "rows",
    )


def _rows(page: Page, parser: str, ignored: list[_Area]) -> Iterator[dict[str, Any]]:
    lines = [line for line in page.lines if not any(_is_within(line, area) for area in ignored)]
    for line, after in zip_longest(lines, lines[1:]):
        yield {
            "text": line.text,
            "score": line.confidence,
            "box": line.box,
            "end": _end(line, after, parser),
        }


def _end(line: Line, after: Line | None, parser: str) -> str:
    if after is None:
        return "" if parser.endswith("_none") else "\n"
    joins = parser.endswith("_none") or (parser.endswith("_para") and line.paragraph == after.paragraph)
    return separator(line.text, after.text) if joins else "\n"


def _is_within(line: Line, area: _Area) -> bool:
    (left, top), (right, bottom) = area
    return all(left <= x <= right and top <= y <= bottom for x, y in line.box)
