"""Measure whether a server's memory grows: start it, send it hundreds of different pictures, and watch its processes.

The pictures go to all four modules in twelve parts, by one client and by eight clients in turn. Then comes one huge
picture, with a few ordinary ones before and after it. Every answer is checked. The table has the resident memory of the
process that answers, and that of all processes with shared pages counted once. 1 MB is a million bytes.

COMMAND starts the server; the default is PaddleHub's with the four modules. `{port}` in its words is replaced by the
port to listen on, which is also in the variable PORT. PPOCR_HOST is set to the loopback interface, and all other
variables of the environment are passed on. The exit status is 1 if a request failed or a figure exceeds its limit.
"""

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.server import check_running, serving, wait_until_ready
from benchmarks.soak_memory import Sample, recording
from benchmarks.soak_pictures import MOST_LINES, page_plan, plan_pictures
from benchmarks.soak_report import report
from benchmarks.soak_requests import Tally, send

__all__ = ["Figures", "summarize"]

_PARTS = 12
_CLIENTS = (1, 8)
_ORDINARY = 10  # pictures before the huge one, and as many after it
_HUGE_SIDE = 7000  # pixels; just below the 50 million that a picture may have by default


class Figures(NamedTuple):
    """One way of counting memory, in bytes.

    Attributes:
        ready: When the server had just become ready.
        maximum: The peak from the start of the server to the answer to the last of the different pictures.
        first: Median over the time of the last twelfth of the pictures in the first half.
        second: Likewise in the second half.
        before_huge: Median over the time of the ordinary pictures before the huge one.
        huge: The peak while the huge one was read.
        after_huge: Median over the time of the ordinary pictures after the huge one.
    """

    ready: float
    maximum: float
    first: float
    second: float
    before_huge: float
    huge: float
    after_huge: float

    @property
    def growth(self) -> float:
        """Growth from `first` to `second` in percent."""
        return (self.second / self.first - 1) * 100

    @property
    def kept(self) -> float:
        """Growth from `before_huge` to `after_huge` in percent."""
        return (self.after_huge / self.before_huge - 1) * 100


def summarize(samples: Sequence[Sample], ready: int, pictures: int) -> tuple[Figures, Figures]:
    """Summarize the samples of a run.

    Args:
        samples: All of them.
        ready: How many were taken before the server was ready.
        pictures: How many different pictures there were, without the ordinary ones and the huge one.

    Returns:
        The memory of the process that answers, and of all processes.
    """
    numbers = [sample.picture for sample in samples]
    part = pictures // _PARTS

    def figures(values: Sequence[int], peaks: Sequence[int]) -> Figures:
        def between(of: Sequence[int], first: int, last: int) -> list[int]:
            chosen = [value for value, number in zip(of, numbers, strict=True) if first <= number < last]
            # The pictures were too fast to be sampled: use the next sample.
            return chosen or [next(value for value, number in zip(of, numbers, strict=True) if number >= last)]

        huge = pictures + _ORDINARY
        return Figures(
            ready=values[ready],
            maximum=max(between(peaks, 0, pictures)),
            first=median(between(values, pictures // 2 - part, pictures // 2)),
            second=median(between(values, pictures - part, pictures)),
            before_huge=median(between(values, pictures, huge)),
            huge=max(between(peaks, huge, huge + 1)),
            after_huge=median(between(values, huge + 1, huge + 1 + _ORDINARY)),
        )

    worker = figures([sample.worker for sample in samples], [sample.worker_peak for sample in samples])
    return worker, figures([sample.total for sample in samples], [sample.total_peak for sample in samples])


def _send_all(url: str, pictures: int, seed: int, tally: Tally) -> float:
    """Send all pictures; return the seconds taken by those before the ordinary ones."""
    start = time.perf_counter()
    plans = plan_pictures(pictures, seed)
    part = pictures // _PARTS
    for number in range(_PARTS):
        send(url, plans[number * part : (number + 1) * part], _CLIENTS[number % len(_CLIENTS)], tally)
    seconds = time.perf_counter() - start
    huge = pictures + _ORDINARY + 1
    ordinary = [page_plan(number, 640, 480, 12, seed + number) for number in range(pictures + 1, huge + 1 + _ORDINARY)]
    send(url, ordinary[:_ORDINARY], 1, tally)
    send(url, [page_plan(huge, _HUGE_SIDE, _HUGE_SIDE, MOST_LINES, seed + huge)], 1, tally)
    send(url, ordinary[_ORDINARY + 1 :], 1, tally)
    return seconds


def _print_table(columns: tuple[Figures, Figures], pictures: int) -> None:
    half, part = pictures // 2, pictures // _PARTS
    rows = (
        ("ready", "ready", "MB"),
        (f"most until picture {pictures}", "maximum", "MB"),
        (f"median, pictures {half - part + 1} to {half}", "first", "MB"),
        (f"median, pictures {pictures - part + 1} to {pictures}", "second", "MB"),
        ("growth", "growth", "%"),
        ("before the huge picture", "before_huge", "MB"),
        (f"most with the huge picture, {_HUGE_SIDE} x {_HUGE_SIDE}", "huge", "MB"),
        ("after the huge picture", "after_huge", "MB"),
        ("kept of it", "kept", "%"),
    )
    print("| memory | the process that answers, resident | all processes, shared pages counted once |")
    print("|---|---|---|")
    for title, name, unit in rows:
        values = [getattr(column, name) for column in columns]
        cells = [f"{value / 1e6:.0f} MB" if unit == "MB" else f"{value:+.1f} %" for value in values]
        print(f"| {title} | {' | '.join(cells)} |")


def _exceeded(columns: tuple[Figures, Figures], options: argparse.Namespace) -> Iterator[str]:
    """Yield a line for each figure above its limit; the higher of the two counts is decisive."""
    most = max(max(column.maximum, column.huge) for column in columns) / 1e6
    if options.max_mb is not None and most > options.max_mb:
        yield f"peak memory is {most:.0f} MB, above --max-mb {options.max_mb:g}"
    growth = max(column.growth for column in columns)
    if growth > options.max_growth:
        yield f"the growth is {growth:.1f} %, above --max-growth {options.max_growth:g}"
    kept = max(column.kept for column in columns)
    if kept > options.max_after_huge:
        yield f"the memory kept of the huge picture is {kept:.1f} %, above --max-after-huge {options.max_after_huge:g}"


def _write_series(path: Path, samples: Sequence[Sample]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("picture", "seconds", "worker_mb", "all_mb"))
        for sample in samples:
            writer.writerow(
                (sample.picture, f"{sample.seconds:.2f}", f"{sample.worker / 1e6:.1f}", f"{sample.total / 1e6:.1f}")
            )


def _soak(options: argparse.Namespace) -> Iterator[str]:
    """Run the soak and print the table; yield a line for each failed check."""
    tally = Tally()
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        serving(options.command, Path(folder)) as (process, url),
        recording(process.pid, lambda: tally.answered) as memory,
    ):
        log = Path(folder, "log")
        wait_until_ready(process, url, log)
        memory.mark_ready()
        seconds = _send_all(url, options.pictures, options.seed, tally)
        check_running(process, log, "before the last answer")
    if options.series:
        _write_series(options.series, memory.samples)
    columns = summarize(memory.samples, memory.ready, options.pictures)
    _print_table(columns, options.pictures)
    print(
        f"\n{options.pictures} pictures in {seconds:.0f} s, {options.pictures / seconds:.1f} per second; "
        f"{tally.lines} lines for ocr_system, {tally.lines_read / max(1, tally.lines):.1%} of them read; "
        f"requests failed: {len(tally.failures)}; processes replaced: {memory.replaced_workers()}"
    )
    if tally.failures:
        yield f"{len(tally.failures)} requests failed, the first: {tally.failures[0]}"
    yield from _exceeded(columns, options)


def _picture_count(text: str) -> int:
    count = int(text)
    if count < _PARTS or count % _PARTS:
        raise argparse.ArgumentTypeError(f"{count} is not a multiple of {_PARTS}")
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pictures",
        type=_picture_count,
        default=600,
        help=f"number of pictures, a multiple of {_PARTS} (default: 600)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the pictures (default: 0)")
    parser.add_argument("--series", type=Path, metavar="FILE", help="CSV file to write all samples to")
    parser.add_argument("--max-mb", type=float, metavar="MB", help="limit of the peak memory (default: none)")
    parser.add_argument("--max-growth", type=float, default=3.0, metavar="PERCENT", help="limit (default: 3)")
    parser.add_argument("--max-after-huge", type=float, default=10.0, metavar="PERCENT", help="limit (default: 10)")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="command that starts the server, after --")
    options = parser.parse_args(arguments)
    return report(_soak(options))


if __name__ == "__main__":
    sys.exit(main())
