"""The service without its network, for benchmarks: from a file's bytes to the bytes of the answer."""

from typing import NamedTuple

from ppocr_serving import Page, Reader, ReadOptions
from ppocr_serving.reading.inputs import decode_pictures
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.contract import encode_answer
from ppocr_serving.web.hubserving import rows_of_page

__all__ = ["Answer", "answer"]


class Answer(NamedTuple):
    """Result for one picture.

    Attributes:
        page: Lines of the picture.
        body: The bytes of the answer.
    """

    page: Page
    body: bytes


def answer(reader: Reader, data: bytes, watch: Stopwatch, options: ReadOptions | None = None) -> Answer:
    """Read one picture file.

    Args:
        reader: Reader to use.
        data: The bytes of the file.
        watch: Stopwatch that receives the time of each stage.
        options: Options of this call.
    """
    (page,) = reader.pages(decode_pictures([data], reader.settings.reading.max_pixels, watch), options, watch)
    with watch("encode"):
        body = encode_answer([rows_of_page(page)])
    return Answer(page, body)
