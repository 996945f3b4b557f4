"""Extract named members from untrusted tar and zip archives."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TypeVar, cast

from ppocr_serving.errors import DownloadError
from ppocr_serving.models.members import check_member_name

__all__ = ["extract_members"]

_CHUNK = 1 << 20
_MAX_MEMBERS = 20_000
# The largest header block of a legitimate tar (a long name, a pax record) is a few kilobytes.
_MAX_TAR_READ = 8 << 20
_Info = TypeVar("_Info", tarfile.TarInfo, zipfile.ZipInfo)
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile)


def extract_members(archive: Path, members: Mapping[str, Path], max_bytes: int) -> frozenset[str]:
    """Write some members of an archive to files, after checking all of its members.

    Args:
        archive: A zip (wheels are), or a tar that is plain or compressed with gzip, bzip2 or xz.
        members: File to write, by member name as `check_member_name` returns it; its directory must exist.
        max_bytes: Limit on the total unpacked size of the archive.

    Returns:
        Names of the members that were found.

    Raises:
        DownloadError: The archive is damaged or too large, or contains a link, a device or a name that leads outside.
        OSError: The archive could not be read, or the files could not be written.
    """
    try:
        with archive.open("rb") as stream:
            if stream.read(4) == b"PK\x03\x04":
                with zipfile.ZipFile(archive) as package:
                    return _extract_zip(package, members, max_bytes)
            stream.seek(0)
            with _decompressed(stream) as plain, tarfile.open(fileobj=plain, mode="r:") as tar:
                return _extract_tar(tar, members, max_bytes)
    except _BROKEN as error:
        raise DownloadError(f"{archive.name}: damaged or truncated, or not a tar or zip archive ({error})") from error
    except (ValueError, NotImplementedError, RuntimeError) as error:
        # zipfile refuses encryption and unknown methods with RuntimeError and NotImplementedError.
        raise DownloadError(f"{archive.name}: refused, {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        # bz2 reports a damaged stream as an OSError without an errno.
        raise DownloadError(f"{archive.name}: damaged ({error})") from error


class _BoundedReader(io.BufferedIOBase):
    """A seekable stream that refuses single reads larger than any legitimate tar causes.

    tarfile reads a long-name or pax header into memory in one piece, at whatever size the header declares; in a
    compressed tar, a few kilobytes on disk can expand to gigabytes.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0 or size > _MAX_TAR_READ:
            raise ValueError(f"a tar header of {size} bytes")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


@contextmanager
def _decompressed(stream: IO[bytes]) -> Iterator[_BoundedReader]:
    magic = stream.read(6)
    stream.seek(0)
    with ExitStack() as stack:
        plain: IO[bytes] = stream
        if magic.startswith(b"\x1f\x8b"):
            plain = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=stream)))
        elif magic.startswith(b"BZh"):
            plain = stack.enter_context(bz2.BZ2File(stream))
        elif magic == b"\xfd7zXZ\x00":
            plain = stack.enter_context(lzma.LZMAFile(stream))
        yield _BoundedReader(plain)


def _extract_tar(tar: tarfile.TarFile, members: Mapping[str, Path], max_bytes: int) -> frozenset[str]:
    found: dict[str, tarfile.TarInfo] = {}
    total = 0
    for count, info in enumerate(tar, 1):
        name = check_member_name(info.name)
        if not info.isdir() and (info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.issparse()):
            raise ValueError(f"member {info.name!r} is neither a plain file nor a directory")
        total += info.size
        _check_limits(count, total, max_bytes)
        if name in members and info.isfile():
            _add_once(found, name, info)
    for name, info in found.items():
        source = tar.extractfile(info)
        if source is None:
            raise ValueError(f"member {info.name!r} has no content")
        with source:
            _write(source, members[name], info.size)
    return frozenset(found)


def _extract_zip(package: zipfile.ZipFile, members: Mapping[str, Path], max_bytes: int) -> frozenset[str]:
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for count, info in enumerate(package.infolist(), 1):
        # `filename` has been stripped of backslashes and of everything after a NUL; `orig_filename` is what is stored.
        name = check_member_name(info.orig_filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"member {info.orig_filename!r} is neither a plain file nor a directory")
        total += info.file_size
        _check_limits(count, total, max_bytes)
        if name in members and not info.is_dir():
            _add_once(found, name, info)
    for name, entry in found.items():
        with package.open(entry) as source:
            _write(source, members[name], entry.file_size)
    return frozenset(found)


def _add_once(found: dict[str, _Info], name: str, info: _Info) -> None:
    if name in found:
        raise ValueError(f"member {name!r} occurs twice")
    found[name] = info


def _check_limits(count: int, total: int, max_bytes: int) -> None:
    if count > _MAX_MEMBERS:
        raise ValueError(f"it has more than {_MAX_MEMBERS} members")
    if total > max_bytes:
        raise ValueError(f"it unpacks to more than {max_bytes} bytes")


def _write(source: IO[bytes], target: Path, size: int) -> None:
    written = 0
    with target.open("xb") as sink:
        # Reading one byte more than declared detects a member with a false size, without unpacking all of it.
        while chunk := source.read(min(_CHUNK, size + 1 - written)):
            sink.write(chunk)
            written += len(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    if written != size:
        raise EOFError(f"{target.name} has at least {written} bytes instead of the declared {size}")
