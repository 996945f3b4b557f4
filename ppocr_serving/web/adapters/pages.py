"""The pages of one file, read for a client of another service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from ppocr_serving.errors import LimitExceeded
from ppocr_serving.reading.documents import DocumentLimits, OpenDocument
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.shelf import Shelf
from ppocr_serving.results import Page
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.pipeline import require_lines
from ppocr_serving.web.call import Call
from ppocr_serving.web.v1.files import File

__all__ = ["FilePages", "open_pages", "reader_of", "require_picture"]

_ENTIRE_PAGES: Final = "ocr_system"


def reader_of(call: Call) -> Reader:
    """Return what reads entire pages.

    Raises:
        ModuleNotServed: The module was not started.
    """
    return call.reader(_ENTIRE_PAGES)


class FilePages:
    """An open file that is read page by page.

    Args:
        file: The file, also for those who show its pages.
        document: The same, open.
        call: What is answered; its record counts the pages.

    Attributes:
        file: As given.
        document: As given.
    """

    def __init__(self, file: File, document: OpenDocument, call: Call) -> None:
        self.file = file
        self.document = document
        self._call = call
        self._reader = reader_of(call)

    def read(self, options: ReadOptions, most: int = 0) -> Iterator[Page]:
        """Yield the pages; those of a file with several that cannot be read have an error.

        Args:
            options: How they are read.
            most: Read this many at most; 0 means as many as the settings allow.
        """
        if most and self.document.page_count > most:
            options = msgspec.structs.replace(options, pages=f"1-{most}")
        record = self._call.record
        for page in self.file.read(self._reader, options, self._call.watch, self._call.next_page):
            record.pages += page.error is None
            record.pixels += page.width * page.height
            record.lines += len(page.lines)
            if self.document.kind == "picture":  # the pages of a document have a limit each
                require_lines(record.lines, self._reader.settings.reading.max_lines)
            yield page

    def picture(self) -> BgrImage:
        """Return the picture of the only page, to read it in another way than as a page."""
        require_picture(self)
        with self._call.watch("decode"):
            image = self.document.render(1, self._reader.settings.reading.pdf_dpi).image
        self._call.record.pixels += image.shape[0] * image.shape[1]
        return image


@contextmanager
def open_pages(data: bytes, call: Call) -> Iterator[FilePages]:
    """Open a file for the enclosed block.

    Args:
        data: A picture, TIFF, GIF or PDF.
        call: What is answered.

    Raises:
        ImageDecodeError: It is none of them, or damaged.
        LimitExceeded: It is too large.
    """
    call.record.pictures = 1
    settings = reader_of(call).settings
    limits = DocumentLimits.of(settings)._replace(max_total_pixels=call.settings.max_request_pixels)
    with Shelf(limits, "", call.watch.check) as shelf:
        with call.watch("decode"):
            document = shelf.open(data)
        yield FilePages(File(data, shelf, settings.reading.pdf_dpi), document, call)


def require_picture(pages: FilePages) -> None:
    """Refuse files with several pages, for services whose answers have one.

    Raises:
        LimitExceeded: There are several pages.
    """
    count = pages.document.page_count
    if count > 1:
        raise LimitExceeded(f"the file has {count} pages, and this answer holds one; send them one by one")
