"""Find the lines of text in pictures."""

from paddlehub.module.module import moduleinfo

from ppocr_serving.hub.module import OcrModule

from .params import PARAMS


@moduleinfo(
    name="ocr_det",
    version="1.0.0",
    summary="Finds the lines of text in pictures.",
    author="ppocr-serving",
    author_email="",
    type="cv/text_recognition",
)
class OcrDet(OcrModule):
    """Find the lines of text in pictures."""

    params = PARAMS
