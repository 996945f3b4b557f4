"""Base64-encoded picture files: tolerated and rejected input."""

import base64
import weakref
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.errors import ImageDecodeError
from ppocr_serving.reading.inputs import decode_base64, decode_base64_file, decode_pictures
from ppocr_serving.timing import Stopwatch
from tests.served.samples import file_of, page


@given(st.binary(min_size=1, max_size=100))
def test_base64_is_decoded(data: bytes) -> None:
    assert decode_base64(base64.b64encode(data).decode()) == data


@pytest.mark.parametrize(
    "decorate",
    [
        lambda text: f"  {text}\n",
        lambda text: "\r\n".join(text[start : start + 7] for start in range(0, len(text), 7)),
        lambda text: "\t\v\f".join(text),
        lambda text: f"data:image/png;base64,{text}",
        lambda text: f"\n DATA:image/svg+xml;BASE64,\n{text} ",
        lambda text: f"data:image/vnd.ms-photo;base64,{text}",
    ],
    ids=["surrounded", "wrapped lines", "spread", "data url", "upper-case data url", "odd data url"],
)
def test_whitespace_and_data_urls_are_tolerated(decorate: Callable[[str], str]) -> None:
    data = bytes(range(256))
    assert decode_base64(decorate(base64.b64encode(data).decode())) == data


@pytest.mark.parametrize("text", ["", "   \n", "data:image/png;base64,", "data:image/png;base64,  "])
def test_empty_base64_is_refused(text: str) -> None:
    with pytest.raises(ImageDecodeError, match="is empty; send the base64 of a picture file"):
        decode_base64(text)


@pytest.mark.parametrize(
    "text",
    [
        "AAA", "AAAAA", "A===", "=AAA", "AA=A", "AA-_", "####", "图片", "AAAA图", "AAAA\u00a0", "AAAA\0",
        "data:text/plain;base64,AAAA", "data:image/png,AAAA", "/etc/passwd\x00", "https://host.example/picture.png",
    ],
)  # fmt: skip
def test_invalid_base64_is_refused(text: str) -> None:
    with pytest.raises(ImageDecodeError, match=r"^is not valid base64 \(.+\); send the base64 of a picture file$"):
        decode_base64(text)


@pytest.mark.parametrize(
    "prefix", ["data:application/pdf;base64,", "data:;base64,", " data:image/png;name=a.png;base64,", ""]
)
def test_the_base64_of_any_file_may_be_a_data_url(prefix: str) -> None:
    data = b"%PDF-1.7 of any kind"
    assert decode_base64_file(prefix + base64.b64encode(data).decode()) == data
    with pytest.raises(ImageDecodeError, match=r"is empty; send the base64 of a file"):
        decode_base64_file(prefix)


def test_a_decoded_picture_can_be_let_go_before_the_next_one() -> None:
    pictures = decode_pictures([file_of(page(["A line"]))] * 2, 10**7, Stopwatch())
    image = next(pictures)
    first = weakref.ref(image if image.base is None else image.base)
    del image
    assert first() is None
    assert next(pictures).size
