"""The bodies of requests and answers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from ppocr_serving.errors import InvalidRequest, LimitExceeded
from ppocr_serving.pictures import BgrImage, decode_base64, decode_picture, picture_size
from ppocr_serving.settings import Settings
from ppocr_serving.timing import Stopwatch

__all__ = ["PictureFiles", "decode_pictures", "encode_answer", "encode_error", "naming_item", "parse_request"]

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
            f"images: {len(images)} pictures in one request, allowed are {settings.max_images}; send fewer"
        )
    files = []
    pixels = 0
    for index, text in enumerate(images):
        with naming_item(index):
            if not isinstance(text, str):
                raise InvalidRequest(f"is {_kind(text)}; send the base64 of a picture file as a string")
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
        with naming_item(index), watch("decode"):
            image = decode_picture(data, max_pixels)
        yield image


@contextmanager
def naming_item(index: int) -> Iterator[None]:
    """Puts `images[<index>]: ` in front of what the enclosed block complains of."""
    try:
        yield
    except (InvalidRequest, LimitExceeded) as error:
        raise type(error)(f"images[{index}]: {error}") from error


def encode_answer(results: Any) -> bytes:
    """The body of an answer: UTF-8 JSON, text as it is."""
    return msgspec.json.encode({"msg": "", "results": results, "status": "000"})


def encode_error(message: str, status: str) -> bytes:
    """The body of an error: the same three keys."""
    return msgspec.json.encode({"msg": message, "results": "", "status": status})


def _image_list(body: bytes) -> list[Any]:
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is no JSON ({error}); send {_EXAMPLE}") from error
    if not isinstance(request, dict):
        raise InvalidRequest(f"the body is {_kind(request)}; send an object: {_EXAMPLE}")
    if "paths" in request:
        raise InvalidRequest("paths: files of the server cannot be read over HTTP; send the pictures in images")
    unknown = sorted(key for key in request if key != "images")
    if unknown:
        raise InvalidRequest(f"{_shortened(unknown[0])}: there is no such key; send {_EXAMPLE}")
    if "images" not in request:
        raise InvalidRequest(f"images: the key is missing; send {_EXAMPLE}")
    images = request["images"]
    if not isinstance(images, list):
        raise InvalidRequest(f"images: is {_kind(images)}; send a list: {_EXAMPLE}")
    if not images:
        raise InvalidRequest(f"images: the list is empty; send {_EXAMPLE}")
    return images


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _shortened(key: str) -> str:
    return repr(key if len(key) <= 40 else f"{key[:40]}...")
