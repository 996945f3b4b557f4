"""Several files at a time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

__all__ = ["each"]

_T = TypeVar("_T")
_R = TypeVar("_R")


def each(function: Callable[[_T], _R], tasks: Iterable[_T], jobs: int, *, in_order: bool) -> Iterator[tuple[_T, _R]]:
    """Call a function with each task.

    Args:
        function: Called from other threads, unless there is one job.
        tasks: Consumed when there is room for another.
        jobs: How many calls run at a time, at least 1.
        in_order: Yield in the order of the tasks; else in that in which they are done.

    Yields:
        Each task and what was returned for it. After an interruption, what was done by then is yielded before it is
        raised.
    """
    if jobs == 1:
        for task in tasks:
            yield task, function(task)
        return
    left = iter(tasks)
    under_way: dict[Future[_R], _T] = {}
    executor = ThreadPoolExecutor(jobs)
    try:
        while True:
            # Twice as many: what is done waits while something else is written, and memory stays bounded.
            under_way.update(
                {executor.submit(function, task): task for task in islice(left, 2 * jobs - len(under_way))}
            )
            if not under_way:
                return
            done = wait([next(iter(under_way))] if in_order else under_way, return_when=FIRST_COMPLETED).done
            for future in done:
                yield under_way.pop(future), future.result()
    except KeyboardInterrupt:
        executor.shutdown(wait=False, cancel_futures=True)
        for future in [future for future in under_way if future.done() and not future.cancelled()]:
            yield under_way.pop(future), future.result()
        raise
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
