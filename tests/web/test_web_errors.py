"""Mapping of errors to HTTP, and readiness."""

import inspect
import threading

import pytest

from ppocr_serving import errors
from ppocr_serving.errors import NotReady
from ppocr_serving.reading.deadline import Deadline
from ppocr_serving.reading.readiness import Readiness
from ppocr_serving.web.errors import to_http
from tests.services import Service


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (errors.InvalidRequest, (400, "101")),
        (errors.ImageDecodeError, (400, "101")),
        (errors.UnsupportedMediaType, (415, "112")),
        (errors.LimitExceeded, (413, "101")),
        (errors.ModuleNotServed, (404, "111")),
        (errors.Overloaded, (503, "101")),
        (errors.NotReady, (503, "101")),
        (errors.DeadlineExceeded, (504, "101")),
        (errors.EngineError, (500, "101")),
        (errors.InvalidSetting, (500, "101")),
        (ValueError, (500, "101")),
        (KeyboardInterrupt, (500, "101")),
    ],
)
def test_each_error_maps_to_its_http_status_and_code(kind: type[BaseException], expected: tuple[int, str]) -> None:
    assert to_http(kind("reason")) == expected
    assert to_http(type("Narrower", (kind,), {})("reason")) == expected


def test_error_codes_are_unique() -> None:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.OcrError)]
    assert len(classes) > 5
    assert len({kind.code for kind in classes}) == len(classes)


def test_requests_wait_for_the_models_and_are_refused_when_that_takes_too_long(services: dict[str, Service]) -> None:
    readers = {name: service.reader for name, service in services.items()}
    impatient = Readiness(readers, 0.01)
    with pytest.raises(NotReady, match="still being loaded"), impatient.reading(Deadline(60)):
        pass
    assert not impatient.ready
    with pytest.raises(NotReady, match="still being loaded"), Readiness(readers, 60).reading(Deadline(0.01)):
        pass

    patient = Readiness(readers, 60)
    moments = []

    def read() -> None:
        with patient.reading(Deadline(60)):
            moments.append(patient.ready)
        moments.append(patient.ready)

    waiting = threading.Thread(target=read)
    waiting.start()
    assert waiting.is_alive()
    patient.warm_up()
    waiting.join()
    assert patient.ready
    assert moments[0] is False  # the request that had been waiting was read first
