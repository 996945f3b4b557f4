"""Wall time of one request by stage."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

__all__ = ["STAGES", "Stopwatch"]

STAGES = (
    "fetch",
    "decode",
    "det_prepare",
    "det_engine",
    "det_decode",
    "crop",
    "rec_prepare",
    "rec_engine",
    "rec_decode",
    "reread_prepare",
    "reread_engine",
    "reread_decode",
    "cls_prepare",
    "cls_engine",
    "layout",
    "encode",
)
"""The stages in the order in which a picture passes through them."""


class Stopwatch:
    """Add up the wall time of one request by stage; not to be shared between threads.

    Args:
        before_stage: Called with the name of each stage that is not nested in another, before it begins and its time
            counts. It may wait, so that others come first, and raise, to end the request. `check` calls it within a
            stage, with an empty name.
        aside: Lets other requests compute for a block that waits for something else; see `waiting`.

    Attributes:
        seconds: Time by stage, in seconds; only stages that ran.
        lines_reread: Lines that a second recogniser has read: again, or straight away.
    """

    def __init__(
        self,
        before_stage: Callable[[str], None] | None = None,
        aside: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.seconds: dict[str, float] = {}
        self.lines_reread = 0
        self._before_stage = before_stage
        self._aside = aside
        self._inner = 0.0
        self._depth = 0

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the enclosed block as part of `stage`, except for nested blocks, which count for their own stages."""
        if self._before_stage is not None and not self._depth:
            self._before_stage(stage)
        self._depth += 1
        outer, self._inner = self._inner, 0.0
        self.seconds.setdefault(stage, 0.0)  # in the order in which stages begin
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[stage] += elapsed - self._inner
            self._inner = outer + elapsed
            self._depth -= 1

    def check(self) -> None:
        """End the request if it has to end; called while a stage waits for something.

        Calls `before_stage` with an empty name.
        """
        if self._before_stage is not None:
            self._before_stage("")

    @contextmanager
    def waiting(self, stage: str) -> Iterator[None]:
        """Time the enclosed block, which waits and computes nothing, as `stage`: others may compute meanwhile."""
        self.seconds.setdefault(stage, 0.0)
        with self._aside():
            start = time.perf_counter()
            try:
                yield
            finally:
                self.seconds[stage] += time.perf_counter() - start

    def for_thread(self) -> "Stopwatch":
        """Return a stopwatch for another thread that works for the same request; see `include`."""
        return Stopwatch(self._before_stage)

    def include(self, others: "Sequence[Stopwatch]") -> None:
        """Add the times of threads that ran in parallel: the mean of each stage."""
        for other in others:
            for stage, seconds in other.seconds.items():
                self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds / len(others)
