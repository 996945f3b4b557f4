"""Files that commands write: they appear whole or not at all, and replace others only if that is asked for.

What an interrupted command has written is kept apart.
"""

import itertools
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ppocr_serving.errors import InvalidRequest

__all__ = ["OutputFile", "require_free"]


class OutputFile:
    """A file that takes its name when everything is written; if that fails, nothing is left of it.

    Args:
        path: Its path; a link is followed.
        force: Replace a file that exists.

    Attributes:
        is_kept: Whether it takes its name in the end; set to False if there is nothing to keep.

    Raises:
        InvalidRequest: There is something at the path that is not to be replaced.
        OSError: The file cannot be created.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        require_free(path, force=force)
        self.is_kept = True
        self._is_part = False
        self._path = Path(os.path.realpath(path))
        self._force = force
        # In the same folder, because only there it can take its name at once.
        self._temporary = self._path.with_name(f".{self._path.name[:100]}.{secrets.token_hex(6)}.part")
        self._file: BinaryIO = self._temporary.open("xb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if kind is None and self.is_kept:
                self._take_name()
        finally:
            if not self._is_part:
                self._temporary.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Add data at the end.

        Raises:
            OSError: There is no room left.
        """
        self._file.write(data)

    def keep_part(self) -> Path | None:
        """Keep what has been written so far, because no more will be, under a name that is free.

        Returns:
            Its path; None if nothing has been written.
        """
        if not self._file.tell():
            return None
        for number in itertools.count(1):
            part = self._path.with_name(f"{self._path.stem}.part{number if number > 1 else ''}{self._path.suffix}")
            try:
                os.link(self._temporary, part)
            except FileExistsError:
                continue
            except OSError:  # a file system without links
                break
            return part
        self._is_part = True
        return self._temporary

    def _take_name(self) -> None:
        if self._force:
            if self._path.exists():
                self._temporary.chmod(stat.S_IMODE(self._path.stat().st_mode))
            self._temporary.replace(self._path)
            return
        try:
            os.link(self._temporary, self._path)  # unlike a renaming, it fails if somebody else was faster
        except FileExistsError:
            require_free(self._path, force=False)
            raise
        except OSError:  # a file system without links
            require_free(self._path, force=False)
            self._temporary.replace(self._path)


def require_free(path: Path, *, force: bool) -> None:
    """Check that a file may be written.

    Raises:
        InvalidRequest: There is something at the path that is not to be replaced, or no folder for it.
    """
    if not path.parent.is_dir():
        raise InvalidRequest(f"{path} cannot be written, because there is no folder {path.parent}; create it first")
    if path.exists() and not path.is_file():
        raise InvalidRequest(f"{path} is not a regular file; give the path of a file or of a folder")
    if path.exists() and not force:
        raise InvalidRequest(f"{path} already exists; give another path, or replace it with --force")
