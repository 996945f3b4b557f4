"""The answers of the four modules, in a worker process."""

from ppocr_serving.reading.inputs import InputLimits, decode_pictures
from ppocr_serving.web.call import Call
from ppocr_serving.web.contract import encode_answer
from ppocr_serving.web.doors import PREDICT_PREFIX
from ppocr_serving.web.hubserving import MODULES, parse_request
from ppocr_serving.web.responses import Response, json_response

__all__ = ["predict"]


def predict(call: Call) -> Response:
    """Answer a request to one of the four modules.

    Raises:
        OcrError: It cannot be answered.
    """
    name = call.head.path.removeprefix(PREDICT_PREFIX)
    record = call.record
    if name in MODULES:  # arbitrary input does not belong in the log
        record.module = name
    reader = call.reader(name)
    max_pixels = reader.settings.reading.max_pixels
    limits = InputLimits(call.settings.max_images, max_pixels, call.settings.max_request_pixels)
    (files, record.pixels), options = parse_request(call.body, limits)
    record.pictures = len(files)
    results = MODULES[name].run(reader, decode_pictures(files, max_pixels, call.watch), options, call.watch)
    record.pages = record.pictures
    record.lines = sum(map(len, results))
    with call.watch("encode"):
        return json_response(encode_answer(results))
