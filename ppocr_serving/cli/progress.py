"""How far a command with many files has come: a bar on terminals, a line now and then elsewhere."""

import shutil
import sys
import time
from typing import Final, TextIO

__all__ = ["Progress"]

_REDRAW_SECONDS: Final = 0.2
_LINE_SECONDS: Final = 15.0
_FEW: Final = 10
_BAR: Final = 24


class Progress:
    """Write how many files are done, how fast, and how long the others will take.

    Args:
        name: The command, with which lines begin.
        total: How many files there are.
        stream: Usually standard error; None for silence.
    """

    def __init__(self, name: str, total: int, stream: TextIO | None) -> None:
        self._name = name
        self._total = total
        self._stream = stream
        self._is_terminal = stream is not None and stream.isatty()
        self._start = time.monotonic()
        self._next = self._start + (0 if self._is_terminal else _LINE_SECONDS)
        self._drawn = False
        self.has_written = False

    def show(self, done: int, computed: int, failed: int) -> None:
        """Say how far it is, unless that has been said a moment ago.

        Args:
            done: Files that are done.
            computed: Those of them that took time: not those that had been done before.
            failed: Those of them that could not be read.
        """
        now = time.monotonic()
        if self._stream is None or (now < self._next and done < self._total) or not (done or self._is_terminal):
            return
        if not self._is_terminal and (done == self._total or self._total < _FEW):
            return
        self._next = now + (_REDRAW_SECONDS if self._is_terminal else _LINE_SECONDS)
        rate = computed / max(now - self._start, 1e-6)
        text = f"{done} of {self._total} files"
        if failed:
            text += f", {failed} failed"
        if computed:
            text += f", {rate:.1f} files/s, {_duration((self._total - done) / rate)} left"
        self.has_written = True
        if not self._is_terminal:
            print(f"{self._name}: {text}", file=self._stream, flush=True)
            return
        filled = _BAR * done // max(self._total, 1)
        line = f"{self._name}: [{'#' * filled}{'.' * (_BAR - filled)}] {text}"
        self._drawn = True
        # Back to the start of the line, then clear the rest of an earlier, longer text.
        print(f"\r{line[: shutil.get_terminal_size().columns - 1]}\x1b[K", end="", file=self._stream, flush=True)

    def line(self, text: str) -> None:
        """Write a line in place of the bar, which comes again below it."""
        self.end()
        print(f"{self._name}: {text}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the bar away."""
        if self._drawn:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
            self._drawn = False
            self._next = 0.0


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
