"""Files that others change while the service runs."""

import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["FileWatch"]

_SECONDS = 1.0


class FileWatch:
    """Tell when files change, by looking at most once per second, and without opening them.

    Args:
        paths: The files; they need not exist.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)
        self._state = self._look()
        self._next_look = 0.0

    def has_changed(self) -> bool:
        """Return whether one of them is not as it was when this, or the constructor, last looked."""
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + _SECONDS
        before, self._state = self._state, self._look()
        return self._state != before

    def _look(self) -> tuple[object, ...]:
        return tuple(map(_state, self._paths))


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
