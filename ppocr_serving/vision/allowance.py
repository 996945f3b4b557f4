"""What the decoding of a picture may cost: damaged and hostile files take far more than their pixels need."""

import io
import statistics
import time
from functools import cache

import numpy as np
from PIL import Image

from ppocr_serving.errors import ImageDecodeError

__all__ = ["MeteredFile", "allowed_bytes", "allowed_seconds", "slowness", "too_costly"]

# On the machine of docs/engineering.md, the slowest legitimate files of 50 megapixels take 0.65 (PNG) to 1.05 s (LZMA).
_BASE_SECONDS = 0.7
_SECONDS_PER_PIXEL = 13e-9
_BASE_BYTES = 48 * 2**20
_TIMES_DECODED = 4

_SAMPLE_SIDE = 512
_SAMPLE_SECONDS = 0.002  # what decoding the sample takes on that machine
_SAMPLES = 3


def allowed_seconds(pixels: int) -> float:
    """Return the CPU time in which a picture has to be decoded on a processor with a `slowness` of 1.

    Args:
        pixels: How many it declares.
    """
    return _BASE_SECONDS + _SECONDS_PER_PIXEL * pixels


def allowed_bytes(decoded: int) -> int:
    """Return the memory in which a picture has to be decoded, its pixels included.

    Args:
        decoded: Bytes of its pixels.
    """
    return _BASE_BYTES + _TIMES_DECODED * decoded


@cache
def slowness() -> float:
    """Measure how many times as long as the machine of reference this one takes to decode; at least 1."""
    rows = np.arange(_SAMPLE_SIDE * _SAMPLE_SIDE * 3, dtype=np.uint32).reshape(_SAMPLE_SIDE, -1)
    buffer = io.BytesIO()
    pixels = (rows * rows >> 7).astype(np.uint8).reshape(_SAMPLE_SIDE, _SAMPLE_SIDE, 3)
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    times = []
    for _ in range(_SAMPLES):
        start = time.thread_time()
        with Image.open(buffer, formats=("PNG",)) as picture:
            picture.load()
        times.append(time.thread_time() - start)
        buffer.seek(0)
    return max(1.0, statistics.median(times) / _SAMPLE_SECONDS)


def too_costly(what: str, pixels: int) -> ImageDecodeError:
    """Return the error for a picture that is not decoded within its allowance.

    Args:
        what: What it takes too much of: "time" or "memory".
        pixels: How many it declares.
    """
    return ImageDecodeError(
        f"takes far more {what} than its {pixels} pixels should; save it again as a plain PNG or JPEG"
    )


class MeteredFile(io.BytesIO):
    """A file that a decoder can read until its time is over.

    Decoders that ask for one part after the other are stopped in this way; those that take the whole file are not.
    """

    _pixels = 0
    _start = 0.0
    _seconds = float("inf")

    def limit(self, pixels: int) -> None:
        """Start the time.

        Args:
            pixels: How many the picture declares.
        """
        self._pixels = pixels
        self._start = time.thread_time()
        self._seconds = allowed_seconds(pixels)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            ImageDecodeError: The time is over.
        """
        seconds = time.thread_time() - self._start
        if seconds > self._seconds and seconds > self._seconds * slowness():
            raise too_costly("time", self._pixels)
        return super().read(size)
