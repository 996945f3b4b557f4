"""Several files of one call, of which one is open at a time."""

from collections.abc import Callable
from typing import Self

from ppocr_serving.errors import LimitExceeded
from ppocr_serving.reading.documents import DocumentLimits, OpenDocument, open_document
from ppocr_serving.vision.pdf import is_pdf

__all__ = ["Shelf"]


class Shelf:
    """The one file of a call that is open: each of several PDF files would take a process.

    Args:
        limits: Limits of a file and of the call's pixels.
        password: Opens a PDF; may be empty.
        check: Called while something takes long; raises to end it.

    Attributes:
        pixels: Pixels of all pages so far.
    """

    def __init__(self, limits: DocumentLimits, password: str, check: Callable[[], None]) -> None:
        self.pixels = 0
        self._limits = limits
        self._password = password
        self._check = check
        self._open: tuple[bytes, OpenDocument] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file that is open, if there is one."""
        if self._open is not None:
            self._open[1].close()
        self._open = None

    def open(self, file: bytes) -> OpenDocument:
        """Return an open file, which is closed when the next one is opened; raises as `open_document`."""
        if self._open is None or self._open[0] is not file:
            self.close()
            limits = self._limits._replace(pixels_before=self.pixels)
            self._open = (file, open_document(file, limits, password=self._password, check=self._check))
        return self._open[1]

    def check_picture(self, file: bytes, dpi: int) -> None:
        """Count the pixels of a file that is one picture; those of other files are counted when they are read.

        Args:
            file: The file.
            dpi: Any.

        Raises:
            ImageDecodeError: It is not a picture.
            LimitExceeded: It has too many pixels, or the call has with it.
        """
        if is_pdf(file):
            return
        document = self.open(file)
        if document.kind == "picture":
            size = document.page_size(1, dpi)
            self.count(size.width * size.height)

    def count(self, pixels: int) -> None:
        """Count pixels.

        Raises:
            LimitExceeded: The call has too many.
        """
        self.pixels += pixels
        if self.pixels > self._limits.max_total_pixels:
            raise LimitExceeded(
                f"brings the request to {self.pixels} pixels; the limit is {self._limits.max_total_pixels}, send fewer"
            )
