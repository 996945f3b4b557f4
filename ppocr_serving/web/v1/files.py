"""The files of a request: checked, opened one at a time, and read page by page."""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec.structs import replace

from ppocr_serving.errors import InvalidRequest, LimitExceeded, PageDeadlineExceeded
from ppocr_serving.outputs.items import FileKind
from ppocr_serving.reading.documents import DocumentLimits, OpenDocument, open_document
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.page_numbers import chosen_pages
from ppocr_serving.reading.reader import Reader
from ppocr_serving.results import Document, Page
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pdf import is_pdf
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.web.v1.parcels import Sent

__all__ = ["File", "Shelf"]

_JPEG: Final = b"\xff\xd8\xff"


class Shelf:
    """The one file of a request that is open: each of several PDF files would take a process.

    Args:
        limits: Limits of a file and of the request's pixels.
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
        self._open: tuple[Sent, OpenDocument] | None = None

    def __enter__(self) -> "Shelf":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file that is open, if there is one."""
        if self._open is not None:
            self._open[1].close()
        self._open = None

    def open(self, sent: Sent) -> OpenDocument:
        """Return an open file, which is closed when the next one is opened; raises as `open_document`."""
        if self._open is None or self._open[0] is not sent:
            self.close()
            limits = self._limits._replace(pixels_before=self.pixels)
            self._open = (sent, open_document(sent.data, limits, password=self._password, check=self._check))
        return self._open[1]

    def check_picture(self, sent: Sent, dpi: int) -> None:
        """Count the pixels of a file that is one picture; those of other files are counted when they are read.

        Args:
            sent: The file.
            dpi: Any.

        Raises:
            ImageDecodeError: It is not a picture.
            LimitExceeded: It has too many pixels, or the request has with it.
        """
        if is_pdf(sent.data):
            return
        document = self.open(sent)
        if document.kind == "picture":
            size = document.page_size(1, dpi)
            self.count(size.width * size.height)

    def count(self, pixels: int) -> None:
        """Count pixels.

        Raises:
            LimitExceeded: The request has too many.
        """
        self.pixels += pixels
        if self.pixels > self._limits.max_total_pixels:
            raise LimitExceeded(
                f"brings the request to {self.pixels} pixels; the limit is {self._limits.max_total_pixels}, send fewer"
            )


class File:
    """One file of a request, whose pages can be read and looked at; see `ppocr_serving.outputs.items.PageSource`.

    Args:
        sent: The file.
        shelf: Where it is opened.
        dpi: Pixels per inch at which pages of a PDF are rendered if nothing else is known of them.
    """

    def __init__(self, sent: Sent, shelf: Shelf, dpi: int) -> None:
        self.file = sent.data
        self._sent = sent
        self._shelf = shelf
        self._dpi = dpi
        self._pages: dict[int, Page] = {}

    @property
    def kind(self) -> FileKind:
        """What the file is."""
        return self._shelf.open(self._sent).kind

    def numbers(self, options: ReadOptions) -> list[int]:
        """Return the numbers of the chosen pages; raises as `chosen_pages`."""
        document = self._shelf.open(self._sent)
        return chosen_pages(options.pages, document.page_count, document.limits.max_pages)

    def read(
        self, reader: Reader, options: ReadOptions, watch: Stopwatch, next_page: Callable[[], None]
    ) -> Iterator[Page]:
        """Read the chosen pages, each when it is asked for.

        Args:
            reader: What reads.
            options: Which pages, and how.
            watch: Receives the time of every stage.
            next_page: Called before each page; gives it a deadline of its own.

        Yields:
            The pages; those that cannot be read have an error, but for that of a file with one picture, which is
            raised.
        """
        document = self._shelf.open(self._sent)
        numbers = self.numbers(options)
        if document.kind != "picture":
            with watch("decode"):
                document.prepare(numbers, self._dpi)
        for number in numbers:
            next_page()
            page = self._read_page(number, document, reader, options, watch)
            if document.kind != "picture":
                self._shelf.count(page.width * page.height)
            # Only what is needed to look at it again.
            self._pages[number] = Page(page.width, page.height, number=number, dpi=page.dpi)
            yield page

    def _read_page(
        self, number: int, document: OpenDocument, reader: Reader, options: ReadOptions, watch: Stopwatch
    ) -> Page:
        try:
            (page,) = reader.read_open(document, replace(options, pages=str(number)), watch=watch)
        except PageDeadlineExceeded as error:
            if document.kind == "picture":
                raise
            return Page(0, 0, number=number, error=error)
        return page

    def belongs_to(self, document: Document) -> None:
        """Take a document for what was read of this file."""
        self._pages = {
            page.number: Page(page.width, page.height, number=page.number, dpi=page.dpi) for page in document.pages
        }

    def image(self, number: int) -> BgrImage:
        """Return the picture of a page as it was read.

        Args:
            number: The page's number, from 1.

        Raises:
            InvalidRequest: The file has no such page, or it has another size.
            ImageDecodeError: The page is damaged.
            LimitExceeded: The page has too many pixels.
        """
        document = self._shelf.open(self._sent)
        if number > document.page_count:
            raise InvalidRequest(f"the file has no page {number}, and the document has one; send the document's file")
        page = self._pages[number]
        image = document.render(number, self._dpi if page.dpi is None else round(page.dpi)).image
        if image.shape[:2] != (page.height, page.width):
            raise InvalidRequest(
                f"page {number} has {image.shape[1]}x{image.shape[0]} pixels, and {page.width}x{page.height} in the "
                "document; send the file that it was read from"
            )
        return image

    def original_jpeg(self, number: int) -> bytes | None:
        """Return the JPEG file that shows a page as it was read, EXIF orientation being ignored; None if none does."""
        return self.file if number == 1 and self.kind == "picture" and self.file.startswith(_JPEG) else None
