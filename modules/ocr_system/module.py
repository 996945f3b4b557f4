"""Find and read the text in pictures."""

from paddlehub.module.module import moduleinfo

from ppocr_serving.hub.module import OcrModule

from .params import PARAMS


@moduleinfo(
    name="ocr_system",
    version="1.0.0",
    summary="Finds and reads the text in pictures.",
    author="ppocr-serving",
    author_email="",
    type="cv/text_recognition",
)
class OcrSystem(OcrModule):
    """Find and read the text in pictures."""

    params = PARAMS
