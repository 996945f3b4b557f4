"""Read single lines of text."""

from paddlehub.module.module import moduleinfo

from ppocr_serving.hub.module import OcrModule

from .params import PARAMS


@moduleinfo(
    name="ocr_rec",
    version="1.0.0",
    summary="Reads single lines of text.",
    author="ppocr-serving",
    author_email="",
    type="cv/text_recognition",
)
class OcrRec(OcrModule):
    """Read single lines of text."""

    params = PARAMS
