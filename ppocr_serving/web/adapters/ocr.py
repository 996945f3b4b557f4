"""What answers at `/ocr`, where clients of three services knock: by the type of the body, and the fields of a form."""

from ppocr_serving.errors import InvalidRequest, UnsupportedMediaType
from ppocr_serving.web.adapters import liteparse, rapidocr
from ppocr_serving.web.adapters.forms import Form, open_form
from ppocr_serving.web.adapters.paddlex import answer_paddlex
from ppocr_serving.web.adapters.refusals import check_form_or_json, enabled_adapters, is_form
from ppocr_serving.web.call import Call
from ppocr_serving.web.responses import Response

__all__ = ["answer_ocr"]


def answer_ocr(call: Call) -> Response:
    """Answer a request of a client of PaddleX, rapidocr_api or LiteParse.

    Raises:
        OcrError: It cannot be answered.
    """
    check_form_or_json(call.head)  # a gateway's event has not been looked at
    enabled = enabled_adapters(call.settings.adapters)
    if is_form(call.head):
        form = open_form(call.head, call.body, frozenset({rapidocr.DATA}))
        name = _adapter_of(form, enabled)
        call.record.module = name
        return liteparse.answer_liteparse(form, call) if name == "liteparse" else rapidocr.answer_rapidocr(form, call)
    if "paddlex" not in enabled:
        raise UnsupportedMediaType("the content type is JSON, whose adapter paddlex is switched off; send a form")
    call.record.module = "paddlex"
    return answer_paddlex(call)


def _adapter_of(form: Form, enabled: frozenset[str]) -> str:
    forms = [name for name in ("rapidocr", "liteparse") if name in enabled]
    if not forms:
        raise UnsupportedMediaType("the content type is that of a form, whose adapters are switched off; send JSON")
    if len(forms) == 1:
        return forms[0]
    if form.file_field == liteparse.FILE:
        return "liteparse"
    if form.file_field == rapidocr.FILE or rapidocr.DATA in form.large:
        return "rapidocr"
    raise InvalidRequest(
        f"the form contains no file; send it as {rapidocr.FILE} (rapidocr_api) or as {liteparse.FILE} (LiteParse), "
        f"as curl -F {liteparse.FILE}=@picture.png does"
    )
