"""The files of a request, read page by page."""

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from ppocr_serving.errors import PageDeadlineExceeded
from ppocr_serving.outputs.sources import OpenedSource
from ppocr_serving.reading.documents import OpenDocument
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.page_numbers import chosen_pages
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.shelf import Shelf
from ppocr_serving.results import Page
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pixels import BgrImage

__all__ = ["File"]


class File(OpenedSource):
    """One file of a request, whose pages can be read and looked at.

    Args:
        file: The bytes of the file.
        shelf: Where it is opened.
        dpi: Pixels per inch at which pages of a PDF are rendered if nothing else is known of them.
    """

    def __init__(self, file: bytes, shelf: Shelf, dpi: int) -> None:
        super().__init__(file, lambda: shelf.open(file), dpi)
        self._shelf = shelf

    def numbers(self, options: ReadOptions) -> list[int]:
        """Return the numbers of the chosen pages; raises as `chosen_pages`."""
        document = self._opened()
        return chosen_pages(options.pages, document.page_count, document.limits.max_pages)

    def read(
        self,
        reader: Reader,
        options: ReadOptions,
        watch: Stopwatch,
        next_page: Callable[[], None],
        look: Callable[[BgrImage], None] | None = None,
    ) -> Iterator[Page]:
        """Read the chosen pages, each when it is asked for.

        Args:
            reader: What reads.
            options: Which pages, and how.
            watch: Receives the time of every stage.
            next_page: Called before each page; gives it a deadline of its own.
            look: Called with the picture of each page before it is read, or its text taken.

        Yields:
            The pages; those that cannot be read have an error, but for that of a file with one picture, which is
            raised.
        """
        document = self._opened()
        numbers = self.numbers(options)
        if document.kind != "picture":
            with watch("decode"):
                document.prepare(numbers, self._dpi)
        for number in numbers:
            next_page()
            page = self._read_page(number, document, reader, replace(options, pages=str(number)), watch, look)
            if document.kind != "picture":
                self._shelf.count(page.width * page.height)
            self._remember(page)
            yield page

    def _read_page(
        self,
        number: int,
        document: OpenDocument,
        reader: Reader,
        options: ReadOptions,
        watch: Stopwatch,
        look: Callable[[BgrImage], None] | None,
    ) -> Page:
        try:
            (page,) = reader.read_open(document, options, watch=watch, look=look)
        except PageDeadlineExceeded as error:
            if document.kind == "picture":
                raise
            return Page(0, 0, number=number, error=error)
        return page
