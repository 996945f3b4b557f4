"""Mapping of errors to HTTP."""

import inspect

import pytest

from ppocr_serving import errors
from ppocr_serving.web.errors import to_http


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (errors.InvalidRequest, (400, "101")),
        (errors.ImageDecodeError, (400, "101")),
        (errors.UnsupportedMediaType, (415, "112")),
        (errors.NotAcceptable, (406, "101")),
        (errors.LimitExceeded, (413, "101")),
        (errors.ModuleNotServed, (404, "111")),
        (errors.PathNotServed, (404, "101")),
        (errors.MethodNotAllowed, (405, "101")),
        (errors.RequestTimedOut, (408, "101")),
        (errors.RequestCancelled, (499, "101")),
        (errors.Overloaded, (503, "101")),
        (errors.NotReady, (503, "101")),
        (errors.DeadlineExceeded, (504, "101")),
        (errors.EngineError, (500, "101")),
        (errors.InvalidSetting, (500, "101")),
        (MemoryError, (503, "101")),
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
