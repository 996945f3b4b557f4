"""What is to be read: the files of a folder, a glob, or a table of addresses."""

import os
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import fsspec.implementations.local
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from ppocr_serving.errors import InvalidRequest, OcrError
from ppocr_serving.integrations.batch.storage import described, open_url
from ppocr_serving.integrations.batch.tables import SOURCES
from ppocr_serving.reading.files import ENDINGS

__all__ = ["find_sources"]

_TABLES: Final = (".csv", ".parquet")
_COLUMNS: Final = ("source", "address", "url", "uri", "path", "file", "filename", "image", "key", "name")
_TAGS: Final = ("ETag", "etag", "md5Hash", "content_md5")  # of what stores say of an object
_TIMES: Final = ("mtime", "LastModified", "last_modified", "updated", "created")
_MAGIC: Final = frozenset("*?[")
_ROWS: Final = 100_000  # put into a table at a time


class _Found(NamedTuple):
    source: str
    version: str
    size: int | None


def find_sources(url: str, column: str | None = None) -> pa.Table:
    """List what is to be read, each address once.

    Args:
        url: Folder (searched with all that is below it for files whose ending is that of a picture or PDF), glob, or
            table (`.csv`, `.parquet`, or a folder of Parquet files); a path or a URL.
        column: Column of the addresses in a table; None has it found.

    Returns:
        A table of `SOURCES`. `version` tells whether a listed file has changed: the store's ETag, or size and time of
        the last change. It is empty for addresses from a table, which are not looked at before they are read.

    Raises:
        InvalidRequest: There is nothing to read.
    """
    fs, path = open_url(url)
    try:
        if url.endswith(_TABLES) and not _MAGIC & set(url):
            found = _of_tables(fs, [path], column)
        elif _MAGIC & set(path):
            found = _of_glob(fs, path, column)
        elif fs.isdir(path):
            found = _of_folder(fs, path, column)
        else:
            raise InvalidRequest(f"{url} is neither a folder nor a .csv or .parquet file; give one, or a glob")
    except FileNotFoundError as error:
        raise InvalidRequest(f"{url} does not exist") from error
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{url} has a file whose name is not UTF-8, {error.object!a}; rename it") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidRequest(f"{url} cannot be read ({error})") from error
    except (OcrError, MemoryError):
        raise
    except Exception as error:  # each kind of store has its own
        raise InvalidRequest(f"{url} cannot be read {described(error)}") from error
    if not found.num_rows:
        raise InvalidRequest(f"{url} has no file to read; in a folder, these endings are read: {' '.join(ENDINGS)}")
    # The first of those with the same address, in their order, which grouping does not keep.
    numbered = found.append_column("row", pa.array(np.arange(found.num_rows)))
    firsts = numbered.group_by("source").aggregate([("row", "min")])["row_min"]
    return found.take(pa.array(np.sort(firsts.to_numpy()))).cast(SOURCES)


def _of_folder(fs: Any, path: str, column: str | None) -> pa.Table:
    if isinstance(fs, fsspec.implementations.local.LocalFileSystem):
        pictures = _table(_local_files(path))
    else:
        pictures = _table(_described(fs, fs.find(path, detail=True)))
    if pictures.num_rows:
        return pictures
    return _of_tables(fs, sorted(name for name in fs.find(path) if name.endswith(".parquet")), column)


def _of_glob(fs: Any, path: str, column: str | None) -> pa.Table:
    if path.endswith(_TABLES):
        return _of_tables(fs, sorted(fs.glob(path)), column)
    files = {name: info for name, info in fs.glob(path, detail=True).items() if info["type"] == "file"}
    return _table(_described(fs, files, every=True))


def _local_files(folder: str) -> Iterator[_Found]:
    waiting = [os.path.abspath(folder)]  # noqa: PTH100  # of millions of files, without an object for each
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.name.lower().endswith(ENDINGS) and entry.is_file():
                    status = entry.stat()
                    yield _Found(entry.path, f"{status.st_size}-{status.st_mtime_ns}", status.st_size)


def _described(fs: Any, files: dict[str, Any], *, every: bool = False) -> Iterator[_Found]:
    for path, info in files.items():
        if every or path.lower().endswith(ENDINGS):
            yield _Found(_address(fs, path), _version(info), info.get("size"))


def _version(info: dict[str, Any]) -> str:
    for name in _TAGS:
        if info.get(name):
            return str(info[name]).strip('"')
    time = next((info[name] for name in _TIMES if info.get(name)), "")
    return f"{info.get('size', '')}-{time}"


def _address(fs: Any, path: str) -> str:
    is_local = isinstance(fs, fsspec.implementations.local.LocalFileSystem)
    return path if is_local else str(fs.unstrip_protocol(path))


def _table(found: Iterable[_Found]) -> pa.Table:
    batches, rows = [], list[_Found]()
    for row in found:
        rows.append(row)
        if len(rows) == _ROWS:
            batches.append(_batch(rows))
            rows = []
    return pa.Table.from_batches([*batches, _batch(rows)])


def _batch(rows: list[_Found]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [[]] * len(SOURCES)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SOURCES, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SOURCES)


def _of_tables(fs: Any, paths: list[str], column: str | None) -> pa.Table:
    parts = []
    for path in paths:
        addresses = _addresses(fs, path, column)
        parts.append(
            pa.table([addresses, pa.repeat("", len(addresses)), pa.nulls(len(addresses), pa.int64())], schema=SOURCES)
        )
    return pa.concat_tables(parts) if parts else SOURCES.empty_table()


def _addresses(fs: Any, path: str, column: str | None) -> pa.Array:
    with fs.open(path, "rb") as file:
        if path.endswith(".parquet"):
            parquet = pq.ParquetFile(file)
            name = _column(path, parquet.schema_arrow, column)
            table = parquet.read(columns=[name])
        else:
            table = pyarrow.csv.read_csv(file)
            name = _column(path, table.schema, column)
    addresses = table[name].combine_chunks().cast(pa.string())
    addresses = addresses.filter(pc.greater(pc.fill_null(pc.binary_length(addresses), 0), 0))
    # Relative paths are those from the table's own folder.
    is_absolute = pc.or_(pc.starts_with(addresses, "/"), pc.match_substring(addresses, "://"))
    folder = _address(fs, path.rpartition("/")[0])
    joined = pc.binary_join_element_wise(folder, addresses, "/")
    return pc.if_else(is_absolute, addresses, joined)


def _column(path: str, schema: pa.Schema, column: str | None) -> str:
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    if column is not None:
        if column not in schema.names:
            raise InvalidRequest(f"{path} has no column {column!r}; it has {', '.join(schema.names)}")
        return column
    named = [name for known in _COLUMNS for name in texts if name.lower() == known]
    if named or len(texts) == 1:
        return str((named or texts)[0])
    raise InvalidRequest(
        f"{path}: none of its columns ({', '.join(schema.names)}) is obviously that of the addresses; "
        "name it with --column"
    )
