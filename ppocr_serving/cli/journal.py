"""What has been read into a folder, so that an interrupted command can go on."""

import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

__all__ = ["JOURNAL", "Journal"]

JOURNAL: Final = ".ppocr-read.jsonl"


class _Entry(msgspec.Struct, frozen=True):
    """A file that was read.

    Attributes:
        output: The file that was written, relative to the folder.
        content: SHA-256 of the file that was read.
        options: What it was read with: the fingerprint of models, options and format.
        size: Bytes of the output.
    """

    output: str
    content: str
    options: str
    size: int


class Journal:
    """The journal of a folder: a line for each file that has been written. Use it in a `with` block.

    Args:
        folder: The folder.
        options: The fingerprint of what files are read with.

    Raises:
        OSError: It cannot be read or written.
    """

    def __init__(self, folder: Path, options: str) -> None:
        self._folder = folder
        self._options = options
        self._path = folder / JOURNAL
        self.is_new = not self._path.exists()
        self._entries: dict[str, _Entry] = {}
        self._file = self._path.open("a+b")
        self._file.seek(0)
        rows = self._file.read().split(b"\n")
        for row in rows:
            try:
                entry = msgspec.json.decode(row, type=_Entry)
            except msgspec.MsgspecError:  # the process ended while it wrote the last line
                continue
            self._entries[entry.output] = entry
        if rows[-1]:
            self._file.write(b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def has(self, output: Path, content: str) -> bool:
        """Return whether a file has been read with the same options, and what was written is still there."""
        entry = self._entry(output)
        if entry is None or (entry.content, entry.options) != (content, self._options):
            return False
        try:
            return output.stat().st_size == entry.size
        except OSError:
            return False

    def owns(self, output: Path) -> bool:
        """Return whether a file was written by such a command, and may be replaced by it."""
        return self._entry(output) is not None

    def add(self, output: Path, content: str, *, is_complete: bool) -> None:
        """Add a file that has been written.

        Args:
            output: What was written.
            content: SHA-256 of what was read.
            is_complete: Whether all of its pages could be read; else it is to be read again.

        Raises:
            OSError: There is no room left.
        """
        options = self._options if is_complete else ""
        entry = _Entry(self._key(output), content, options, output.stat().st_size)
        self._entries[entry.output] = entry
        self._file.write(msgspec.json.encode(entry) + b"\n")
        self._file.flush()

    def remove(self) -> None:
        """Remove the journal of a folder in which everything is done."""
        self._path.unlink(missing_ok=True)

    def _entry(self, output: Path) -> _Entry | None:
        return self._entries.get(self._key(output))

    def _key(self, output: Path) -> str:
        """Return an output's path in the folder, in a form that UTF-8 can hold."""
        return os.fsencode(os.path.relpath(output, self._folder)).decode(errors="backslashreplace")
