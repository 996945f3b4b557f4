"""Download progress: a bar on terminals, plain lines in logs."""

import time
from typing import TextIO

__all__ = ["Progress"]

_WIDTH = 30
_REDRAW_SECONDS = 0.1


class Progress:
    """Write progress to a text stream, or nowhere.

    Args:
        stream: Usually standard error; None for silence.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._drawn = False
        self._next_draw = 0.0

    @property
    def terminal(self) -> TextIO | None:
        """The stream if it is a terminal, else None."""
        return self._stream if self._stream is not None and self._stream.isatty() else None

    def line(self, text: str) -> None:
        """Write a line, below the bar if there is one."""
        if self._stream is not None:
            self.end_bar()
            print(text, file=self._stream, flush=True)

    def bar(self, done: int, total: int | None) -> None:
        """Draw the bar of the download under way, on terminals only.

        Args:
            done: Bytes so far.
            total: Total bytes, or None if the server did not declare them.
        """
        terminal = self.terminal
        now = time.monotonic()
        if terminal is None or (now < self._next_draw and done != total):
            return
        self._next_draw = now + _REDRAW_SECONDS
        self._drawn = True
        megabytes = f"{done / 1e6:.1f}"
        if total:
            filled = _WIDTH * done // total
            megabytes = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {megabytes} / {total / 1e6:.1f}"
        # Back to the start of the line, then clear the rest of an earlier, longer text.
        print(f"\r  {megabytes} MB\x1b[K", end="", file=terminal, flush=True)

    def end_bar(self) -> None:
        """End the line that the bar is drawn on, if there is one."""
        if self._drawn:
            self._drawn = False
            print(file=self._stream, flush=True)
