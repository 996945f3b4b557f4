"""Open a file and look at its pages one by one: a picture, a TIFF or GIF with several, or a PDF."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Final, Literal, NamedTuple, Protocol, Self

import numpy as np

from ppocr_serving.errors import ImageDecodeError, LimitExceeded
from ppocr_serving.reading.files import naming_item
from ppocr_serving.reading.inputs import check_arrays
from ppocr_serving.results import Line
from ppocr_serving.settings import Settings
from ppocr_serving.vision.foreign_files import foreign_kind
from ppocr_serving.vision.gif_frames import GifCanvas, GifFrame, gif_frames
from ppocr_serving.vision.pdf import PdfFile, PdfSize, is_pdf
from ppocr_serving.vision.pdf_lines import find_lines
from ppocr_serving.vision.pictures import FORMATS, BgrImage, UnknownFormat, decode_picture, picture_size
from ppocr_serving.vision.tiff_pages import file_of_page, page_offsets

__all__ = [
    "Check",
    "DocumentKind",
    "DocumentLimits",
    "OpenDocument",
    "PageImage",
    "PageSize",
    "PicturePages",
    "open_document",
]

DocumentKind = Literal["picture", "tiff", "gif", "pdf"]
"""`picture` is any file of one page but a PDF."""

Check = Callable[[], None]
"""Called while something takes long; raises to end it."""

_POINTS: Final = 72  # per inch
_LOWEST_DPI = 72
# What an animation shows is kept from one page to the next, while the request may wait for others, if it is not larger:
# 16 MB. Of larger ones all frames up to a page are drawn again.
_KEPT_CANVAS_PIXELS = 4_000_000


class DocumentLimits(NamedTuple):
    """Limits of one file.

    Attributes:
        max_pages: Maximum number of pages that are read.
        max_pixels: Maximum pixels per page.
        max_total_pixels: Maximum pixels of all pages that are read.
        pixels_before: Pixels of other files of the same call, which count towards the maximum.
    """

    max_pages: int
    max_pixels: int
    max_total_pixels: int
    pixels_before: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        return cls(settings.reading.max_pages, settings.reading.max_pixels, settings.server.max_request_pixels)


class PageSize(NamedTuple):
    """Size of a page.

    Attributes:
        width: In pixels; of pictures, before EXIF orientation.
        height: Likewise.
        dpi: Pixels per inch, for a page of a PDF; else None.
    """

    width: int
    height: int
    dpi: float | None


class PageImage(NamedTuple):
    """A page as a picture.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        dpi: Pixels per inch, for a page of a PDF; else None.
    """

    image: BgrImage
    dpi: float | None


class OpenDocument:
    """An open file; close it after use. Not to be shared between threads.

    Numbers of pages count from 1. Methods that look at a page raise ImageDecodeError if it is damaged, LimitExceeded if
    it is too large or takes too much, and MemoryError if this machine has too little memory at the moment. A dpi is
    that of pages of a PDF; where it makes a page too large, the largest one from 72 on that does not is used.

    Args:
        kind: What it is.
        limits: Of the file.
        pages: Its pages, as pictures or of a PDF.
        check: Called while something takes long.

    Attributes:
        kind: As given.
        limits: As given.
        page_count: How many pages it has.
    """

    def __init__(
        self, kind: DocumentKind, limits: DocumentLimits, pages: "PicturePages | PdfFile", check: Check | None = None
    ) -> None:
        self.kind = kind
        self.limits = limits
        self.page_count = pages.page_count
        self._pages = pages
        self._check = check
        self._pdf_sizes: dict[int, PdfSize] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; may be called more than once."""
        if isinstance(self._pages, PdfFile):
            self._pages.close()

    def page_size(self, number: int, dpi: int) -> PageSize:
        """Return the size of a page.

        Args:
            number: Which page.
            dpi: Pixels per inch.
        """
        self._require(number)
        if not isinstance(self._pages, PdfFile):
            return PageSize(*self._pages.size(number), None)
        if number not in self._pdf_sizes:
            (self._pdf_sizes[number],) = self._pages.sizes(number, 1)
        return _pixel_size(self._pdf_sizes[number], dpi, self.limits.max_pixels)

    def render(self, number: int, dpi: int) -> PageImage:
        """Return a page as a picture.

        Args:
            number: Which page.
            dpi: Pixels per inch.
        """
        self._require(number)
        if not isinstance(self._pages, PdfFile):
            return PageImage(self._pages.picture(number), None)
        size = self.page_size(number, dpi)
        return PageImage(self._pages.render(number, size.width, size.height), size.dpi)

    def text_lines(self, number: int, dpi: int) -> tuple[Line, ...] | None:
        """Return the text that a page of a PDF holds itself, in its own order, with words.

        Args:
            number: Which page.
            dpi: Pixels per inch.

        Returns:
            Lines with confidence 1 and boxes in pixels of the page; None if the page has no usable text.
        """
        self._require(number)
        if not isinstance(self._pages, PdfFile):
            return None
        size = self.page_size(number, dpi)
        scale = (size.dpi or dpi) / _POINTS
        return find_lines(self._pages.characters(number), (size.width, size.height), scale)

    def prepare(self, numbers: Sequence[int], dpi: int) -> None:
        """Check what pages are together, before any is rendered.

        Args:
            numbers: The pages, ascending.
            dpi: Pixels per inch.

        Raises:
            LimitExceeded: They have more pixels than allowed.
        """
        if self.kind == "picture":
            return  # decoding looks at the size
        if isinstance(self._pages, PdfFile):
            for first, count in _runs(number for number in numbers if number not in self._pdf_sizes):
                self._pdf_sizes.update(enumerate(self._pages.sizes(first, count), first))
        total = self.limits.pixels_before
        if total + len(numbers) * self.limits.max_pixels <= self.limits.max_total_pixels:
            return  # whatever their sizes; to look at that of a page of a TIFF takes a copy of the file
        for number in numbers:
            if self._check is not None and number not in self._pdf_sizes:
                self._check()
            try:
                size = self.page_size(number, dpi)
            except (ImageDecodeError, LimitExceeded):
                continue  # an error of this page
            total += size.width * size.height
            if total > self.limits.max_total_pixels:
                at, way = ("", "") if size.dpi is None else (f" at {dpi} dpi", ", or a lower dpi")
                has = "brings the call to" if self.limits.pixels_before else "has"
                raise LimitExceeded(
                    f"{has} more than {self.limits.max_total_pixels} pixels on the chosen pages{at}, which is the "
                    f"limit per call; choose fewer pages{way}"
                )

    def _require(self, number: int) -> None:
        if not 1 <= number <= self.page_count:
            raise IndexError(f"there is no page {number}; there are {self.page_count}")


class PicturePages(Protocol):
    """Pages that are pictures.

    Attributes:
        page_count: How many.
    """

    page_count: int

    def size(self, number: int) -> tuple[int, int]:
        """Return width and height in pixels, before EXIF orientation."""
        ...

    def picture(self, number: int) -> BgrImage:
        """Return one as (H, W, 3) uint8, BGR."""
        ...


def open_document(
    data: bytes | BgrImage, limits: DocumentLimits, *, password: str = "", name: str = "", check: Check | None = None
) -> OpenDocument:
    """Open the bytes of a file.

    Args:
        data: A JPEG, PNG, BMP, WebP, TIFF, GIF or PDF file; or (H, W, 3) uint8 BGR, a picture that is decoded.
        limits: Limits of the file.
        password: Opens a PDF; may be empty.
        name: What errors begin with; may be empty.
        check: Called while something takes long, now and later.

    Returns:
        The file. Its pictures are not decoded yet.

    Raises:
        InvalidRequest: The password is missing or wrong.
        ImageDecodeError: It is a damaged PDF. Of a picture, its first use shows whether it is one.
        LimitExceeded: A GIF has more pixels than allowed.
        MemoryError: This machine has too little memory at the moment.
    """
    with naming_item(f"{name}:") if name else nullcontext():
        if isinstance(data, np.ndarray):
            return OpenDocument("picture", limits, _Array(data))
        if len(offsets := page_offsets(data)) > 1:
            return OpenDocument("tiff", limits, _Tiff(data, limits.max_pixels, offsets), check)
        if len(frames := gif_frames(data)) > 1:
            return OpenDocument("gif", limits, _Gif(data, limits.max_pixels, frames, check), check)
        if not is_pdf(data):
            return OpenDocument("picture", limits, _File(data, limits.max_pixels))
        pdf = PdfFile(data, password, check)
        if pdf.page_count:
            return OpenDocument("pdf", limits, pdf, check)
        pdf.close()
        raise ImageDecodeError("is a PDF without pages, or a damaged one; send the whole file")


class _Array:
    page_count = 1

    def __init__(self, image: BgrImage) -> None:
        (self._image,) = check_arrays([image])

    def size(self, _: int) -> tuple[int, int]:
        return self._image.shape[1], self._image.shape[0]

    def picture(self, _: int) -> BgrImage:
        return self._image


class _File:
    page_count = 1

    def __init__(self, data: bytes, max_pixels: int) -> None:
        self._data = data
        self._max_pixels = max_pixels

    def size(self, _: int) -> tuple[int, int]:
        with _offering_pdf(self._data):
            return picture_size(self._data, self._max_pixels)

    def picture(self, _: int) -> BgrImage:
        with _offering_pdf(self._data):
            return decode_picture(self._data, self._max_pixels)


@contextmanager
def _offering_pdf(data: bytes) -> Iterator[None]:
    """Have the error for an unknown file name all formats that can be opened here."""
    try:
        yield
    except UnknownFormat as error:
        if not data:
            raise ImageDecodeError("is empty; send the whole file") from error
        if kind := foreign_kind(data):
            raise ImageDecodeError(f"is {kind}, which is not read here; convert it to PDF, PNG or JPEG") from error
        raise ImageDecodeError(
            f"is not a picture or document in a supported format; send one of {', '.join(FORMATS)}, PDF"
        ) from error


class _Tiff:
    def __init__(self, data: bytes, max_pixels: int, offsets: Sequence[int]) -> None:
        self.page_count = len(offsets)
        self._data = data
        self._max_pixels = max_pixels
        self._offsets = offsets

    def size(self, number: int) -> tuple[int, int]:
        return picture_size(self._file(number), self._max_pixels)

    def picture(self, number: int) -> BgrImage:
        return decode_picture(self._file(number), self._max_pixels)

    def _file(self, number: int) -> bytes:
        return file_of_page(self._data, self._offsets[number - 1])


class _Gif:
    def __init__(self, data: bytes, max_pixels: int, frames: list[GifFrame], check: Check | None) -> None:
        self.page_count = len(frames)
        self._data = data
        self._max_pixels = max_pixels
        self._size = picture_size(data, max_pixels)
        self._frames = frames
        self._check = check
        self._canvas: GifCanvas | None = None

    def size(self, _: int) -> tuple[int, int]:
        return self._size

    def picture(self, number: int) -> BgrImage:
        if number == 1:  # as where only one is read
            return decode_picture(self._data, self._max_pixels)
        canvas = self._canvas
        if canvas is None:
            canvas = GifCanvas(self._data, self._frames, self._size, self._max_pixels, self._check)
        picture = canvas.picture(number - 1)
        if self._size[0] * self._size[1] <= _KEPT_CANVAS_PIXELS:
            self._canvas = canvas
        return picture


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first number and the length of each run of ascending numbers."""
    first, count = 0, 0
    for number in numbers:
        if count and number == first + count:
            count += 1
            continue
        if count:
            yield first, count
        first, count = number, 1
    if count:
        yield first, count


def _pixel_size(size: PdfSize, dpi: int, max_pixels: int) -> PageSize:
    if not size.width:
        raise ImageDecodeError("is damaged; repair the PDF, or leave the page out with pages")
    used = float(dpi)
    width, height = _pixels(size, used)
    if width * height > max_pixels:
        used = float(int((max_pixels / (size.width * size.height)) ** 0.5 * _POINTS))
        width, height = _pixels(size, used)
        while width * height > max_pixels and used > 1:  # rounding
            used -= 1
            width, height = _pixels(size, used)
        if used < _LOWEST_DPI:
            width, height = _pixels(size, _LOWEST_DPI)
            raise LimitExceeded(
                f"has {width}x{height} = {width * height} pixels at {_LOWEST_DPI} dpi; the limit is {max_pixels}, "
                f"leave the page out with pages"
            )
    return PageSize(width, height, used)


def _pixels(size: PdfSize, dpi: float) -> tuple[int, int]:
    return max(1, round(size.width * dpi / _POINTS)), max(1, round(size.height * dpi / _POINTS))
