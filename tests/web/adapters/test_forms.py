"""Forms, taken apart: both types alike, and within limits."""

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.errors import InvalidRequest, LimitExceeded, UnsupportedMediaType
from ppocr_serving.results import Box
from ppocr_serving.web.adapters.boxes import turned, upright
from ppocr_serving.web.adapters.forms import open_form
from ppocr_serving.web.adapters.joining import separator
from ppocr_serving.workers.messages import Head

URLENCODED = "application/x-www-form-urlencoded"
TEXTS = st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=10)
BASE64 = st.text("ABCabc019+/=", max_size=60)


def head(content_type: str = URLENCODED) -> Head:
    return Head("/parse/image", content_type=content_type)


@given(TEXTS, BASE64)
def test_what_a_client_encodes_comes_back(fields: dict[str, str], base64: str) -> None:
    fields.pop("data", None)
    first = f"{urlencode(fields, errors='surrogatepass')}&"
    encoded = urlencode({"data": f"data:image/png;base64,{base64}"})
    sloppily = encoded.replace("%2B", "%2b").replace("%2F", "/").replace("%3D", "=")
    for body in (first + encoded, first + sloppily):
        try:
            form = open_form(head(), body.encode(), frozenset({"data"}))
        except InvalidRequest:
            assert any("\ud800" <= character <= "\udfff" for text in (*fields, *fields.values()) for character in text)
        else:
            assert form.fields == fields
            assert form.large == {"data": f"data:image/png;base64,{base64}".encode()}
            assert form.file is None


@given(st.binary(max_size=300), st.sampled_from([URLENCODED, "multipart/form-data; boundary=b"]))
def test_any_body_is_taken_apart_or_refused(body: bytes, content_type: str) -> None:
    with suppress(InvalidRequest, LimitExceeded):
        form = open_form(head(content_type), body, frozenset({"data"}))
        assert all(isinstance(text, str) for text in form.fields.values())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a=1&a=2", "'a': the field is there twice; send it once"),
        (b"a=%ff", "'a': the field is not valid UTF-8; give a file a filename"),
        (b"data=1&data=2", "'data': the field is there twice; send it once"),
    ],
)
def test_forms_that_are_wrong_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        open_form(head(), body, frozenset({"data"}))
    assert str(refused.value) == message


def test_other_types_are_no_forms() -> None:
    with pytest.raises(UnsupportedMediaType, match="the content type is 'text/plain'; send a form"):
        open_form(head("text/plain"), b"a=1")


@pytest.mark.parametrize(
    ("text", "after", "between"),
    [
        ("one", "two", " "),
        ("你好", "世界", ""),
        ("你好", "world", " "),
        ("안녕", "하세요", " "),
        ("", "a", ""),
        ("こん", "にちは", ""),
    ],
)
def test_scripts_without_spaces_are_joined_without_any(text: str, after: str, between: str) -> None:
    assert separator(text, after) == between


COORDINATES = st.integers(0, 1000)
POINTS = st.tuples(COORDINATES, COORDINATES)


@given(st.tuples(POINTS, POINTS, POINTS, POINTS), st.sampled_from([0, 90, 180, 270]))
def test_turning_a_box_back_gives_the_box(box: Box, angle: int) -> None:
    width, height = 1000, 1200
    there = turned(box, angle, width, height)
    back_size = (height, width) if angle in (90, 270) else (width, height)
    assert turned(there, -angle % 360, *back_size) == box
    left, top, right, bottom = upright(there)
    assert left < right
    assert top < bottom
