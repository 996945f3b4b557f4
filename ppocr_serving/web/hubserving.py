"""The contract of PaddleOCR's hubserving: bodies of requests and answers, and the four modules.

Only this module deals with `text_region`, and with the one inner list into which recognition and classification put
the answers for all pictures.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from ppocr_serving.errors import InvalidRequest, LimitExceeded
from ppocr_serving.models import Role
from ppocr_serving.reading.inputs import InputLimits, PictureFiles, check_files, naming_item
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader
from ppocr_serving.results import Box, Page
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage

__all__ = [
    "MODULES",
    "Module",
    "PredictRequest",
    "Results",
    "encode_answer",
    "encode_error",
    "parse_request",
    "rows_of_page",
]

Results = list[list[dict[str, Any]]]
"""The contract's `results`, ready for JSON."""

_ITEM_PATH = re.compile(r"\$\[(\d+)\]")
_FOUND = re.compile(r"got `(\w+)`")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The detector's memory grows with the square, so clients have a lower limit than the operator.
_MAX_SIDE_LENGTH = 2000
_MAX_OPTIONS_BYTES = 4096  # many times the size of all options
_KEYS = frozenset({"images", "options", "paths"})

_EXAMPLE = '{"images": ["<base64 of a picture>"]}'


class Module(NamedTuple):
    """One of the four modules.

    Attributes:
        roles: The models that it needs; None means those needed to read entire pictures.
        run: Processes pictures with a reader: (H, W, 3) uint8 BGR each, consumed one by one; the stopwatch
            receives the time of every stage. Raises EngineError if a network fails.
    """

    roles: tuple[Role, ...] | None
    run: Callable[[Reader, Iterable[BgrImage], ReadOptions | None, Stopwatch], Results]


class PredictRequest(NamedTuple):
    """A checked request.

    Attributes:
        pictures: At least one.
        options: Its options; None if it has none.
    """

    pictures: PictureFiles
    options: ReadOptions | None


def rows_of_page(page: Page) -> list[dict[str, Any]]:
    """Return the lines of a page in the form of `ocr_system`'s answer."""
    return [{"text": line.text, "confidence": line.confidence, "text_region": _region(line.box)} for line in page.lines]


def _region(box: Box) -> list[list[int]]:
    return [[x, y] for x, y in box]


def _system(reader: Reader, images: Iterable[BgrImage], options: ReadOptions | None, watch: Stopwatch) -> Results:
    return [rows_of_page(page) for page in reader.pages(images, options, watch)]


def _det(reader: Reader, images: Iterable[BgrImage], options: ReadOptions | None, watch: Stopwatch) -> Results:
    return [[{"text_region": _region(box)} for box in boxes] for boxes in reader.detect(images, options, watch)]


def _cls(reader: Reader, images: Iterable[BgrImage], _: ReadOptions | None, watch: Stopwatch) -> Results:
    return [[{"angle": angle.label, "confidence": angle.confidence} for angle in reader.classify(images, watch)]]


def _rec(reader: Reader, images: Iterable[BgrImage], _: ReadOptions | None, watch: Stopwatch) -> Results:
    return [[{"text": text.text, "confidence": text.confidence} for text in reader.recognize(images, watch)]]


MODULES: Mapping[str, Module] = {
    "ocr_system": Module(None, _system),
    "ocr_det": Module(("det",), _det),
    "ocr_cls": Module(("cls",), _cls),
    "ocr_rec": Module(("rec",), _rec),
}
"""By the name in `/predict/<name>`."""


def parse_request(body: bytes, limits: InputLimits) -> PredictRequest:
    """Check the body of a request and extract its picture files.

    Args:
        body: JSON with the key `images`, and optionally `options`.
        limits: How many pictures and pixels are allowed.

    Returns:
        At least one file, each with the header of a supported format and an allowed size; and the options.

    Raises:
        InvalidRequest: The body does not follow the contract; the message says what is wrong and where.
        LimitExceeded: There are too many pictures, or too many pixels in one or all of them.
    """
    # Decoded in typed steps: a body of millions of small objects must not become millions of Python objects.
    try:
        request = msgspec.json.decode(body.removeprefix(_BYTE_ORDER_MARK), type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the body is {_kind(error)}; send an object: {_EXAMPLE}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not valid JSON ({error}); send {_EXAMPLE}") from error
    # Some clients send an empty list of paths along with the pictures.
    if "paths" in request and bytes(request["paths"]).translate(None, b" \t\r\n") != b"[]":
        raise InvalidRequest("paths: files of the server cannot be read over HTTP; send the pictures in images")
    unknown = sorted(request.keys() - _KEYS)
    if unknown:
        raise InvalidRequest(f"{_shortened(unknown[0])}: unknown key; send {_EXAMPLE}")
    if "images" not in request:
        raise InvalidRequest(f"images: the key is missing; send {_EXAMPLE}")
    options = _options(request["options"]) if "options" in request else None
    return PredictRequest(check_files(_images(request["images"]), limits), options)


def encode_answer(results: Any) -> bytes:
    """Return the body of an answer: UTF-8 JSON, with non-ASCII text unescaped."""
    return msgspec.json.encode({"msg": "", "results": results, "status": "000"})


def encode_error(message: str, status: str) -> bytes:
    """Return the body of an error: the same three keys."""
    return msgspec.json.encode({"msg": message, "results": "", "status": status})


def _images(raw: msgspec.Raw) -> list[str]:
    try:
        images = msgspec.json.decode(raw, type=list[str])
    except msgspec.ValidationError as error:
        item = _ITEM_PATH.search(str(error))
        if item is None:
            raise InvalidRequest(f"images: is {_kind(error)}; send a list: {_EXAMPLE}") from error
        raise InvalidRequest(
            f"images[{item[1]}]: is {_kind(error)}; send the base64 of a picture file as a string"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"images: is not valid JSON ({error}); send {_EXAMPLE}") from error
    if not images:
        raise InvalidRequest(f"images: the list is empty; send {_EXAMPLE}")
    return images


def _options(raw: msgspec.Raw) -> ReadOptions:
    size = memoryview(raw).nbytes
    if size > _MAX_OPTIONS_BYTES:
        raise InvalidRequest(f"options: has {size} bytes; the limit is {_MAX_OPTIONS_BYTES}")
    try:
        values = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.ValidationError as error:
        if _FOUND.search(str(error)) is None:  # an object that contains a number out of range
            raise InvalidRequest("options: contains a number that is out of range") from error
        raise InvalidRequest(f'options: is {_kind(error)}; send an object such as {{"drop_score": 0.6}}') from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"options: is not valid JSON ({error})") from error
    with naming_item("options:"):
        options = ReadOptions.from_mapping(values)
        side = options.det_limit_side_len
        if side is not None and side > _MAX_SIDE_LENGTH:
            raise LimitExceeded(f"det_limit_side_len is {side}; the limit is {_MAX_SIDE_LENGTH} per request")
    return options


def _kind(error: msgspec.ValidationError) -> str:
    """Describe what msgspec found instead of the expected type."""
    found = _FOUND.search(str(error))
    kind = found[1] if found else ""
    return {"object": "an object", "array": "a list", "str": "a string", "bool": "true or false", "null": "null"}.get(
        kind, "a number"
    )


def _shortened(key: str) -> str:
    return repr(key if len(key) <= 40 else f"{key[:40]}...")
