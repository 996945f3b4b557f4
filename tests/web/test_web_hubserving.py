"""Request bodies: any input yields pictures or a one-line error."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ppocr_serving.errors import ImageDecodeError, InvalidRequest, LimitExceeded
from ppocr_serving.reading.files import naming_item
from ppocr_serving.reading.inputs import InputLimits, decode_pictures
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.contract import MODULE_NAMES, encode_answer, encode_error
from ppocr_serving.web.hubserving import MODULES, parse_request
from tests.engines.inputs import run_program
from tests.served.samples import as_base64, file_of

LIMITS = InputLimits(max_images=3, max_pixels=1000, max_request_pixels=2000)
PICTURE = as_base64(Image.new("RGB", (20, 10), "white"))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
REQUESTS = JSON | st.builds(
    lambda images, rest: {**rest, "images": images},
    JSON
    | st.lists(st.just(PICTURE) | st.binary().map(lambda data: base64.b64encode(data).decode()) | JSON, max_size=4),
    st.just({}) | st.dictionaries(st.sampled_from(["paths", "image", "\n", "字"]), JSON, max_size=1),
)


def assert_parses_or_explains(body: bytes) -> None:
    try:
        pictures, _ = parse_request(body, LIMITS)
    except (InvalidRequest, LimitExceeded) as error:
        message = str(error)
    else:
        message = "one line"
        assert 1 <= len(pictures.files) <= LIMITS.max_images
        assert 1 <= pictures.pixels <= LIMITS.max_request_pixels
    assert len(message.splitlines()) == 1
    assert json.loads(encode_error(message, "101"))["msg"] == message


@given(REQUESTS)
def test_any_json_yields_pictures_or_an_error(value: Any) -> None:
    assert_parses_or_explains(json.dumps(value).encode())


@given(st.binary(max_size=200))
def test_any_bytes_yield_pictures_or_an_error(body: bytes) -> None:
    assert_parses_or_explains(body)


@given(st.integers(1, 5), st.integers(1, 60), st.integers(1, 60))
def test_limits_are_exact(count: int, width: int, height: int) -> None:
    body = json.dumps({"images": [as_base64(Image.new("L", (width, height)))] * count}).encode()
    pixels = count * width * height

    if any(value > limit for value, limit in zip((count, width * height, pixels), LIMITS, strict=True)):
        with pytest.raises(LimitExceeded):
            parse_request(body, LIMITS)
    else:
        assert parse_request(body, LIMITS).pictures.pixels == pixels


@pytest.mark.parametrize("paths", ["[]", "[ ]", "[\n]"])
def test_an_empty_list_of_paths_is_accepted(paths: str) -> None:
    body = f'{{"images": ["{PICTURE}"], "paths": {paths}}}'.encode()
    assert len(parse_request(body, LIMITS).pictures.files) == 1


@pytest.mark.parametrize("paths", ['["/etc/passwd"]', "null", '""', "[[]]", "{}", "[[], []]"])
def test_any_other_paths_are_refused(paths: str) -> None:
    body = f'{{"images": ["{PICTURE}"], "paths": {paths}}}'.encode()
    with pytest.raises(InvalidRequest, match="cannot be read over HTTP"):
        parse_request(body, LIMITS)


@pytest.mark.parametrize(
    "encoded",
    [
        PICTURE.replace("/", r"\/"),
        "".join(f"\\u{ord(character):04x}" for character in PICTURE),
        PICTURE.replace("=", r"\u003D"),
        r"\n".join(PICTURE[start : start + 76] for start in range(0, len(PICTURE), 76)),
        r"data:image\/png;base64," + PICTURE,
    ],
    ids=["slashes", "everything", "padding", "lines", "data url"],
)
def test_base64_may_have_json_escapes(encoded: str) -> None:
    assert len(parse_request(f'{{"images": ["{encoded}"]}}'.encode(), LIMITS).pictures.files) == 1


@pytest.mark.parametrize("text", ["\U0001f600", r"\ud83d\ude00", r"\u0100AAA\n", "\u00e9\\n", r"AA\q=", "AA\\"])
def test_other_characters_are_not_base64(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^(images\[0\]: is not valid base64|the body is not valid JSON)"):
        parse_request(f'{{"images": ["{text}"]}}'.encode(), LIMITS)


MEGABYTE = 2**20
HEAVY_BODIES = {
    "tiny strings": lambda: b'{"images":[' + b'"a",' * (4 * MEGABYTE) + b'"a"]}',
    "numbers": lambda: b'{"images":[' + b"1," * (8 * MEGABYTE) + b"1]}",
    "empty lists": lambda: b'{"images":[' + b"[]," * (5 * MEGABYTE) + b"[]]}",
    "keys": lambda: b"{" + b",".join(b'"%x":0' % number for number in range(MEGABYTE)) + b"}",
    "repeated keys": lambda: b"{" + b'"images":[],' * MEGABYTE + b'"images":[]}',
    "nested lists": lambda: b'{"images":' + b"[" * (16 * MEGABYTE),
    "a wide character": lambda: b'{"images":["' + "\U0001f600".encode() + b"A" * (16 * MEGABYTE) + b'"]}',
    "an escaped wide character": lambda: rb'{"images":["\ud83d\ude00' + b"A" * (16 * MEGABYTE) + b'"]}',
    "escapes": lambda: b'{"images":["' + rb"\u0041" * (3 * MEGABYTE) + b'"]}',
    "white space": lambda: b'{"images":["' + rb"\n" + b" " * (16 * MEGABYTE) + b'"]}',
    "wrapped lines": lambda: b'{"images":["' + (b"A" * 76 + rb"\n") * (200_000) + b'"]}',
    "options": lambda: b'{"images":["A"],"options":[' + b"0," * (8 * MEGABYTE) + b"0]}",
}


@pytest.mark.parametrize("name", HEAVY_BODIES)
def test_no_body_takes_several_times_its_size_when_it_is_parsed(name: str) -> None:
    # In a process of its own, for the peak of its memory.
    program = """if True:
        import resource, sys
        from ppocr_serving.errors import InvalidRequest, LimitExceeded
        from ppocr_serving.reading.inputs import InputLimits
        from ppocr_serving.web.hubserving import parse_request
        from tests.web.test_web_hubserving import HEAVY_BODIES
        body = bytearray(HEAVY_BODIES[sys.argv[1]]())
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # forget the peak
        before = peak()
        try:
            parse_request(body, InputLimits(64, 50_000_000, 500_000_000))
        except (InvalidRequest, LimitExceeded):
            print((peak() - before) / len(body))
    """
    result = run_program(program, name)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 2.1  # with the body itself, it is three times its size


def test_a_byte_order_mark_is_accepted() -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"images": [PICTURE]}).encode()
    assert len(parse_request(body, LIMITS).pictures.files) == 1


@pytest.mark.parametrize("name", ["det_limit_side_len", "det_closer_side_len"])
def test_a_client_cannot_exceed_the_detectors_side_limit(name: str) -> None:
    body = json.dumps({"images": [PICTURE], "options": {name: 2001}}).encode()
    with pytest.raises(LimitExceeded, match=f"options: {name} is 2001; the limit is 2000 per request"):
        parse_request(body, LIMITS)


def test_options_become_read_options() -> None:
    body = json.dumps({"images": [PICTURE], "options": {"drop_score": 0.25, "det_limit_type": "min"}}).encode()
    assert parse_request(body, LIMITS).options == ReadOptions(drop_score=0.25, det_limit_type="min")


def test_an_out_of_range_number_is_reported() -> None:
    body = f'{{"images": ["{PICTURE}"], "options": {{"drop_score": 1e400}}}}'.encode()
    with pytest.raises(InvalidRequest, match="options: contains a number that is out of range"):
        parse_request(body, LIMITS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropscore": 0.5}, r"options: unknown option 'dropscore'; did you mean drop_score\?"),
        ({"max_pixels": 5}, "options: unknown option 'max_pixels'; known options: "),
        ({"drop_score": 2}, "options: drop_score is 2: must be a number from 0 to 1"),
        ({"drop_score": "0.5"}, "options: drop_score is '0.5': "),
        ([], 'options: is a list; send an object such as {"drop_score": 0.6}'),
        ({"drop_score": [0] * 3000}, "options: has 9016 bytes; the limit is 4096"),
        ({"pages": "1"}, "options: pages is for files with pages, which /v1/read takes; leave it out here$"),
        ({"dpi": 200}, "options: dpi is for files with pages, which /v1/read takes; "),
        ({"pdf_text": "never"}, "options: pdf_text is for files with pages, which /v1/read takes; "),
        ({"password": "x"}, "options: password is for files with pages, which /v1/read takes; "),
        ({"region": [1, 2, 3]}, r"options: region is \[1, 2, 3\]; give "),
    ],
)
def test_invalid_options_are_named(options: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse_request(json.dumps({"images": [PICTURE], "options": options}).encode(), LIMITS)


def test_pictures_are_decoded_one_by_one_and_the_damaged_one_is_named() -> None:
    good = file_of(Image.new("RGB", (20, 10), (255, 0, 0)), "BMP")
    watch = Stopwatch()

    pictures = decode_pictures([good, good[:60]], 1000, watch)

    assert next(pictures)[0, 0].tolist() == [0, 0, 255]
    with pytest.raises(ImageDecodeError, match=r"^images\[1\]: is a damaged or truncated BMP"):
        next(pictures)
    assert watch.seconds.keys() == {"decode"}


@pytest.mark.parametrize("kind", [InvalidRequest, ImageDecodeError, LimitExceeded])
def test_naming_an_item_keeps_the_error_class(kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"^images\[7\]: reason$") as caught, naming_item("images[7]:"):
        raise kind("reason")
    assert type(caught.value) is kind


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_answers_are_utf8_and_not_escaped(text: str) -> None:
    body = encode_answer([[{"text": text}]])

    assert json.loads(body) == {"msg": "", "results": [[{"text": text}]], "status": "000"}
    assert b"\\u4" not in encode_answer([[{"text": "中文"}]])


def test_each_name_stands_for_a_module() -> None:
    assert tuple(MODULES) == MODULE_NAMES
