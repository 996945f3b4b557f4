"""Child side of a process that reads pictures for `peers.py`: JSON lines in, JSON lines out.

This runs in each peer's environment, so it needs only the standard library.
"""

import ctypes
import importlib.metadata
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Line", "PeerOptions", "Reader", "serve"]

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

Line = tuple[str, list[list[float]]]
"""A text and its corners (x, y), in pixels of the picture."""


class PeerOptions(NamedTuple):
    """Options shared by all peers.

    Attributes:
        threads: CPU threads, at least 1.
        side_limit: Longer side that a picture is shrunk to for detection, in pixels.
        det: Folder of the detection model in Paddle's format; this and what follows is empty if no peer needs it.
        cls: Folder of the angle classifier.
        rec: Folder of the recognition model.
        dictionary: The recogniser's characters, one per line.
    """

    threads: int
    side_limit: int
    det: str = ""
    cls: str = ""
    rec: str = ""
    dictionary: str = ""


class Reader(NamedTuple):
    """Functions with which one peer reads.

    Attributes:
        read: Takes the bytes of a picture file. This is what is timed.
        lines: Takes what `read` returned.
    """

    read: Callable[[bytes], Any]
    lines: Callable[[Any], Iterable[Line]]


def serve(create: Callable[[PeerOptions], Reader], distributions: Sequence[str]) -> None:
    """Read pictures until standard input ends.

    The last argument of the command line is a `PeerOptions` as a JSON array. The first line out is
    `{"versions": {...}}`; then each line in, `{"path": "..."}`, is answered with `milliseconds`, `lines` and
    `peak_memory` (bytes, of this process since its start), or with `error`.

    Args:
        create: Builds the reader.
        distributions: Packages whose versions are reported.
    """
    # A stopped process cannot notice that its parent is gone, so the kernel kills it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Libraries print to standard output, even from C++: redirect that to standard error.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    options = PeerOptions(*json.loads(sys.argv[-1]))
    # Limit OpenCV and NumPy as well, whose thread pools default to the number of CPUs.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])

    def answer(message: dict[str, object]) -> None:
        print(json.dumps(message), file=answers, flush=True)

    reader = create(options)
    answer({"versions": {name: importlib.metadata.version(name) for name in distributions}})
    for request in sys.stdin:
        try:
            answer(_read(reader, json.loads(request)["path"]))
        except Exception as error:  # peers may raise anything; the parent names the picture
            answer({"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]})


def _read(reader: Reader, path: str) -> dict[str, object]:
    data = Path(path).read_bytes()
    start = time.perf_counter()
    result = reader.read(data)
    milliseconds = (time.perf_counter() - start) * 1000
    return {"milliseconds": milliseconds, "lines": list(reader.lines(result)), "peak_memory": _peak_memory()}


def _peak_memory() -> int:
    # Not getrusage(): its figure starts with the parent's memory at the fork.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024
