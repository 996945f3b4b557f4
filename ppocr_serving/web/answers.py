"""From the body of a request to its response, in a worker process."""

from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from importlib import import_module
from typing import Final

from ppocr_serving.reading.reader import Reader
from ppocr_serving.settings import ServerSettings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.call import Call, Record
from ppocr_serving.web.doors import (
    CAPABILITIES,
    EVENT,
    OCR,
    OCRSPACE,
    PREDICT,
    READ,
    RENDER,
    UMIOCR,
    UMIOCR_OPTIONS,
    Door,
    door_at,
    refuse_at,
    unknown_path,
)
from ppocr_serving.web.events import answer_event
from ppocr_serving.web.responses import Response, error_code, error_record
from ppocr_serving.web.sinks import Gathering, Outlet
from ppocr_serving.workers.messages import Answer, Job, Reply

__all__ = ["Answers"]

# Imported with the first request to a door, because the first answer of a server that is asked for nothing else should
# not wait for it.
_BEHIND: Final[Mapping[str, tuple[str, str]]] = {
    PREDICT.name: ("prediction", "predict"),
    READ.name: ("v1.reading", "read"),
    RENDER.name: ("v1.rendering", "render"),
    CAPABILITIES.name: ("v1.capabilities", "capabilities"),
    OCR.name: ("adapters.ocr", "answer_ocr"),
    UMIOCR.name: ("adapters.umiocr", "answer_umiocr"),
    UMIOCR_OPTIONS.name: ("adapters.umiocr", "answer_umiocr_options"),
    OCRSPACE.name: ("adapters.ocrspace", "answer_ocrspace"),
}
"""Module and function that answer, by the name of the door."""


class Answers:
    """Answer the requests to all doors.

    Args:
        readers: Reader of each served module.
        settings: Limits.
    """

    def __init__(self, readers: Mapping[str, Reader], settings: ServerSettings) -> None:
        self._readers = readers
        self._settings = settings

    def __call__(self, job: Job, body: memoryview, watch: Stopwatch, outlet: Outlet) -> Reply:
        """Answer one job; every error becomes an answer.

        Args:
            job: A request, or an event that contains one.
            body: Its body.
            watch: Receives the time of every stage.
            outlet: The way for what leaves before this returns.
        """
        record = Record()
        call = Call(job.head, body, job.request_id, self._readers, self._settings, watch, record, outlet)
        response = _respond(call)
        answer = Answer(
            number=job.number,
            status=response.status,
            headers=response.headers,
            module=record.module,
            pictures=record.pictures,
            pages=record.pages,
            pixels=record.pixels,
            lines=record.lines,
            reread=watch.lines_reread,
            error=record.error,
            stages=watch.seconds,
        )
        return Reply(answer, response.body)


def _respond(call: Call) -> Response:
    if door_at(call.head.path, call.settings.adapters) is EVENT:
        return answer_event(call, _respond_in_one_piece)
    return _respond_to_request(call)


def _respond_in_one_piece(call: Call) -> Response:
    gathering = Gathering(call.outlet)
    return gathering.whole(_respond_to_request(call._replace(outlet=gathering)))


def _respond_to_request(call: Call) -> Response:
    path = call.head.path
    door = door_at(path, call.settings.adapters)
    try:
        if door is None or door is EVENT:  # no event contains another one
            raise unknown_path(path)
        return _function_behind(door)(call)
    except Exception as error:  # any failure becomes an answer
        call.record.error = error_code(error)
        if call.outlet.has_sent:
            stream_error = error_record if door is None else door.stream_error
            return Response(HTTPStatus.OK, (), stream_error(error, call.request_id))
        return refuse_at(path, call.settings.adapters)(error, call.request_id)


@cache
def _function_behind(door: Door) -> Callable[[Call], Response]:
    module, function = _BEHIND[door.name]
    answer: Callable[[Call], Response] = getattr(import_module(f"ppocr_serving.web.{module}"), function)
    return answer
