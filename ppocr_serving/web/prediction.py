"""From the body of a request to its response, in a worker process."""

from collections.abc import Mapping

from ppocr_serving.reading.inputs import InputLimits, decode_pictures
from ppocr_serving.reading.reader import Reader
from ppocr_serving.settings import ServerSettings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.contract import encode_answer, require_module
from ppocr_serving.web.events import answer_event
from ppocr_serving.web.hubserving import MODULES, parse_request
from ppocr_serving.web.responses import Response, error_code, error_response, json_response
from ppocr_serving.workers.messages import Answer, Job, Reply

__all__ = ["Prediction"]


class Prediction:
    """Answer the bodies of requests.

    Args:
        readers: Reader of each served module.
        settings: Limits.
    """

    def __init__(self, readers: Mapping[str, Reader], settings: ServerSettings) -> None:
        self._readers = readers
        self._settings = settings

    def __call__(self, job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        """Answer one job; every error becomes an answer.

        Args:
            job: A request to one of the modules, or an event that contains one.
            body: JSON according to the contract, or an event.
            watch: Receives the time of every stage.
        """
        record = _Record()

        def predict(name: str, body: bytes | memoryview) -> Response:
            return self._predict(name, body, job.request_id, record, watch)

        response = predict(job.module, body) if job.module else answer_event(body, predict, job.request_id)
        answer = Answer(
            number=job.number,
            status=response.status,
            headers=response.headers,
            module=record.module,
            pictures=record.pictures,
            pixels=record.pixels,
            lines=record.lines,
            reread=watch.lines_reread,
            error=record.error,
            stages=watch.seconds,
        )
        return Reply(answer, response.body)

    def _predict(
        self, name: str, body: bytes | memoryview, request_id: str, record: "_Record", watch: Stopwatch
    ) -> Response:
        try:
            return json_response(self._answer(name, body, record, watch))
        except Exception as error:  # any failure becomes an answer
            record.error = error_code(error)
            return error_response(error, request_id)

    def _answer(self, name: str, body: bytes | memoryview, record: "_Record", watch: Stopwatch) -> bytes:
        if name in MODULES:  # arbitrary input does not belong in the log
            record.module = name
        require_module(name, self._readers)
        reader = self._readers[name]
        max_pixels = reader.settings.reading.max_pixels
        limits = InputLimits(self._settings.max_images, max_pixels, self._settings.max_request_pixels)
        (files, record.pixels), options = parse_request(body, limits)
        record.pictures = len(files)
        results = MODULES[name].run(reader, decode_pictures(files, max_pixels, watch), options, watch)
        record.lines = sum(map(len, results))
        with watch("encode"):
            return encode_answer(results)


class _Record:
    """What is logged about a request."""

    def __init__(self) -> None:
        self.module = "-"
        self.pictures = 0
        self.pixels = 0
        self.lines = 0
        self.error = ""
