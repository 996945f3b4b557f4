"""Parent side of a process that reads pictures for `peers.py`."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self, cast

from benchmarks.labels import LabelledLine, labelled_line
from benchmarks.peer_loop import PeerOptions

__all__ = ["PeerFailed", "PeerProcess", "Reading"]

_ROOT = Path(__file__).parents[1]
_SECONDS_TO_END = 10


class PeerFailed(Exception):
    """A peer cannot be started or cannot read a picture."""


class Reading(NamedTuple):
    """One picture, read once.

    Attributes:
        milliseconds: From the file's bytes to the answer.
        lines: What was read.
        peak_memory: Most resident memory of the process so far, in bytes.
    """

    milliseconds: float
    lines: list[LabelledLine]
    peak_memory: int


class PeerProcess:
    """A running peer, stopped whenever it is not reading, so that it never competes with another peer.

    It would otherwise, because Intel's OpenMP keeps threads spinning for 200 ms after each call.

    Attributes:
        name: The peer's name.
        versions: Its packages and their versions.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        options: PeerOptions,
        environment: Mapping[str, str],
        log: Path,
    ) -> None:
        """Start the process and wait until its libraries are loaded.

        Args:
            name: The peer's name.
            command: A Python and a module that calls `peer_loop.serve`, with that module's arguments.
            options: Options shared by all peers.
            environment: Environment variables on top of this process's.
            log: A file for the peer's output.

        Raises:
            PeerFailed: It did not start.
            OSError: There is no such Python, or the log cannot be written.
        """
        self.name = name
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as stream:
            self._process = subprocess.Popen(
                [*command, json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                cwd=_ROOT,  # `python -m` looks for modules there
                env={**os.environ, **environment},
                text=True,
                encoding="utf-8",
            )
        self._requests = cast("IO[str]", self._process.stdin)
        self._answers = cast("IO[str]", self._process.stdout)
        try:
            self.versions: dict[str, str] = self._receive()["versions"]
        except BaseException:
            self.close()
            raise
        self._process.send_signal(signal.SIGSTOP)

    def read(self, path: Path) -> Reading:
        """Read one picture.

        Args:
            path: Absolute path of its file.

        Raises:
            PeerFailed: The peer cannot read the picture, or the process has ended.
        """
        self._process.send_signal(signal.SIGCONT)
        try:
            print(json.dumps({"path": str(path)}), file=self._requests, flush=True)
            answer = self._receive()
        except BrokenPipeError:
            raise self._ended() from None
        self._process.send_signal(signal.SIGSTOP)
        if "error" in answer:
            raise PeerFailed(f"{self.name} cannot read {path}: {answer['error']}; leave out the picture or the peer")
        lines = [labelled_line(text, corners) for text, corners in answer["lines"]]
        return Reading(answer["milliseconds"], lines, answer["peak_memory"])

    def close(self) -> None:
        """End the process."""
        self._process.send_signal(signal.SIGCONT)
        with contextlib.suppress(BrokenPipeError):  # from a process that ended before it read the last request
            self._requests.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self) -> dict[str, Any]:
        answer = self._answers.readline()
        if not answer:
            raise self._ended()
        message: dict[str, Any] = json.loads(answer)
        return message

    def _ended(self) -> PeerFailed:
        last_words = self._log.read_text(encoding="utf-8", errors="replace").split("\n")[-2:-1]
        return PeerFailed(f"{self.name} exited unexpectedly ({''.join(last_words)[:300]}); see {self._log}")
