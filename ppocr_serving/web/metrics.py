"""What the server counts and measures of its requests; `ppocr_serving.web.exposition` shows it.

The server's process sees every request, whichever process answers it, so that it alone counts. Labels come from the
code and the configuration, never from a request: nothing here grows with what clients send.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple, get_args

from ppocr_serving.errors import OcrError
from ppocr_serving.settings import AdapterName
from ppocr_serving.timing import STAGES
from ppocr_serving.web.contract import MODULE_NAMES
from ppocr_serving.web.record import Outcome
from ppocr_serving.workers.messages import Answer

__all__ = ["Histogram", "Metrics", "RequestLabels", "Work"]

_NO_DOOR = "none"  # of requests to other paths: those of platforms, and those where there is nothing
_INTERNAL_ERROR = "internal_error"  # all errors that are not deliberate ones: faults, and a lack of memory
# Documents may take minutes.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_MODULES: Final = frozenset((*MODULE_NAMES, *get_args(AdapterName)))  # "none" is the name of no adapter


class RequestLabels(NamedTuple):
    """What requests are counted by.

    Attributes:
        door: Name of the door, or `none`.
        module: One of the four modules, the name of an adapter, or empty.
        status: HTTP status.
        key: Name of the client's key, or empty.
    """

    door: str
    module: str
    status: int
    key: str


class Work:
    """What has been read.

    Attributes:
        pictures: Pictures in requests.
        pages: Pages that were read.
        pixels: Pixels of all of them.
        lines: Items in answers.
        reread: Lines that the second recogniser has read.
    """

    def __init__(self) -> None:
        self.pictures = 0
        self.pages = 0
        self.pixels = 0
        self.lines = 0
        self.reread = 0


class Histogram:
    """How many durations were how long.

    Attributes:
        total: Seconds of all together.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self._counts = [0] * (len(_SECONDS) + 1)

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(_SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return upper bounds in seconds, the last one `+Inf`, and how many durations were up to each of them."""
        bounds = (*(f"{bound:g}" for bound in _SECONDS), "+Inf")
        reached = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip(bounds, self._counts, strict=True):
            reached += count
            found.append((bound, reached))
        return found


class Metrics:
    """Counts and times since the start of the server.

    Attributes:
        requests: Number of requests.
        refused: Number of requests that were answered with an error, by its code; all codes are there from the start.
        work: What was read, by the name of the client's key.
        request_seconds: From the arrival of the head to the answer, by door.
        stage_seconds: Each stage of each request that has it; all stages are there from the start.
        queue_seconds: Waiting for the first turn, of requests that had one.
    """

    def __init__(self) -> None:
        self.requests: defaultdict[RequestLabels, int] = defaultdict(int)
        self.refused = dict.fromkeys(sorted({_INTERNAL_ERROR, *_codes()}), 0)
        self.work: defaultdict[str, Work] = defaultdict(Work)
        self.work[""] = Work()
        self.request_seconds: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.stage_seconds = {stage: Histogram() for stage in STAGES}
        self.queue_seconds = Histogram()

    def note(self, outcome: Outcome) -> None:
        """Count a request that has been answered."""
        door = outcome.door or _NO_DOOR
        module = outcome.module if outcome.module in _MODULES else ""
        self.requests[RequestLabels(door, module, outcome.status, outcome.key)] += 1
        self.request_seconds[door].observe(outcome.seconds)
        if outcome.error:
            self.refused[outcome.error if outcome.error in self.refused else _INTERNAL_ERROR] += 1
        self.note_work(outcome.key, outcome.answer)

    def note_work(self, key: str, answer: Answer) -> None:
        """Count what a process has done for a request.

        Args:
            key: Name of the client's key, or empty.
            answer: What it says of that.
        """
        if not answer.waited:  # no process has begun with it
            return
        self.queue_seconds.observe(answer.waited)
        work = self.work[key]
        work.pictures += answer.pictures
        work.pages += answer.pages
        work.pixels += answer.pixels
        work.lines += answer.lines
        work.reread += answer.reread
        for stage, seconds in answer.stages.items():
            histogram = self.stage_seconds.get(stage)
            if histogram is not None:
                histogram.observe(seconds)


def _codes(kind: type[OcrError] = OcrError) -> Iterator[str]:
    for narrower in kind.__subclasses__():
        yield narrower.code
        yield from _codes(narrower)
