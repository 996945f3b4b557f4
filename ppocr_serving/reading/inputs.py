"""Convert inputs to pictures: check limits first, then decode each picture on demand."""

import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from ppocr_serving.errors import ImageDecodeError, InvalidRequest, LimitExceeded
from ppocr_serving.reading.files import naming_item, read_file
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage, decode_picture, picture_size

__all__ = [
    "InputLimits",
    "PictureFiles",
    "Source",
    "check_arrays",
    "check_files",
    "decode_base64",
    "decode_base64_file",
    "decode_pictures",
    "read_source",
]

_PICTURE_URL: Final = re.compile(rb"\s*data:image/[\w.+-]+;base64,", re.IGNORECASE)
_DATA_URL: Final = re.compile(rb"\s*data:[\w.+-]*/?[\w.+-]*(?:;[\w.=+-]+)*;base64,", re.IGNORECASE)
_MAX_PREFIX_BYTES: Final = 256  # where repetitions may match, a search of all of it would take many times its memory
_WHITE_SPACE = b" \t\r\n\v\f"

Source = str | Path | bytes | BgrImage
"""A picture or a document: a file's path, a file's bytes, or (H, W, 3) uint8 BGR."""


class InputLimits(NamedTuple):
    """Limits of one request.

    Attributes:
        max_images: Maximum number of pictures.
        max_pixels: Maximum pixels per picture.
        max_request_pixels: Maximum pixels of all pictures together.
    """

    max_images: int
    max_pixels: int
    max_request_pixels: int


class PictureFiles(NamedTuple):
    """The pictures of a request, not decoded yet.

    Attributes:
        files: The bytes of each file.
        pixels: Total pixels declared in their headers.
    """

    files: list[bytes]
    pixels: int


def check_files(images: Sequence[bytes | memoryview], limits: InputLimits) -> PictureFiles:
    """Decode the base64 of picture files and check what their headers declare.

    Args:
        images: Base64 of one picture file each.
        limits: Limits of the request.

    Returns:
        One file per item, each with the header of a supported format and an allowed size.

    Raises:
        InvalidRequest: An item is not the base64 of a picture; the message names which.
        LimitExceeded: There are too many pictures, or too many pixels in one or all of them.
    """
    if len(images) > limits.max_images:
        raise LimitExceeded(f"images: {len(images)} pictures; the limit is {limits.max_images} per request")
    files = []
    pixels = 0
    for index, text in enumerate(images):
        with naming_item(f"images[{index}]:"):
            files.append(decode_base64(text))
            width, height = picture_size(files[-1], limits.max_pixels)
            pixels += width * height
            if pixels > limits.max_request_pixels:
                raise LimitExceeded(
                    f"brings the request to {pixels} pixels; the limit is {limits.max_request_pixels}, send fewer"
                )
    return PictureFiles(files, pixels)


def decode_base64(text: str | bytes | memoryview) -> bytes:
    """Decode one picture's standard base64.

    Args:
        text: Base64 with optional white space and an optional `data:image/...;base64,` prefix. A `memoryview` is not
            copied unless it has white space.

    Raises:
        ImageDecodeError: `text` is empty or not valid base64.
    """
    return _decode_base64(text, _PICTURE_URL, "a picture file")


def decode_base64_file(text: str | bytes | memoryview) -> bytes:
    """Decode the standard base64 of a file of any kind.

    Args:
        text: As for `decode_base64`; the prefix may be that of any `data:` URL in base64.

    Raises:
        ImageDecodeError: `text` is empty or not valid base64.
    """
    return _decode_base64(text, _DATA_URL, "a file")


def _decode_base64(text: str | bytes | memoryview, prefixes: re.Pattern[bytes], what: str) -> bytes:
    try:
        encoded = text.encode("ascii") if isinstance(text, str) else text
        if prefix := prefixes.match(encoded[:_MAX_PREFIX_BYTES]):
            encoded = memoryview(encoded)[prefix.end() :]
        data = _decode_strictly(encoded)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ImageDecodeError(
            f"is not valid base64 ({' '.join(str(error).split())}); send the base64 of {what}"
        ) from error
    if not data:
        raise ImageDecodeError(f"is empty; send the base64 of {what}")
    return data


def _decode_strictly(encoded: bytes | memoryview) -> bytes:
    try:
        return binascii.a2b_base64(encoded, strict_mode=True)
    except binascii.Error:
        return binascii.a2b_base64(bytes(encoded).translate(None, _WHITE_SPACE), strict_mode=True)


def decode_pictures(files: Iterable[bytes], max_pixels: int, watch: Stopwatch) -> Iterator[BgrImage]:
    """Decode the picture files of a request, each on demand.

    Args:
        files: The bytes of each file.
        max_pixels: Maximum pixels per picture.
        watch: Receives the stage `decode`.

    Yields:
        (H, W, 3) uint8 BGR.

    Raises:
        ImageDecodeError: A picture is damaged; the message names which.
    """
    for index, data in enumerate(files):
        yield _decode_item(index, data, max_pixels, watch)  # kept in no variable here, so that its user can let it go


def _decode_item(index: int, data: bytes, max_pixels: int, watch: Stopwatch) -> BgrImage:
    with naming_item(f"images[{index}]:"), watch("decode"):
        return decode_picture(data, max_pixels)


def read_source(source: Source, max_pixels: int) -> BgrImage:
    """Return the pixels of one picture.

    Args:
        source: A file's path, a file's bytes, or (H, W, 3) uint8 BGR.
        max_pixels: Maximum pixels of the picture.

    Raises:
        InvalidRequest: The file cannot be read, or the array is not a picture.
        ImageDecodeError: The file is not a picture, or is damaged.
        LimitExceeded: The picture has more pixels than allowed.
    """
    if isinstance(source, np.ndarray):
        (image,) = check_arrays([source])
        return image
    return decode_picture(source if isinstance(source, bytes) else read_file(source), max_pixels)


def check_arrays(images: Iterable[object]) -> Iterator[BgrImage]:
    """Check that arrays are pictures, each on demand.

    Args:
        images: Expected to be (H, W, 3) uint8 BGR each.

    Yields:
        The same pictures, contiguous.

    Raises:
        InvalidRequest: An item is not a picture; the message says what it is.
    """
    for index, image in enumerate(images):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            form = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise InvalidRequest(f"images[{index}]: is {form}; give a uint8 array of shape (H, W, 3), BGR")
        if not image.size:
            raise InvalidRequest(f"images[{index}]: has the shape {image.shape}; give at least 1x1 pixel")
        yield np.ascontiguousarray(image)
