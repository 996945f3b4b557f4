"""Tell upright lines of text from upside-down ones."""

from paddlehub.module.module import moduleinfo

from ppocr_serving.hub.module import OcrModule

from .params import PARAMS


@moduleinfo(
    name="ocr_cls",
    version="1.0.0",
    summary="Tells upright lines of text from upside-down ones.",
    author="ppocr-serving",
    author_email="",
    type="cv/text_recognition",
)
class OcrCls(OcrModule):
    """Tell upright lines of text from upside-down ones."""

    params = PARAMS
