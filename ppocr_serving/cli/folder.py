"""Write a file per document into a folder, and drawings of pages."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ppocr_serving.cli.documents import Failures, Readings, is_read
from ppocr_serving.cli.inputs import Input
from ppocr_serving.cli.journal import Journal
from ppocr_serving.cli.output_files import OutputFile, require_free
from ppocr_serving.cli.parallel import each
from ppocr_serving.cli.progress import Progress
from ppocr_serving.cli.sources import TOO_LITTLE_MEMORY
from ppocr_serving.errors import InvalidRequest, OcrError
from ppocr_serving.outputs import FORMATS, Format, Item, write
from ppocr_serving.results import Document

__all__ = ["Drawings", "FolderWriter", "output_of"]


class _Done(NamedTuple):
    """What a thread has done with a file.

    Attributes:
        item: What was read; None if that had been done before.
        content: SHA-256 of the file.
        error: Why it was not read; None if it was.
    """

    item: Item | None
    content: str = ""
    error: OcrError | None = None


class Drawings:
    """A picture of each page with what was found on it, in a folder.

    Args:
        folder: The folder.
        failures: Receives what cannot be written.
    """

    def __init__(self, folder: Path, failures: Failures) -> None:
        self._folder = folder
        self._failures = failures

    def draw(
        self, file: Input, item: Item, may_replace: Callable[[Path], bool], drawn: Callable[[Path], None] | None = None
    ) -> None:
        """Draw the pages of a document that could be read.

        Args:
            file: What was read.
            item: What it says.
            may_replace: Whether a file may be replaced, if it exists.
            drawn: Called with each file that was written.
        """
        pages = item.document.pages
        for page in pages:
            if page.error is not None:
                continue
            number = f".{page.number}" if len(pages) > 1 else ""
            target = output_of(self._folder, file, f"{number}.png")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with OutputFile(target, force=may_replace(target)) as output:
                    output.write(write([item._replace(document=Document((page,), file.name))], FORMATS["png"].name))
                if drawn is not None:
                    drawn(target)
            except (OcrError, OSError, MemoryError) as error:
                self._failures.add(file.path, _reason(error, target))


class FolderWriter:
    """Read files, and write each to a file of its own as soon as it is read.

    Args:
        readings: What reads them.
        form: The format.
        folder: Where they are written.
        force: Replace files that exist.
        resume: Leave out what the journal has, and replace what is in it and has changed.
        drawings: Draws pages; None draws none.
        failures: Receives what cannot be read or written.
        progress: Is told how far it is.

    Attributes:
        written: Files that were written.
        kept: Files that had been written before.
    """

    def __init__(
        self,
        readings: Readings,
        form: Format,
        folder: Path,
        *,
        force: bool,
        resume: bool,
        drawings: Drawings | None,
        failures: Failures,
        progress: Progress,
    ) -> None:
        self.written = self.kept = 0
        self._done = 0
        self._readings = readings
        self._form = form
        self._folder = folder
        self._force = force
        self._resume = resume
        self._drawings = drawings
        self._failures = failures
        self._progress = progress

    def write(self, files: Sequence[Input], jobs: int, journal: Journal) -> None:
        """Read and write files.

        Args:
            files: The files.
            jobs: How many are read at a time.
            journal: What has been done; gets added what is.
        """

        def read(file: Input) -> _Done:
            target = output_of(self._folder, file, f".{self._form.extension}")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                if not (self._resume and journal.owns(target)):
                    require_free(target, force=self._force)  # before it is read
                data = file.data()
                content = hashlib.sha256(data).hexdigest()
                if self._resume and journal.has(target, content):
                    return _Done(None)
                return _Done(self._readings.read_data(file, data), content)
            except OcrError as error:
                return _Done(None, error=error)
            except (OSError, MemoryError) as error:
                return _Done(None, error=InvalidRequest(_reason(error, target)))

        self._tell()
        for file, done in each(read, files, jobs, in_order=False):
            if done.error is not None:
                self._failures.add(file.path, str(done.error))
            elif done.item is None:
                self.kept += 1
            else:
                self._write(file, done.item, done.content, journal)
            self._done += 1
            self._tell()

    def _write(self, file: Input, item: Item, content: str, journal: Journal) -> None:
        target = output_of(self._folder, file, f".{self._form.extension}")
        failed = self._failures.count
        self._failures.add_all_of(file.path, item.document)
        if not is_read(item.document):
            return

        def may_replace(path: Path) -> bool:
            return self._force or (self._resume and journal.owns(path))

        try:
            with OutputFile(target, force=may_replace(target)) as output:
                output.write(write([item], self._form.name))
            if self._drawings is not None:
                journal.add(target, content, is_complete=False)  # drawing may be interrupted
                self._drawings.draw(file, item, may_replace, lambda path: journal.add(path, content, is_complete=True))
            self.written += 1
            journal.add(target, content, is_complete=self._failures.count == failed)
        except (OcrError, OSError, MemoryError) as error:
            self._failures.add(file.path, _reason(error, target))

    def _tell(self) -> None:
        self._progress.show(self._done, self._done - self.kept, len(self._failures.files))


def output_of(folder: Path, file: Input, ending: str) -> Path:
    """Return where something of a file is written."""
    return folder / file.place.with_name(f"{file.place.name}{ending}")


def _reason(error: OcrError | OSError | MemoryError, target: Path) -> str:
    if isinstance(error, MemoryError):
        return TOO_LITTLE_MEMORY
    return f"{target} cannot be written ({error.strerror})" if isinstance(error, OSError) else str(error)
