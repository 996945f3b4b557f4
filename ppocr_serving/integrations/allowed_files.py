"""Files that a caller may name: those in folders that were allowed, wherever links lead."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ppocr_serving.errors import InvalidRequest, InvalidSetting, LimitExceeded
from ppocr_serving.values import shortened

__all__ = ["AllowedFiles"]

_OPEN_FILES: Final = Path("/proc/self/fd")


class AllowedFiles:
    """Read files that lie in certain folders.

    Args:
        folders: The folders; without any, no file is read.
        max_bytes: Largest file.

    Attributes:
        folders: As given, absolute and without links.

    Raises:
        InvalidSetting: One of them is not a folder.
    """

    def __init__(self, folders: Iterable[Path], max_bytes: int) -> None:
        self.folders = tuple(map(_folder, folders))
        self._max_bytes = max_bytes

    def read(self, path: str) -> bytes:
        """Return the bytes of a file.

        Args:
            path: An absolute path, or one that begins in one of the folders.

        Raises:
            InvalidRequest: It cannot be read, or does not lie in one of the folders.
            LimitExceeded: It is too large.
        """
        if not self.folders:
            raise InvalidRequest(f"path {shortened(path)}: no files are open to this tool; send the file as data")
        real = self._locate(path)
        try:
            # Neither waits for a writer of a pipe, nor follows a link that has taken the file's place meanwhile.
            file = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise InvalidRequest(
                f"path {shortened(path)}: does not exist; paths begin in a folder that is open to this tool: "
                f"{self._listed()}"
            ) from error
        except OSError as error:
            raise InvalidRequest(f"path {shortened(path)}: cannot be read ({error.strerror})") from error
        try:
            # So may a folder on the way to it have been replaced: what counts is what has been opened.
            if not self._contains((_OPEN_FILES / str(file)).readlink()):
                raise self._outside(path)
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise InvalidRequest(f"path {shortened(path)}: is not a file; give a picture or PDF file")
            self.require_size(status.st_size, f"path {shortened(path)}")
            with os.fdopen(file, "rb", closefd=False) as opened:
                return opened.read(self._max_bytes)
        finally:
            os.close(file)

    def require_size(self, size: int, name: str) -> None:
        """Refuse a file that is too large.

        Args:
            size: Its bytes.
            name: The file in the message.

        Raises:
            LimitExceeded: It is.
        """
        if size > self._max_bytes:
            raise LimitExceeded(
                f"{name}: has {size} bytes; the limit is {self._max_bytes}, raise PPOCR_MAX_BODY_MB or split the file"
            )

    def _locate(self, path: str) -> Path:
        """Return where a path leads: the file that exists, or else one that may be named."""
        named = []
        for folder in self.folders:
            try:
                real = Path(os.path.realpath(folder / path))
            except (OSError, ValueError) as error:  # a null character
                raise InvalidRequest(f"path {shortened(path)}: is not the path of a file") from error
            if self._contains(real):
                named.append(real)
        if not named:
            raise self._outside(path)
        return next((real for real in named if real.exists()), named[0])

    def _contains(self, real: Path) -> bool:
        return any(real.is_relative_to(folder) for folder in self.folders)

    def _outside(self, path: str) -> InvalidRequest:
        # The same whether or not there is such a file: nobody may look around outside.
        return InvalidRequest(f"path {shortened(path)}: is not in a folder that is open to this tool: {self._listed()}")

    def _listed(self) -> str:
        return ", ".join(map(str, self.folders))


def _folder(path: Path) -> Path:
    try:
        real = path.resolve(strict=True)
    except OSError as error:
        raise InvalidSetting(f"--root {shortened(str(path))}: {error.strerror}; give a folder") from error
    if not real.is_dir():
        raise InvalidSetting(f"--root {shortened(str(path))}: is not a folder; give a folder")
    return real
