"""The bodies of requests and answers."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from ppocr_serving.errors import InvalidRequest, LimitExceeded
from ppocr_serving.pictures import BgrImage, decode_base64, decode_picture, picture_size
from ppocr_serving.settings import Settings
from ppocr_serving.timing import Stopwatch

__all__ = ["PictureFiles", "decode_pictures", "encode_answer", "encode_error", "naming_item", "parse_request"]

_ITEM_PATH = re.compile(r"\$\[(\d+)\]")
_FOUND = re.compile(r"got `(\w+)`")

_EXAMPLE = '{"images": ["<base64 of a picture>"]}'


class PictureFiles(NamedTuple):
    """The pictures of a request, not decoded yet.

    Attributes:
        files: The bytes of each file.
        pixels: The pixels that all of them declare.
    """

    files: list[bytes]
    pixels: int


def parse_request(body: bytes, settings: Settings) -> PictureFiles:
    """Checks the body of a request and takes the picture files out of it.

    Args:
        body: JSON with the one key `images`.
        settings: `max_images`, `max_pixels` and `max_request_pixels` are used.

    Returns:
        At least one file, each with the header of a supported format and an allowed size.

    Raises:
        InvalidRequest: The body is not what the contract says; the message names what is wrong and where.
        LimitExceeded: There are too many pictures, or too many pixels in one or all of them.
    """
    images = _image_list(body)
    if len(images) > settings.max_images:
        raise LimitExceeded(
            f"images: {len(images)} pictures, allowed in a request are {settings.max_images}; send fewer"
        )
    files = []
    pixels = 0
    for index, text in enumerate(images):
        with naming_item(f"images[{index}]:"):
            files.append(decode_base64(text))
            width, height = picture_size(files[-1], settings.max_pixels)
            pixels += width * height
            if pixels > settings.max_request_pixels:
                raise LimitExceeded(
                    f"brings the request to {pixels} pixels, allowed are {settings.max_request_pixels}; send fewer"
                )
    return PictureFiles(files, pixels)


def decode_pictures(files: Sequence[bytes], max_pixels: int, watch: Stopwatch) -> Iterator[BgrImage]:
    """Decodes the picture files of a request, each when it is asked for.

    Args:
        files: The bytes of each file.
        max_pixels: The most pixels that a picture may have.
        watch: Receives the stage `decode`.

    Yields:
        (H, W, 3) uint8 BGR.

    Raises:
        ImageDecodeError: A picture is damaged; the message names which.
    """
    for index, data in enumerate(files):
        with naming_item(f"images[{index}]:"), watch("decode"):
            image = decode_picture(data, max_pixels)
        yield image


@contextmanager
def naming_item(name: str) -> Iterator[None]:
    """Puts the name of an item in front of what the enclosed block complains of."""
    try:
        yield
    except (InvalidRequest, LimitExceeded) as error:
        raise type(error)(f"{name} {error}") from error


def encode_answer(results: Any) -> bytes:
    """The body of an answer: UTF-8 JSON, text as it is."""
    return msgspec.json.encode({"msg": "", "results": results, "status": "000"})


def encode_error(message: str, status: str) -> bytes:
    """The body of an error: the same three keys."""
    return msgspec.json.encode({"msg": message, "results": "", "status": status})


def _image_list(body: bytes) -> list[str]:
    # In steps, each to a type: a body of millions of small objects must not become millions of Python objects.
    try:
        request = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the body is {_kind(error)}; send an object: {_EXAMPLE}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is no JSON ({error}); send {_EXAMPLE}") from error
    if "paths" in request:
        raise InvalidRequest("paths: files of the server cannot be read over HTTP; send the pictures in images")
    unknown = sorted(key for key in request if key != "images")
    if unknown:
        raise InvalidRequest(f"{_shortened(unknown[0])}: there is no such key; send {_EXAMPLE}")
    if "images" not in request:
        raise InvalidRequest(f"images: the key is missing; send {_EXAMPLE}")
    try:
        images = msgspec.json.decode(request["images"], type=list[str])
    except msgspec.ValidationError as error:
        item = _ITEM_PATH.search(str(error))
        if item is None:
            raise InvalidRequest(f"images: is {_kind(error)}; send a list: {_EXAMPLE}") from error
        raise InvalidRequest(
            f"images[{item[1]}]: is {_kind(error)}; send the base64 of a picture file as a string"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"images: is no JSON ({error}); send {_EXAMPLE}") from error
    if not images:
        raise InvalidRequest(f"images: the list is empty; send {_EXAMPLE}")
    return images


def _kind(error: msgspec.ValidationError) -> str:
    """What msgspec found where it expected something else, in words."""
    found = _FOUND.search(str(error))
    kind = found[1] if found else ""
    return {"object": "an object", "array": "a list", "str": "a string", "bool": "true or false", "null": "null"}.get(
        kind, "a number"
    )


def _shortened(key: str) -> str:
    return repr(key if len(key) <= 40 else f"{key[:40]}...")
