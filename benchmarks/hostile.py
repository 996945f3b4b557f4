"""Measure what hostile and legitimate picture files cost, compared with ordinary ones of as many pixels.

    python -m benchmarks.hostile [WORD...]

Prints a table of the files whose name contains one of the words, or of all. Times are medians of five, in a process
that has decoded before; the allowance is three times an ordinary file of as many pixels, or a second. Memory is the
most that the process and those it starts have beyond what they had before, shared pages counted once; the allowance is
four times the decoded size and 64 MB. Exits with 1 if a file exceeds an allowance or a legitimate one is refused.
"""

import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from benchmarks.hostile_files import HOSTILE, LEGITIMATE, Make, baseline_jpeg, plain_png

_REPETITIONS = 5
_TIMES, _SECONDS = 3, 1.0
_TIMES_DECODED, _MB = 4, 64
_BGR_BYTES = 3
_SAMPLE_SECONDS = 0.004
_PROGRAM = """
import sys
from pathlib import Path
from ppocr_serving.errors import OcrError
from ppocr_serving.vision.pictures import decode_picture
for line in sys.stdin:
    data = Path(line.strip()).read_bytes()
    print(flush=True)
    sys.stdin.readline()
    try:
        decode_picture(data, 60_000_000)
        answer = "read"
    except (OcrError, MemoryError) as error:
        answer = f"{type(error).__name__}: {error}"
    print(answer, flush=True)
"""


class Cost(NamedTuple):
    """What a file costs.

    Attributes:
        seconds: Median.
        megabytes: The most that was in memory beyond what was before.
        answer: "read", or why not.
    """

    seconds: float
    megabytes: float
    answer: str


class Decoder:
    """A process that decodes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._folder = tempfile.TemporaryDirectory()

    def cost(self, data: bytes) -> Cost:
        """Measure a file."""
        path = Path(self._folder.name) / "picture"
        path.write_bytes(data)
        times = []
        for _ in range(_REPETITIONS):
            before = _cpu_seconds(self._process.pid)
            self._decode(path)
            times.append(_cpu_seconds(self._process.pid) - before)
        with self._sampling() as peak:
            answer = self._decode(path, peak)
            megabytes = max(peak) - peak[0]
        return Cost(statistics.median(times), megabytes, answer)

    def close(self) -> None:
        """End it."""
        self._process.communicate()
        self._folder.cleanup()

    def _decode(self, path: Path, peak: list[float] | None = None) -> str:
        """Decode a file; return how that ended. If there is a list, it is reset to the memory just before."""
        self._say(str(path))
        self._hear()
        if peak is not None:
            peak[:] = [_megabytes(self._process.pid)]
        self._say("")
        return self._hear()

    def _say(self, line: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def _hear(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout is not None else ""

    @contextmanager
    def _sampling(self) -> Iterator[list[float]]:
        peak = [0.0]
        over = threading.Event()

        def sample() -> None:
            while not over.wait(_SAMPLE_SECONDS):
                peak.append(_megabytes(self._process.pid))

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield peak
        finally:
            over.set()
            thread.join()


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, of its children, and of theirs that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + sum(_cpu_seconds(int(child)) for child in children)


def _megabytes(pid: int) -> float:
    """Return the memory of a process and its descendants; each page counts once."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    own = next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0) / 1024
    return own + sum(_megabytes(int(child)) for child in children)


def main(words: list[str]) -> int:
    """Print the table; return the number of files that break a rule."""
    decoder = Decoder()
    # Both ways are in use before anything is measured.
    for name in ("TIFF, fax", "PNG, RGBA"):
        decoder.cost(LEGITIMATE[name][1]())

    @cache
    def ordinary(pixels: int) -> float:
        size = (math.isqrt(pixels), math.isqrt(pixels))
        return max(decoder.cost(make(size)).seconds for make in (baseline_jpeg, plain_png))

    broken = 0
    print("| file | MB | seconds | of an ordinary one | memory, MB | of its decoded size | |")
    print("|---|---|---|---|---|---|---|")
    start = time.monotonic()
    for files, must_be_read in ((HOSTILE, False), (LEGITIMATE, True)):
        for name, (size, make) in files.items():
            if words and not any(word in name for word in words):
                continue
            broken += _print_row(decoder, ordinary(size[0] * size[1]), name, size, make, must_be_read)
    print(f"\n{broken} files break a rule; {time.monotonic() - start:.0f} s")
    decoder.close()
    return broken


def _print_row(
    decoder: Decoder, ordinary: float, name: str, size: tuple[int, int], make: Make, must_be_read: bool
) -> bool:
    data = make()
    cost = decoder.cost(data)
    decoded = size[0] * size[1] * _BGR_BYTES / 1e6
    is_broken = (
        cost.seconds > max(_SECONDS, _TIMES * ordinary)
        or cost.megabytes * 1.048576 > _TIMES_DECODED * decoded + _MB
        or (must_be_read and cost.answer != "read")
    )
    columns = (
        name,
        f"{len(data) / 1e6:.1f}",
        f"{cost.seconds:.2f}",
        f"{cost.seconds / max(0.001, ordinary):.1f}",
        f"{cost.megabytes:.0f}",
        f"{cost.megabytes * 1.048576 / decoded:.1f}",
        ("**broken** " if is_broken else "") + cost.answer,
    )
    print("|", " | ".join(columns), "|", flush=True)
    return is_broken


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
