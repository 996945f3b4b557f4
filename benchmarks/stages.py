"""Measure the time per picture by stage, and the peak memory, over a folder of pictures.

Every configuration runs in its own process. The pictures are read once to warm up; then each configuration reads
each picture in turn, so that other load on the machine affects all of them equally. Times are medians over the
repetitions of a picture, averaged over the pictures. Where Paddle takes part and no profile is set, all read with the
profile that is Paddle's default.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from benchmarks.in_process import answer
from ppocr_serving import Reader
from ppocr_serving.engines.base import Backend, Runtime
from ppocr_serving.errors import OcrError
from ppocr_serving.models import paddle_profiles
from ppocr_serving.settings import load_settings, variable_names
from ppocr_serving.timing import STAGES, Stopwatch
from ppocr_serving.vision.pictures import picture_paths


class Reading(NamedTuple):
    """One picture, read once.

    Attributes:
        seconds: Time by stage.
        total: Seconds from the file's bytes to the answer's bytes.
        lines: Lines that were read.
        peak_memory: Peak resident memory of the process so far, in bytes.
    """

    seconds: dict[str, float]
    total: float
    lines: int
    peak_memory: int


_CONFIGURATIONS = {
    "openvino": ("engine", Runtime.OPENVINO),
    "paddle": ("engine", Runtime.PADDLE),
    "onednn": ("backend", Backend.ONEDNN),
    "native": ("backend", Backend.NATIVE),
}
"""Configurations by name. `paddle` is Paddle with its own OpenVINO, the last two are its other kernels."""

_reader: Reader  # of a measuring process; set once by `_prepare`


def _prepare(configuration: str) -> None:
    global _reader  # the only way to pass state from the initializer to later calls
    setting, value = _CONFIGURATIONS[configuration]
    os.environ[variable_names(setting)[0]] = value
    _reader = Reader()


def _read(path: Path) -> Reading:
    data = path.read_bytes()
    watch = Stopwatch()
    start = time.perf_counter()
    page = answer(_reader, data, watch).page
    total = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Reading(watch.seconds, total, len(page.lines), peak)


def measure(
    configurations: Sequence[str], pictures: Sequence[Path], repetitions: int
) -> dict[str, list[list[Reading]]]:
    """Read pictures with each configuration in alternation.

    Returns:
        By configuration, for each picture its readings after warming up.
    """
    spawn = multiprocessing.get_context("spawn")  # a fork would share what the parent has loaded
    pools = {
        name: ProcessPoolExecutor(1, mp_context=spawn, initializer=_prepare, initargs=(name,))
        for name in configurations
    }
    try:
        for pool in pools.values():
            for path in pictures:
                pool.submit(_read, path).result()
        readings: dict[str, list[list[Reading]]] = {name: [[] for _ in pictures] for name in configurations}
        for _ in range(repetitions):
            for index, path in enumerate(pictures):
                for name, pool in pools.items():
                    readings[name][index].append(pool.submit(_read, path).result())
    finally:
        for pool in pools.values():
            pool.shutdown()
    return readings


def summarize(readings: Sequence[Sequence[Reading]]) -> dict[str, float]:
    """Return milliseconds per picture by stage, and `total`: the mean over pictures of the median over repetitions."""
    summary = {
        stage: mean(median(reading.seconds.get(stage, 0.0) for reading in picture) for picture in readings) * 1000
        for stage in STAGES
    }
    summary["total"] = mean(median(reading.total for reading in picture) for picture in readings) * 1000
    return summary


def _print_table(readings: dict[str, list[list[Reading]]]) -> None:
    summaries = {name: summarize(values) for name, values in readings.items()}
    print("| ms per picture |" + "".join(f" {name} |" for name in summaries))
    print("|---|" + "---|" * len(summaries))
    for stage in (*STAGES, "total"):
        print(f"| {stage} |" + "".join(f" {summary[stage]:.1f} |" for summary in summaries.values()))
    shares = [
        1 - sum(summary[stage] for stage in STAGES if stage.endswith("_engine")) / summary["total"]
        for summary in summaries.values()
    ]
    print("| not engine time |" + "".join(f" {share:.1%} |" for share in shares))
    lines = [mean(picture[0].lines for picture in values) for values in readings.values()]
    print("| lines per picture |" + "".join(f" {count:.1f} |" for count in lines))
    peaks = [max(reading.peak_memory for picture in values for reading in picture) for values in readings.values()]
    print("| peak memory, MB |" + "".join(f" {peak / 1e6:.0f} |" for peak in peaks))
    first, *others = summaries
    for other in others:
        print(f"\n{first} is {summaries[other]['total'] / summaries[first]['total']:.2f} times faster than {other}")


def _share_profile(configurations: Sequence[str]) -> None:
    """Name the profile that all configurations can run; with defaults of their own, they would not compare."""
    variables = [
        (variable_names(setting)[0], value) for setting, value in map(_CONFIGURATIONS.__getitem__, configurations)
    ]
    profiles = [load_settings(environ={**os.environ, name: value}).models.profile for name, value in variables]
    shared = next((profile for profile in profiles if profile.name in paddle_profiles()), None)
    if shared is not None:
        os.environ.setdefault(variable_names("profile")[0], shared.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, metavar="DIR", help="pictures")
    parser.add_argument("--engine", default="openvino", choices=_CONFIGURATIONS, help="engine to measure (%(default)s)")
    parser.add_argument(
        "--against", action="append", default=[], choices=_CONFIGURATIONS, help="engine to compare it with, repeatable"
    )
    parser.add_argument("--repetitions", type=int, default=5, help="readings of each picture (default: 5)")
    options = parser.parse_args(arguments)
    pictures = picture_paths(options.directory)
    if not pictures or options.repetitions < 1:
        print(f"stages: {options.directory} has no pictures, or --repetitions is below 1", file=sys.stderr)
        return 1
    configurations = [options.engine, *options.against]
    try:
        _share_profile(configurations)
        _print_table(measure(configurations, pictures, options.repetitions))
    except (OcrError, OSError) as error:
        print(f"stages: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
