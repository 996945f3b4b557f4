"""Read the pages of an open file one after the other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ppocr_serving.errors import InvalidRequest, LimitExceeded, OcrError, PageDeadlineExceeded
from ppocr_serving.reading.documents import OpenDocument
from ppocr_serving.reading.files import naming_item
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.page_numbers import chosen_pages
from ppocr_serving.reading.regions import clipped, lines_within
from ppocr_serving.results import Line, Page
from ppocr_serving.settings import ReadingSettings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.geometry import reading_order
from ppocr_serving.vision.layout import find_layout
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.pipeline import require_lines

__all__ = ["PageReader", "render_pages"]

_EMPTY = np.zeros((0, 0, 3), dtype=np.uint8)


class PageReader:
    """Read the chosen pages of an open file.

    Args:
        read: Reads the one picture of an iterable, and lets go of it as soon as its lines are cut out.
        settings: What the options leave open.
        options: Of the call.
        watch: Receives the time of every stage; its end ends the reading.
        look: Called with the picture of each page before it is read, or its own text taken.
    """

    def __init__(
        self,
        read: Callable[[Iterable[BgrImage]], Page],
        settings: ReadingSettings,
        options: ReadOptions,
        watch: Stopwatch,
        look: Callable[[BgrImage], None] | None = None,
    ) -> None:
        self._read = read
        self._look = look
        self._options = options
        self._watch = watch
        self._dpi = options.dpi or settings.pdf_dpi
        self._has_words = settings.words if options.words is None else options.words
        self._max_lines = settings.max_lines
        self._in_rows = (options.reading_order or settings.reading_order) == "rows"

    def __call__(self, document: OpenDocument) -> Iterator[Page]:
        """Yield the pages in order, each read when it is asked for.

        A page that cannot be read, or takes longer than a page may, has an error and no lines; that of a file with one
        picture is raised.
        """
        for number in _prepared(document, self._options, self._dpi, self._watch):
            if document.kind == "picture":
                yield self._page(document, number)
                continue
            try:
                with naming_item(f"page {number}:"):
                    page = self._page(document, number)
            except PageDeadlineExceeded as error:
                page = self._failed(document, number, PageDeadlineExceeded(f"page {number}: {error}"))
            except (InvalidRequest, LimitExceeded) as error:
                page = self._failed(document, number, error)
            yield page

    def _page(self, document: OpenDocument, number: int) -> Page:
        if self._options.pdf_text == "prefer":
            with self._watch("decode"):
                lines = document.text_lines(number, self._dpi)
            if lines is not None:
                if self._look is not None:
                    self._render(document, number)
                require_lines(len(lines), self._max_lines)
                width, height, dpi = document.page_size(number, self._dpi)
                return Page(width, height, self._arranged(lines, width, height), 0, number, dpi, "pdf")
        page = self._read(self._picture(document, number))
        dpi = document.page_size(number, self._dpi).dpi if document.kind == "pdf" else None
        return replace(page, number=number, dpi=dpi)

    def _picture(self, document: OpenDocument, number: int) -> Iterator[BgrImage]:
        yield self._render(document, number)  # kept in no variable: reading may wait for others

    def _render(self, document: OpenDocument, number: int) -> BgrImage:
        with self._watch("decode"):
            image = document.render(number, self._dpi).image
            if self._look is not None:
                self._look(image)
        return image

    def _arranged(self, lines: Sequence[Line], width: int, height: int) -> tuple[Line, ...]:
        """Return lines of a page's own text in the order and with the words that were asked for."""
        with self._watch("layout"):
            regions = [clipped(region, width, height) for region in self._options.regions]
            arranged: list[Line] = []
            first = 0
            for part in [lines_within(lines, region) for region in regions] if regions else [list(lines)]:
                ordered = self._ordered(part)
                arranged += (replace(line, paragraph=first + line.paragraph) for line in ordered)
                first += max((line.paragraph + 1 for line in ordered), default=0)
        return tuple(arranged)

    def _ordered(self, lines: Sequence[Line]) -> list[Line]:
        if not lines:
            return []
        boxes = np.array([line.box for line in lines], dtype=np.float32)
        layout = find_layout(boxes)
        order = reading_order(boxes) if self._in_rows else layout.order
        return [
            replace(
                lines[index],
                paragraph=int(layout.paragraphs[index]),
                words=lines[index].words if self._has_words else (),
            )
            for index in order.tolist()
        ]

    def _failed(self, document: OpenDocument, number: int, error: OcrError) -> Page:
        try:
            width, height, dpi = document.page_size(number, self._dpi)
        except (InvalidRequest, LimitExceeded):
            width, height, dpi = 0, 0, None
        return Page(width, height, number=number, dpi=dpi, error=error)


def render_pages(document: OpenDocument, options: ReadOptions, dpi: int, watch: Stopwatch) -> Iterator[BgrImage]:
    """Yield the chosen pages of an open file as pictures, each rendered when it is asked for.

    Args:
        document: The file.
        options: `pages` is used.
        dpi: Pixels per inch, for a PDF.
        watch: Receives the time of every stage.

    Yields:
        (H, W, 3) uint8, BGR; (0, 0, 3) for a page that cannot be rendered.
    """
    for number in _prepared(document, options, dpi, watch):
        try:
            with watch("decode"):
                image = document.render(number, dpi).image
        except (InvalidRequest, LimitExceeded, PageDeadlineExceeded):
            if document.kind == "picture":
                raise
            image = _EMPTY
        yield image
        del image


def _prepared(document: OpenDocument, options: ReadOptions, dpi: int, watch: Stopwatch) -> list[int]:
    numbers = chosen_pages(options.pages, document.page_count, document.limits.max_pages)
    if document.kind != "picture":
        with watch("decode"):
            document.prepare(numbers, dpi)
    return numbers
