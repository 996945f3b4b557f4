"""Write documents together: to one file, or to standard output."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from ppocr_serving.cli.inputs import Input
from ppocr_serving.cli.parallel import each
from ppocr_serving.cli.sources import TOO_LITTLE_MEMORY, DocumentSource, add_times
from ppocr_serving.errors import InvalidRequest, OcrError
from ppocr_serving.outputs import Format, Item, write
from ppocr_serving.outputs.jsonl import end_record, error_record, page_record
from ppocr_serving.outputs.sources import OpenedSource
from ppocr_serving.results import Document, Page

__all__ = ["Failures", "Readings", "is_read", "write_together"]

# What errors say for Python and requests, and what it is here.
_WAYS_OUT: Final = (
    (" as password", " with --password-file, or as PPOCR_PASSWORD"),
    ("as pages=1 does", "as --pages 1 does"),
)
_END_OF_PAGE: Final = b"\f"


class Failures:
    """What could not be read.

    Args:
        complain: Receives a line for each file and page.

    Attributes:
        count: How many lines there were.
        files: The files that they are about.
    """

    def __init__(self, complain: Callable[[str], None]) -> None:
        self.count = 0
        self.files: dict[str, None] = {}
        self._complain = complain

    def add(self, file: str, message: str) -> None:
        """Count a failure and tell of it."""
        self.count += 1
        self.files[file] = None
        for elsewhere, here in _WAYS_OUT:
            message = message.replace(elsewhere, here)
        self._complain(f"{file}: {message}")

    def add_all_of(self, file: str, document: Document) -> None:
        """Count the failures of a document."""
        for page in document.pages:
            if page.error is not None:
                self.add(file, str(page.error))
        if document.error is not None:
            self.add(file, str(document.error))


class Readings:
    """Files, read by a source, with their pictures where these are shown.

    Args:
        source: What reads.
        images: Whether pictures are shown.

    Attributes:
        source: As given.
        images: As given.
    """

    def __init__(self, source: DocumentSource, *, images: bool) -> None:
        self.source = source
        self.images = images

    def read(self, file: Input) -> Item:
        """Read a file; one that cannot be read has an `error`. May be called from several threads."""
        try:
            data = file.data()
        except OcrError as error:
            return Item(Document((), file.name, error))
        return self.read_data(file, data)

    def read_data(self, file: Input, data: bytes) -> Item:
        """Read a file whose bytes are at hand, as `read` does."""
        item = self.source.item(file.name, data)
        if not self.images or item.document.error is not None:
            return item
        pages = OpenedSource(data, lambda: self.source.open(data), self.source.pdf_dpi)
        pages.belongs_to(item.document)
        return item._replace(pages=pages)


def write_together(
    readings: Readings,
    files: Sequence[Input],
    form: Format,
    jobs: int,
    failures: Failures,
    put: Callable[[bytes], object],
    done: Callable[[Input, Item | None], None],
) -> bool:
    """Read files and write them in their order. One failure does not end it.

    Args:
        readings: What reads them.
        files: The files.
        form: The format.
        jobs: How many are read at a time.
        failures: Receives what cannot be read.
        put: Receives the output, part by part.
        done: Called after each file, with what was read, unless it was passed on page by page.

    Returns:
        Whether there was anything to write.

    Raises:
        KeyboardInterrupt: After what had been read by then was written.
        InvalidRequest: The format does not hold these documents.
    """
    if form.is_one_page and len(files) > 1:
        raise InvalidRequest(
            f"the format {form.name} shows one page, and there are {len(files)} files; "
            "give one of them, or a folder as --output"
        )
    if form.name == "jsonl":
        return _write_records(readings, files, jobs, failures, put, done)

    def items() -> Iterator[Item]:
        for file, item in each(readings.read, files, jobs, in_order=True):
            failures.add_all_of(file.path, item.document)
            done(file, item)
            yield item

    if form.name == "text":
        is_first = True
        for item in items():
            if is_read(item.document):
                put((b"" if is_first else _END_OF_PAGE) + write([item], form.name))
                is_first = False
        return not is_first
    kept: list[Item] = []
    try:
        for item in items():
            # Formats other than JSON have no place for what could not be read.
            if form.name == "json" or is_read(item.document):
                kept.append(item)  # noqa: PERF401  # what is there by an interruption has to stay
    except KeyboardInterrupt:
        with suppress(OcrError, OSError):  # whoever takes the output may have been interrupted, too
            _write_kept(kept, form, put)
        raise
    return _write_kept(kept, form, put)


def _write_kept(kept: Sequence[Item], form: Format, put: Callable[[bytes], object]) -> bool:
    is_any = any(is_read(item.document) for item in kept)
    if is_any:
        put(write(kept, form.name))
    return is_any


def _write_records(
    readings: Readings,
    files: Sequence[Input],
    jobs: int,
    failures: Failures,
    put: Callable[[bytes], object],
    done: Callable[[Input, Item | None], None],
) -> bool:
    """Write each page as soon as it is read; if several files are read at a time, as soon as its file is."""
    pages = errors = 0
    times: dict[str, float] = {}

    def streams() -> Iterator[tuple[Input, Iterator[Page]]]:
        if jobs == 1 and not readings.images:
            for file in files:
                yield file, _pages(readings.source, file, times)
                done(file, None)
        else:
            for file, item in each(readings.read, files, jobs, in_order=True):
                yield file, _pages_of(item, times)
                done(file, item)

    for index, (file, stream) in enumerate(streams()):
        try:
            for page in stream:
                put(page_record(file.name, index, page))
                if page.error is not None:
                    failures.add(file.path, str(page.error))
                pages += page.error is None
                errors += page.error is not None
        except (OcrError, MemoryError) as error:
            known = error if isinstance(error, OcrError) else InvalidRequest(TOO_LITTLE_MEMORY)
            failures.add(file.path, str(known))
            put(error_record(file.name, index, known))
            errors += 1
    put(end_record(len(files), pages, errors, times))
    return pages > 0


def _pages(source: DocumentSource, file: Input, times: dict[str, float]) -> Iterator[Page]:
    yield from source.pages(file.data(), times)


def _pages_of(item: Item, times: dict[str, float]) -> Iterator[Page]:
    add_times(times, item.times)
    yield from item.document.pages
    if item.document.error is not None:
        raise item.document.error


def is_read(document: Document) -> bool:
    """Return whether a document has a page that could be read."""
    return any(page.error is None for page in document.pages)
