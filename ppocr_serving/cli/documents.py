"""Read files one after the other, and write what is in them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from ppocr_serving.errors import InvalidRequest, OcrError
from ppocr_serving.outputs import Format, Item, Origin, write
from ppocr_serving.outputs.formats import require_pages
from ppocr_serving.outputs.jsonl import end_record, error_record, page_record
from ppocr_serving.outputs.origins import origin_of
from ppocr_serving.outputs.sources import OpenedSource
from ppocr_serving.reading.documents import DocumentLimits
from ppocr_serving.reading.files import read_file
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.page_numbers import chosen_pages
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.shelf import Shelf
from ppocr_serving.results import Document, Page
from ppocr_serving.timing import Stopwatch

__all__ = ["DocumentWriter"]

_STANDARD: Final = "-"
_STANDARD_NAME: Final = "stdin"
# What errors say for Python and requests, and what it is here.
_WAYS_OUT: Final = (
    (" as password", " with --password-file, or as PPOCR_PASSWORD"),
    ("as pages=1 does", "as --pages 1 does"),
)
_END_OF_PAGE: Final = b"\f"


class DocumentWriter:
    """Read files, and write the documents in one format.

    Args:
        options: How they are read.
        form: The format.
        complain: Receives a line for each file and page that cannot be read.

    Attributes:
        form: As given.
        failures: How many there were.

    Raises:
        OcrError: The models or the settings are not usable.
    """

    def __init__(self, options: ReadOptions, form: Format, complain: Callable[[str], None]) -> None:
        self.form = form
        self.failures = 0
        self._options = options
        self._complain = complain
        self._reader = Reader()
        # One file at a time is open: each of several PDF files would take processes.
        self._shelf = Shelf(DocumentLimits.of(self._reader.settings), options.password or "", lambda: None)

    def fail(self, message: str) -> None:
        """Count a failure and tell of it."""
        self.failures += 1
        self._complain(message)

    def write(self, files: Sequence[str], put: Callable[[bytes], object]) -> bool:
        """Read files and write them together. One failure does not end it.

        Args:
            files: Paths; `-` is standard input.
            put: Receives the output, part by part.

        Returns:
            Whether there was anything to write.

        Raises:
            InvalidRequest: The format does not hold these documents.
        """
        if self.form.is_one_page and len(files) > 1:
            raise InvalidRequest(
                f"the format {self.form.name} shows one page, and there are {len(files)} files; "
                "give one of them, or a folder as --output"
            )
        with self._shelf:
            if self.form.name == "jsonl":
                return self._write_records(files, put)
            if self.form.name == "text":
                return self._write_texts(files, put)
            items = [self._item(file) for file in files]
            # The others have no place for what could not be read.
            kept = items if self.form.name == "json" else [item for item in items if _is_read(item.document)]
            if not any(_is_read(item.document) for item in kept):
                return False
            put(write(kept, self.form.name))
            return True

    def _write_records(self, files: Sequence[str], put: Callable[[bytes], object]) -> bool:
        """Write each page as soon as it is read."""
        pages = errors = 0
        watch = Stopwatch()
        for index, file in enumerate(files):
            name = _name(file)
            try:
                for page in self._pages(file, _data(file), watch):
                    put(page_record(name, index, page))
                    pages += page.error is None
                    errors += page.error is not None
            except (OcrError, MemoryError) as error:
                known = self._failed(file, error)
                put(error_record(name, index, known))
                errors += 1
        put(end_record(len(files), pages, errors, watch.seconds))
        return pages > 0

    def _write_texts(self, files: Sequence[str], put: Callable[[bytes], object]) -> bool:
        """Write each file as soon as it is read."""
        is_first = True
        for file in files:
            item = self._item(file)
            if not _is_read(item.document):
                continue
            put((b"" if is_first else _END_OF_PAGE) + write([item], self.form.name))
            is_first = False
        return not is_first

    def _item(self, file: str) -> Item:
        """Read a file; its pictures are at hand, if the format shows them."""
        watch = Stopwatch()
        pages: list[Page] = []
        failure = None
        source = None
        try:
            data = _data(file)
            pages.extend(self._pages(file, data, watch))
            if self.form.needs_image:
                dpi = self._options.dpi or self._reader.settings.reading.pdf_dpi
                source = OpenedSource(data, lambda: self._shelf.open(data), dpi)
                source.belongs_to(Document(tuple(pages)))
        except (OcrError, MemoryError) as error:
            failure = self._failed(file, error)
        return Item(Document(tuple(pages), _name(file), failure), self._origin, watch.seconds, source)

    def _pages(self, file: str, data: bytes, watch: Stopwatch) -> Iterator[Page]:
        document = self._shelf.open(data)
        if self.form.is_one_page:
            chosen = chosen_pages(self._options.pages, document.page_count, document.limits.max_pages)
            require_pages(self.form, len(chosen))
        for page in self._reader.read_open(document, self._options, watch=watch):
            if page.error is not None:
                self.fail(f"{file}: {page.error}")
            yield page

    def _failed(self, file: str, error: OcrError | MemoryError) -> OcrError:
        known = error if isinstance(error, OcrError) else InvalidRequest("this machine has too little memory for it")
        message = str(known)
        for elsewhere, here in _WAYS_OUT:
            message = message.replace(elsewhere, here)
        self.fail(f"{file}: {message}")
        return known

    @cached_property
    def _origin(self) -> Origin:
        return origin_of(self._reader, self._options)


def _is_read(document: Document) -> bool:
    return any(page.error is None for page in document.pages)


def _name(file: str) -> str:
    return _STANDARD_NAME if file == _STANDARD else file


def _data(file: str) -> bytes:
    if file != _STANDARD:
        return read_file(Path(file))
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise InvalidRequest(f"cannot be read ({error.strerror})") from error
