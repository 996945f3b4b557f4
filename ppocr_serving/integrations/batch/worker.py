"""What an actor does: read the files of a shard, and commit their pages."""

import contextlib
import faulthandler
import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from ppocr_serving.errors import DeadlineExceeded, ModelNotFound, OcrError
from ppocr_serving.integrations.batch.fetching import fetch
from ppocr_serving.integrations.batch.plan import Shard
from ppocr_serving.integrations.batch.storage import Storage
from ppocr_serving.integrations.batch.tables import ERRORS, PAGES, FileError, FileId, page_row
from ppocr_serving.outputs.origins import fingerprint_of, origin_of
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader
from ppocr_serving.settings import load_settings
from ppocr_serving.timing import Stopwatch

__all__ = ["FAILURES", "Attempts", "AttemptsLike", "Job", "ShardReader", "ShardResult", "hash_of", "write_errors"]

FAILURES: Final = b"ppocr.errors"
"""Key of the metadata of a shard's pages that lists the files that could not be read, as JSON."""

_MAX_TRIES: Final = 3
_ROWS: Final = 64  # that wait to be written
_PATIENCE: Final = 2  # times what a file may take, after which the process is ended that cannot end by itself


class Job(NamedTuple):
    """What all actors of a run do.

    Attributes:
        output: Path or URL.
        options: How files are read.
        options_hash: See `hash_of`.
        threads: CPU threads of each actor.
        environment: The settings of the run: an actor may live on a machine where they are not set.
    """

    output: str
    options: ReadOptions
    options_hash: str
    threads: int
    environment: Mapping[str, str]


class ShardResult(NamedTuple):
    """What came of a shard.

    Attributes:
        shard: Its name.
        files: Files that were read.
        pages: Their pages.
        errors: Files that could not be read.
        page_errors: Pages that could not be read, of files that could.
    """

    shard: str
    files: int
    pages: int
    errors: int
    page_errors: int


class AttemptsLike(Protocol):
    """`Attempts`, wherever it is."""

    def begin_shard(self, shard: str) -> bool:
        """See `Attempts.begin_shard`."""
        ...

    def begin_file(self, shard: str, source: str) -> int:
        """See `Attempts.begin_file`."""
        ...

    def end_file(self, shard: str, source: str) -> None:
        """See `Attempts.end_file`."""
        ...


class Attempts:
    """How often reading has begun: what has no end has cost a process its life."""

    def __init__(self) -> None:
        self._shards: set[str] = set()
        self._files: dict[tuple[str, str], int] = defaultdict(int)

    def begin_shard(self, shard: str) -> bool:
        """Note that a shard is begun.

        Returns:
            Whether it has been begun before: then its files have to be noted, too.
        """
        is_known = shard in self._shards
        self._shards.add(shard)
        return is_known

    def begin_file(self, shard: str, source: str) -> int:
        """Note that a file is begun; return how often it has been begun before and not ended."""
        self._files[shard, source] += 1
        return self._files[shard, source] - 1

    def end_file(self, shard: str, source: str) -> None:
        """Note that a file has ended."""
        self._files.pop((shard, source), None)


def hash_of(reader: Reader, options: ReadOptions) -> str:
    """Return a hash of the models and of all options that take effect: what decides how a file is read."""
    return fingerprint_of(origin_of(reader, options))


def write_errors(storage: Storage, shard: str, errors: list[FileError]) -> None:
    """Write the files that could not be read into the error table, unless they are there."""
    if not errors:
        return
    with storage.temporary() as file:
        pq.write_table(pa.Table.from_pylist([error._asdict() for error in errors], ERRORS), file, compression="zstd")
        storage.commit(file, f"errors/{shard}.parquet")


class ShardReader:
    """Read shards, with models that are loaded once.

    Args:
        job: What to do.
        attempts: Counts what has begun.

    Raises:
        ModelNotFound: The models of this machine differ from those of the run.
        OcrError: They or the settings are not usable.
    """

    def __init__(self, job: Job, attempts: AttemptsLike) -> None:
        os.environ.update(job.environment)
        import cv2

        cv2.setNumThreads(job.threads)
        self._job = job
        self._attempts = attempts
        self._storage = Storage(job.output)
        settings = load_settings(init_args={"threads": job.threads})
        self._reader = Reader(settings=settings)
        for engine in self._reader.first_engines:  # not in the time of the first file
            engine.load()
        self._seconds = settings.server.document_timeout
        own_hash = hash_of(self._reader, job.options)
        if own_hash != job.options_hash:
            raise ModelNotFound(
                f"the models or settings of {os.uname().nodename} differ from those of the run (hash {own_hash}, not "
                f"{job.options_hash}); install the same models on all machines"
            )
        # Fetches the next file while this one is read.
        self._fetcher = ThreadPoolExecutor(1, "fetch")

    def __call__(self, shard: Shard) -> ShardResult:
        """Read a shard and commit its pages; what it has read is lost if the process ends before that."""
        is_known = self._attempts.begin_shard(shard.name)
        with self._storage.temporary() as file:
            pages = page_errors = 0
            failures: list[FileError] = []
            with pq.ParquetWriter(file, PAGES, compression="zstd") as writer:
                rows: list[dict[str, Any]] = []
                for row in self._rows(shard, is_careful=is_known):
                    if isinstance(row, FileError):
                        failures.append(row)
                        continue
                    rows.append(row)
                    pages += 1
                    page_errors += row["error"] is not None
                    if len(rows) == _ROWS:
                        writer.write_table(pa.Table.from_pylist(rows, PAGES))
                        rows = []
                if rows:
                    writer.write_table(pa.Table.from_pylist(rows, PAGES))
                writer.add_key_value_metadata({FAILURES.decode(): json.dumps(failures)})
            # The one step that decides; before it, nothing of the shard exists, and after it, all does.
            if self._storage.commit(file, f"pages/{shard.name}.parquet"):
                write_errors(self._storage, shard.name, failures)
        return ShardResult(shard.name, shard.files.num_rows - len(failures), pages, len(failures), page_errors)

    def read(self, file: FileId, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield the pages of a file as rows.

        Args:
            file: Which file.
            data: Its bytes.

        Raises:
            OcrError: It cannot be read.
        """
        end = time.perf_counter() + self._seconds
        watch = Stopwatch(lambda _: self._check(end))
        before: dict[str, float] = {}
        for page in self._reader.read_pages(data, self._job.options, watch=watch):
            yield page_row(file, page, _difference(watch.seconds, before))
            before = dict(watch.seconds)

    def _check(self, end: float) -> None:
        if time.perf_counter() > end:
            raise DeadlineExceeded(f"took longer than {self._seconds:g} s; set PPOCR_DOCUMENT_TIMEOUT to more")

    def _rows(self, shard: Shard, *, is_careful: bool) -> Iterator[dict[str, Any] | FileError]:
        files = [
            FileId(source, version, None, self._job.options_hash)
            for source, version in zip(*map(pa.ChunkedArray.to_pylist, shard.files.columns[:2]), strict=True)
        ]
        following = None
        for index, file in enumerate(files):
            if is_careful and self._attempts.begin_file(shard.name, file.source) >= _MAX_TRIES - 1:
                yield FileError(
                    *file, "process_died", f"the process that read it has ended {_MAX_TRIES} times; it is left out"
                )
                continue
            data = following or self._fetcher.submit(fetch, file.source)
            # After the death of a process it has to be clear which file it was, so none is fetched ahead.
            is_followed = not is_careful and index + 1 < len(files)
            following = self._fetcher.submit(fetch, files[index + 1].source) if is_followed else None
            yield from self._file_rows(file, data)
            if is_careful:
                self._attempts.end_file(shard.name, file.source)

    def _file_rows(self, file: FileId, fetched: "Future[bytes]") -> Iterator[dict[str, Any] | FileError]:
        rows: list[dict[str, Any]] = []
        try:
            with _ended_after(self._seconds * _PATIENCE):
                data = fetched.result()
                file = file._replace(sha256=hashlib.sha256(data).hexdigest())
                rows += self.read(file, data)
        except OcrError as error:
            yield FileError(*file, error.code, str(error))
        except MemoryError:
            yield FileError(*file, "out_of_memory", "this machine had too little memory for it")
        except Exception as error:  # no file ends a run of millions
            yield FileError(*file, "internal", f"{type(error).__name__}: {error}")
        else:
            yield from rows


def _difference(seconds: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {stage: value - before.get(stage, 0.0) for stage, value in seconds.items()}


@contextlib.contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """End this process if the enclosed block takes longer, whatever it is stuck in; Ray starts another one."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
