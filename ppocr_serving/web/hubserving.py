"""The contract of PaddleOCR's hubserving: bodies of requests, and what the four modules answer.

Only this module deals with `text_region`, and with the one inner list into which recognition and classification put
the answers for all pictures.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from ppocr_serving.errors import ImageDecodeError, InvalidRequest, LimitExceeded
from ppocr_serving.models import Role
from ppocr_serving.reading.files import naming_item
from ppocr_serving.reading.inputs import InputLimits, PictureFiles, check_files
from ppocr_serving.reading.options import DOCUMENT_OPTIONS, ReadOptions
from ppocr_serving.reading.reader import Reader
from ppocr_serving.results import Box, Line, Page, Word
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.web.allowances import require_side_lengths
from ppocr_serving.web.bounded_json import (
    DECODING_ERRORS,
    kind_of_json,
    object_of_json,
    text_of_json,
    too_many_values,
    without_byte_order_mark,
)

__all__ = [
    "MODULES",
    "Module",
    "PredictRequest",
    "Results",
    "parse_request",
    "rows_of_page",
]

Results = list[list[dict[str, Any]]]
"""The contract's `results`, ready for JSON."""

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


def rows_of_page(page: Page, words: bool = False) -> list[dict[str, Any]]:
    """Return the lines of a page in the form of `ocr_system`'s answer.

    Args:
        page: The page.
        words: Whether each line has the key `words`, a list of the same form.
    """
    rows = []
    for line in page.lines:
        row = _row(line)
        if words:
            row["words"] = [_row(word) for word in line.words]
        rows.append(row)
    return rows


def _row(found: Line | Word) -> dict[str, Any]:
    return {"text": found.text, "confidence": found.confidence, "text_region": _region(found.box)}


def _region(box: Box) -> list[list[int]]:
    return [[x, y] for x, y in box]


def _in_rows(reader: Reader, options: ReadOptions | None) -> ReadOptions:
    """Return options that keep the contract's order, by rows, unless settings or call ask for another."""
    options = options or ReadOptions()
    if options.reading_order or reader.settings.reading.reading_order:
        return options
    return msgspec.structs.replace(options, reading_order="rows")


def _system(reader: Reader, images: Iterable[BgrImage], options: ReadOptions | None, watch: Stopwatch) -> Results:
    requested = None if options is None else options.words
    words = reader.settings.reading.words if requested is None else requested
    pages = reader.pages(images, _in_rows(reader, options), watch, paragraphs=False, text_corners=False)
    return [rows_of_page(page, words) for page in pages]


def _det(reader: Reader, images: Iterable[BgrImage], options: ReadOptions | None, watch: Stopwatch) -> Results:
    found = reader.detect(images, _in_rows(reader, options), watch)
    return [[{"text_region": _region(box)} for box in boxes] for boxes in found]


def _cls(reader: Reader, images: Iterable[BgrImage], options: ReadOptions | None, watch: Stopwatch) -> Results:
    _require_whole(options)
    return [[{"angle": angle.label, "confidence": angle.confidence} for angle in reader.classify(images, watch)]]


def _rec(reader: Reader, images: Iterable[BgrImage], options: ReadOptions | None, watch: Stopwatch) -> Results:
    _require_whole(options)
    texts = reader.recognize(images, options, watch)
    return [[{"text": text.text, "confidence": text.confidence} for text in texts]]


def _require_whole(options: ReadOptions | None) -> None:
    if options is not None and options.regions:
        raise InvalidRequest("options: region is for ocr_system and ocr_det; send the cropped line here")


MODULES: Mapping[str, Module] = {
    "ocr_system": Module(None, _system),
    "ocr_det": Module(("det",), _det),
    "ocr_cls": Module(("cls",), _cls),
    "ocr_rec": Module(("rec",), _rec),
}
"""By the name in `/predict/<name>`."""


def parse_request(body: bytes | memoryview, limits: InputLimits) -> PredictRequest:
    """Check the body of a request and take the picture files out of it.

    Takes as much memory as the body, and as much again if the base64 has white space or escapes, whatever is in it.

    Args:
        body: JSON with the key `images`, and optionally `options`.
        limits: How many pictures and pixels are allowed.

    Returns:
        At least one file, each with the header of a supported format and an allowed size; and the options.

    Raises:
        InvalidRequest: The body does not follow the contract; the message names what is wrong and where.
        LimitExceeded: There are too many pictures, or too many pixels in one or all of them.
    """
    if surplus := too_many_values(body, limits.max_images):
        raise LimitExceeded(
            f"the body has {surplus}, far more than {limits.max_images} pictures need; send fewer pictures"
        )
    # In steps, each to a type that refers to the body: JSON must not become millions of Python objects.
    request = object_of_json(without_byte_order_mark(body), "the body", _EXAMPLE)
    # Some clients send an empty list of paths beside the pictures.
    if "paths" in request and bytes(request["paths"]).translate(None, b" \t\r\n") != b"[]":
        raise InvalidRequest("paths: files of the server cannot be read over HTTP; send the pictures in images")
    unknown = sorted(request.keys() - _KEYS)
    if unknown:
        raise InvalidRequest(f"{_shortened(unknown[0])}: unknown key; send {_EXAMPLE}")
    if "images" not in request:
        raise InvalidRequest(f"images: the key is missing; send {_EXAMPLE}")
    options = _options(request["options"]) if "options" in request else None
    return PredictRequest(check_files(_images(request["images"]), limits), options)


def _images(raw: msgspec.Raw) -> list[bytes | memoryview]:
    try:
        items = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"images: is {kind_of_json(memoryview(raw))}; send a list: {_EXAMPLE}") from error
    except DECODING_ERRORS as error:
        raise InvalidRequest(f"images: is not valid JSON ({error}); send {_EXAMPLE}") from error
    if not items:
        raise InvalidRequest(f"images: the list is empty; send {_EXAMPLE}")
    return [_base64(index, item) for index, item in enumerate(items)]


def _base64(index: int, item: msgspec.Raw) -> bytes | memoryview:
    kind = kind_of_json(memoryview(item))
    if kind != "a string":
        raise InvalidRequest(f"images[{index}]: is {kind}; send the base64 of a picture file as a string")
    try:
        return text_of_json(item)
    except msgspec.DecodeError as error:
        raise ImageDecodeError(
            f"images[{index}]: is not valid base64 ({error}); send the base64 of a picture file"
        ) from error


def _options(raw: msgspec.Raw) -> ReadOptions:
    size = memoryview(raw).nbytes
    if size > _MAX_OPTIONS_BYTES:
        raise InvalidRequest(f"options: has {size} bytes; the limit is {_MAX_OPTIONS_BYTES}")
    try:
        values = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.ValidationError as error:
        kind = kind_of_json(memoryview(raw))
        if kind == "an object":
            raise InvalidRequest("options: contains a number that is out of range") from error
        raise InvalidRequest(f'options: is {kind}; send an object such as {{"drop_score": 0.6}}') from error
    except DECODING_ERRORS as error:
        raise InvalidRequest(f"options: is not valid JSON ({error})") from error
    with naming_item("options:"):
        for name in DOCUMENT_OPTIONS:
            if name in values:
                raise InvalidRequest(f"{name} is for files with pages, which /v1/read takes; leave it out here")
        options = ReadOptions.from_mapping(values)
        require_side_lengths(options)
    return options


def _shortened(key: str) -> str:
    return repr(key if len(key) <= 40 else f"{key[:40]}...")
