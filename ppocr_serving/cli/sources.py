"""Where documents come from: models in this process, or a server."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Final, Protocol

from ppocr_serving.errors import InvalidRequest, OcrError, RequestCancelled
from ppocr_serving.outputs import Format, Item, Origin
from ppocr_serving.outputs.formats import require_pages
from ppocr_serving.outputs.origins import origin_of
from ppocr_serving.reading.documents import DocumentLimits, OpenDocument
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.page_numbers import chosen_pages
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.shelf import Shelf
from ppocr_serving.results import Document, Page
from ppocr_serving.settings import load_settings
from ppocr_serving.timing import Stopwatch

__all__ = ["TOO_LITTLE_MEMORY", "DocumentSource", "add_times", "source_of"]

TOO_LITTLE_MEMORY: Final = "this machine has too little memory for it"


def add_times(times: dict[str, float], seconds: Mapping[str, float]) -> None:
    """Add the seconds of each stage to those so far."""
    for stage, spent in seconds.items():
        times[stage] = times.get(stage, 0.0) + spent


class _Shelves:
    """A shelf for each thread, which has one file open at a time: each of several PDF files would take a process.

    Args:
        limits: Limits of a file.
        options: Options of the calls.
    """

    def __init__(self, limits: DocumentLimits, options: ReadOptions) -> None:
        self._limits = limits
        self._password = options.password or ""
        self._of_thread = threading.local()
        self._all: list[Shelf] = []

    @property
    def mine(self) -> Shelf:
        """That of the calling thread."""
        if not hasattr(self._of_thread, "shelf"):
            self._of_thread.shelf = Shelf(self._limits, self._password, lambda: None)
            self._all.append(self._of_thread.shelf)
        shelf: Shelf = self._of_thread.shelf
        return shelf

    def close(self) -> None:
        """Close what is open."""
        for shelf in self._all:
            shelf.close()


class DocumentSource(Protocol):
    """What reads files; may be called from several threads.

    Attributes:
        pdf_dpi: Pixels per inch at which pages of PDF files are shown.
    """

    pdf_dpi: int

    def open(self, data: bytes) -> OpenDocument:
        """Return a file, which is open until the calling thread opens another one; raises as `open_document`."""
        ...

    def item(self, name: str, data: bytes) -> Item:
        """Return what a file says, without its pictures.

        Args:
            name: Its name in what is written.
            data: Its bytes.

        Returns:
            With the document's `error` if it could not be read.
        """
        ...

    def pages(self, data: bytes, times: dict[str, float]) -> Iterator[Page]:
        """Yield the pages of a file as they are read.

        Args:
            data: Its bytes.
            times: Gets the seconds of each stage added.

        Raises:
            OcrError: It cannot be read.
        """
        ...

    def origin(self) -> Origin:
        """Return what makes its documents.

        Raises:
            OcrError: A server does not say.
        """
        ...

    def stop(self) -> None:
        """End what other threads read in this process, and wait for that."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


def source_of(url: str | None, options: ReadOptions, form: Format) -> DocumentSource:
    """Return what reads files.

    Args:
        url: Address of a server; None reads in this process.
        options: How they are read.
        form: The format in which they will be written.

    Raises:
        OcrError: The models, the settings or the address are not usable.
        ModuleNotFoundError: The packages of a client are missing.
    """
    return LocalSource(options, form) if url is None else RemoteSource(url, options, form)


class LocalSource:
    """Read with models in this process; see `DocumentSource`."""

    def __init__(self, options: ReadOptions, form: Format) -> None:
        self._reader = Reader()
        self._options = options
        self._form = form
        self.pdf_dpi = options.dpi or self._reader.settings.reading.pdf_dpi
        self._shelves = _Shelves(DocumentLimits.of(self._reader.settings), options)
        self._stopped = threading.Event()
        self._idle = threading.Condition()
        self._under_way = 0

    def open(self, data: bytes) -> OpenDocument:
        """Return a file, open."""
        return self._shelves.mine.open(data)

    def item(self, name: str, data: bytes) -> Item:
        """Return what a file says."""
        pages: list[Page] = []
        times: dict[str, float] = {}
        failure: OcrError | None = None
        try:
            with self._counted():
                pages.extend(self.pages(data, times))
        except OcrError as error:
            failure = error
        except MemoryError:
            failure = InvalidRequest(TOO_LITTLE_MEMORY)
        return Item(Document(tuple(pages), name, failure), self._origin, times)

    def pages(self, data: bytes, times: dict[str, float]) -> Iterator[Page]:
        """Yield the pages of a file as they are read."""
        document = self.open(data)
        if self._form.is_one_page:
            chosen = chosen_pages(self._options.pages, document.page_count, document.limits.max_pages)
            require_pages(self._form, len(chosen))
        watch = Stopwatch(self._check)
        try:
            yield from self._reader.read_open(document, self._options, watch=watch)
        finally:
            add_times(times, watch.seconds)

    def origin(self) -> Origin:
        """Return what makes its documents."""
        return self._origin

    def stop(self) -> None:
        """End what other threads read, and wait for that: engines must not run when the process ends."""
        self._stopped.set()
        with self._idle:
            self._idle.wait_for(lambda: not self._under_way)

    def close(self) -> None:
        """Close the files."""
        self._shelves.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._idle:
            self._under_way += 1
        try:
            yield
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    @cached_property
    def _origin(self) -> Origin:
        return origin_of(self._reader, self._options)

    def _check(self, _: str) -> None:
        if self._stopped.is_set():
            raise RequestCancelled("interrupted")


class RemoteSource:
    """Read through a server; see `DocumentSource`."""

    def __init__(self, url: str, options: ReadOptions, form: Format) -> None:
        from ppocr_serving.client import OcrClient  # an extra

        self._client = OcrClient(url)
        self._options = options
        self._form = form
        settings = load_settings()  # of this machine, where the files are shown
        self.pdf_dpi = options.dpi or settings.reading.pdf_dpi
        self._shelves = _Shelves(DocumentLimits.of(settings), options)

    def open(self, data: bytes) -> OpenDocument:
        """Return a file, open."""
        return self._shelves.mine.open(data)

    def item(self, name: str, data: bytes) -> Item:
        """Return what a file says."""
        try:
            item = self._client.read_item(data, self._options)
            require_pages(self._form, len(item.document.pages))
        except OcrError as error:
            return Item(Document((), name, error))
        return item._replace(document=Document(item.document.pages, name, item.document.error))

    def pages(self, data: bytes, times: dict[str, float]) -> Iterator[Page]:
        """Yield the pages of a file as they are read."""
        spent: dict[str, float] = {}
        try:
            yield from self._client.read_pages(data, self._options, times=spent)
        finally:
            add_times(times, spent)

    def origin(self) -> Origin:
        """Return what makes its documents, as the server says."""
        from ppocr_serving.client.answers import origin_of_server

        return origin_of_server(self._client.capabilities(), self._options)

    def stop(self) -> None:
        """Do nothing: nothing is read in this process."""

    def close(self) -> None:
        """Close the files and the connections."""
        self._shelves.close()
        self._client.close()
