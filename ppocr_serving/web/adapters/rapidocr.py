"""The answers of rapidocr_api: a picture in a form, lines by their number."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.results import Box
from ppocr_serving.web.adapters.fields import convert_fields
from ppocr_serving.web.adapters.forms import Form
from ppocr_serving.web.adapters.pages import FilePages, open_pages, reader_of, require_picture
from ppocr_serving.web.adapters.sent import file_of_base64
from ppocr_serving.web.call import Call
from ppocr_serving.web.responses import Response, json_response

__all__ = ["DATA", "FILE", "answer_rapidocr"]

FILE: Final = "image_file"
DATA: Final = "image_data"
_HINTS: Final[Mapping[str, Any]] = {"use_det": bool, "use_cls": bool, "use_rec": bool}


def answer_rapidocr(form: Form, call: Call) -> Response:
    """Answer a request of a client of rapidocr_api.

    Raises:
        OcrError: It cannot be answered.
    """
    fields = convert_fields(form.fields, _HINTS, strict=False)
    detects, recognizes = fields.get("use_det", True), fields.get("use_rec", True)
    if not (detects or recognizes):
        raise InvalidRequest("use_det and use_rec are both false, so that nothing is left to do; set one of them")
    options = ReadOptions(use_angle_cls=fields.get("use_cls"), reading_order="rows")
    with open_pages(_file(form), call) as pages:
        if not recognizes:
            rows = _detected(pages, options, call)
        elif not detects:
            rows = _recognized(pages, options, call)
        else:
            rows = _read(pages, options)
    return json_response(msgspec.json.encode({str(number): row for number, row in enumerate(rows)}))


def _file(form: Form) -> bytes:
    if form.file is not None and form.file_field == FILE:
        return form.file
    if DATA in form.large:
        return file_of_base64(DATA, form.large[DATA])
    raise InvalidRequest(
        f"{FILE}: the file is missing; send it as curl -F {FILE}=@picture.png does, or its base64 as {DATA}"
    )


def _read(pages: FilePages, options: ReadOptions) -> list[dict[str, Any]]:
    require_picture(pages)
    return [
        {"rec_txt": line.text, "dt_boxes": _corners(line.box), "score": _score(line.confidence)}
        for page in pages.read(options)
        for line in page.lines
    ]


def _detected(pages: FilePages, options: ReadOptions, call: Call) -> list[dict[str, Any]]:
    (boxes,) = reader_of(call).detect([pages.picture()], options, call.watch)
    call.record.pages += 1
    call.record.lines += len(boxes)
    return [{"dt_boxes": _corners(box)} for box in boxes]


def _recognized(pages: FilePages, options: ReadOptions, call: Call) -> list[dict[str, Any]]:
    """Read a picture that is a line."""
    found = [text for text in reader_of(call).recognize([pages.picture()], options, call.watch) if text.text]
    call.record.pages += 1
    call.record.lines += len(found)
    return [{"rec_txt": text.text, "score": _score(text.confidence)} for text in found]


def _corners(box: Box) -> list[list[float]]:
    return [[float(x), float(y)] for x, y in box]


def _score(confidence: float) -> str:
    return f"{confidence:.4f}"
