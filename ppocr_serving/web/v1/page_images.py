"""Pages as they were read, as JPEG files in an answer."""

import math
from typing import Final

import cv2

from ppocr_serving.errors import EngineError, LimitExceeded
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import BgrImage

__all__ = ["MAX_GATHERED_BYTES", "MEDIA_TYPE", "PageImages"]

MEDIA_TYPE: Final = "image/jpeg"

MAX_GATHERED_BYTES: Final = 2**25
"""Of all pages of an answer that is kept in memory until it is complete, together."""

_QUALITY: Final = 90
_MAX_SIDE: Final = 65_500  # of a JPEG file, by libjpeg


class PageImages:
    """Turn the pages of an answer into JPEG files, one after the other.

    Args:
        watch: Receives the time that it takes.
        max_bytes: Of all files together.
    """

    def __init__(self, watch: Stopwatch, max_bytes: float = math.inf) -> None:
        self._watch = watch
        self._max_bytes = self._room = max_bytes
        self._last: bytes | None = None

    def encode(self, image: BgrImage) -> bytes:
        """Return a page as a file.

        Args:
            image: (H, W, 3) uint8, BGR.

        Raises:
            LimitExceeded: It is too large, or they are together.
        """
        height, width = image.shape[:2]
        if max(height, width) > _MAX_SIDE:
            raise LimitExceeded(
                f"page_images: {width}x{height} pixels; JPEG has at most {_MAX_SIDE} on a side, leave it out"
            )
        with self._watch("encode"):
            is_written, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not is_written:
            raise EngineError(f"page_images: a page of {width}x{height} pixels cannot be written as JPEG")
        self._room -= data.nbytes
        if self._room < 0:
            raise LimitExceeded(
                f"page_images: the pages have more than {self._max_bytes} bytes as JPEG; "
                "ask for fewer pages, or leave it out"
            )
        encoded: bytes = data.tobytes()
        return encoded

    def keep(self, image: BgrImage) -> None:
        """Encode the page that is about to be read; see `take`."""
        self._last = self.encode(image)

    def take(self) -> bytes | None:
        """Return the page that was kept last, and let go of it; None if there is none."""
        last, self._last = self._last, None
        return last
