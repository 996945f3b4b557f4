"""The OCR server that LiteParse calls: a picture in a form, lines with upright boxes."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ppocr_serving.errors import InvalidRequest
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.results import Line
from ppocr_serving.web.adapters.boxes import upright
from ppocr_serving.web.adapters.fields import convert_fields, require_language
from ppocr_serving.web.adapters.forms import Form
from ppocr_serving.web.adapters.pages import open_pages, reader_of, require_picture
from ppocr_serving.web.call import Call
from ppocr_serving.web.responses import Response, json_response

__all__ = ["FILE", "answer_liteparse"]

FILE: Final = "file"
_HINTS: Final[Mapping[str, Any]] = {"language": str}
# As Tesseract, LiteParse's own engine, calls them, where that is another name.
_TESSERACT: Final = {"eng": "en", "chi_sim": "zh-Hans", "chi_tra": "zh-Hant", "jpn": "ja", "deu": "de", "fra": "fr"}
_TAGS: Final = {**_TESSERACT, "spa": "es", "ita": "it", "por": "pt", "zh-cn": "zh-Hans", "zh-tw": "zh-Hant"}


def answer_liteparse(form: Form, call: Call) -> Response:
    """Answer a request of LiteParse.

    Raises:
        OcrError: It cannot be answered.
    """
    if form.file is None or form.file_field != FILE:
        raise InvalidRequest(f"{FILE}: the file is missing; send it as curl -F {FILE}=@picture.png does")
    fields = convert_fields(form.fields, _HINTS, strict=False)
    if language := fields.get("language"):
        tag = _TAGS.get(language.lower(), language)
        require_language("language", language, tag, reader_of(call).settings.models.profile.languages)
    with open_pages(form.file, call) as pages:
        require_picture(pages)
        results = [_row(line) for page in pages.read(ReadOptions(reading_order="natural")) for line in page.lines]
    return json_response(msgspec.json.encode({"results": results}))


def _row(line: Line) -> dict[str, Any]:
    return {"text": line.text, "bbox": upright(line.box), "confidence": line.confidence, "polygon": line.box}
