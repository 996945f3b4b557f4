"""The folder or the prefix of an object store that receives the output: files appear whole, and are never replaced."""

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import fsspec.core
import fsspec.implementations.local

from ppocr_serving.errors import InvalidRequest

__all__ = ["Storage", "described", "open_url"]

_TEMPORARY: Final = "_temporary"
_DAY: Final = 86_400  # seconds
_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)  # of file systems without hard links


def open_url(url: str) -> tuple[Any, str]:
    """Return the file system of a path or URL, and the path in it.

    Raises:
        InvalidRequest: There is no such kind of store, or its package is missing.
    """
    try:
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    except ImportError as error:
        raise InvalidRequest(f"{url}: {error}; install that package beside this one") from error
    except ValueError as error:
        raise InvalidRequest(f"{url} cannot be opened ({error})") from error


def described(error: Exception) -> str:
    """Return what a store says is wrong, and what to do; many of their errors make sense only with their names."""
    return f"({type(error).__name__}: {error}); check the address and the credentials of the store"


class Storage:
    """Where the output lies.

    Args:
        url: Path of a folder, or a URL such as `s3://bucket/prefix`.

    Raises:
        InvalidRequest: It cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._fs, path = open_url(url)
        self._root = path.rstrip("/")
        self._is_local = isinstance(self._fs, fsspec.implementations.local.LocalFileSystem)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder of it, sorted; none if it does not exist.

        Raises:
            InvalidRequest: The store lets nobody in with these credentials, or is none.
            OSError: It cannot be read now.
        """
        self._fs.invalidate_cache()
        try:
            found = self._fs.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        except (OSError, MemoryError):
            raise
        except Exception as error:  # each kind of store has its own
            raise InvalidRequest(f"{self._url} cannot be used {described(error)}") from error
        return sorted(name for path in found if (name := path.rstrip("/").rpartition("/")[2]).endswith(".parquet"))

    def open(self, name: str) -> Any:
        """Return a file of it, opened for reading."""
        return self._fs.open(f"{self._root}/{name}", "rb")

    @contextlib.contextmanager
    def temporary(self) -> Iterator[Path]:
        """Yield the path of a file that does not exist yet, for `commit`; it is removed afterwards."""
        # A file gets its name by a link, which must not leave the file system.
        folder = Path(self._root, _TEMPORARY) if self._is_local else None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ppocr-", dir=folder) as own:
            yield Path(own, "file")

    def commit(self, file: Path, name: str) -> bool:
        """Give a complete file its name, at once, unless there is a file of that name.

        In a folder that is a link, in an object store one request that fails if the object exists. Stores that know no
        such request are asked before.

        Args:
            file: One of `temporary`.
            name: The name.

        Returns:
            Whether the file is now there; False if there was one.
        """
        if self._is_local:
            return _link(file, Path(self._root, name))
        target = f"{self._root}/{name}"
        try:
            self._fs.put_file(str(file), target, mode="create")
        except FileExistsError:
            return False
        except TypeError:  # a file system that does not know the argument
            if self._fs.exists(target):
                return False
            self._fs.put_file(str(file), target)
        return True

    def clean(self) -> None:
        """Remove what runs that were killed have left, a day later: another run may be in progress."""
        if not self._is_local:
            return
        folder = Path(self._root, _TEMPORARY)
        with contextlib.suppress(OSError):
            for left in folder.iterdir():
                if left.stat().st_mtime < time.time() - _DAY:
                    shutil.rmtree(left)
            folder.rmdir()  # if it is empty


def _link(file: Path, target: Path) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open("rb") as opened:
        os.fsync(opened.fileno())  # its name must not outlive its content
    try:
        target.hardlink_to(file)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            return False
        file.rename(target)
    return True
