"""Measure what pictures cost: vCPU-seconds and GB-seconds per 1,000, by profile and by folder of pictures.

For each profile a server is started by itself, so that it shares no memory with another, with the environment's other
settings. It reads all pictures once, which loads what it needs; then it reads each folder several times, one picture
per request and one request at a time. What counts is the CPU time of all its processes, and their resident memory
(shared pages counted once) times the time that the requests took. 1 GB is a billion bytes.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import requests

from benchmarks.processes import cpu_seconds
from benchmarks.server import ServerFailed, check_running, serving, wait_until_ready
from benchmarks.soak_memory import recording
from benchmarks.soak_requests import BadAnswer, ask
from ppocr_serving.errors import OcrError
from ppocr_serving.models import load_profile
from ppocr_serving.settings import load_settings, variable_names
from ppocr_serving.vision.pictures import picture_paths

__all__ = ["Cost", "Usage", "format_table", "summarize"]


class Usage(NamedTuple):
    """What a server used to read a folder once.

    Attributes:
        seconds: From the first request to the last answer.
        cpu_seconds: CPU time of all its processes.
        memory: Mean of their resident memory in bytes, shared pages counted once.
    """

    seconds: float
    cpu_seconds: float
    memory: float


class Cost(NamedTuple):
    """One row of the table.

    Attributes:
        pictures: Number of pictures in the folder.
        lines: Lines per picture that were read.
        milliseconds: Per picture, from the request to the answer.
        cpu_seconds: vCPU-seconds per 1,000 pictures.
        memory: GB.
        memory_seconds: GB-seconds per 1,000 pictures.
    """

    pictures: int
    lines: float
    milliseconds: float
    cpu_seconds: float
    memory: float
    memory_seconds: float


def summarize(usages: Sequence[Usage], pictures: int, lines: int) -> Cost:
    """Summarize the readings of one folder by their medians.

    Args:
        usages: At least one.
        pictures: Number of pictures in the folder.
        lines: Lines that were read in them.
    """
    seconds = median(usage.seconds for usage in usages) / pictures
    memory = median(usage.memory for usage in usages) / 1e9
    return Cost(
        pictures,
        lines / pictures,
        seconds * 1000,
        median(usage.cpu_seconds for usage in usages) / pictures * 1000,
        memory,
        memory * seconds * 1000,
    )


def format_table(costs: Mapping[tuple[str, str], Cost]) -> str:
    """Format a Markdown table.

    Args:
        costs: By profile and name of the folder.
    """
    table = [
        "| profile | | pictures | lines per picture | ms per picture | GB | vCPU-s per 1,000 | GB-s per 1,000 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (profile, folder), cost in costs.items():
        table.append(
            f"| `{profile}` | {folder} | {cost.pictures} | {cost.lines:.0f} | {cost.milliseconds:.0f} "
            f"| {cost.memory:.2f} | {cost.cpu_seconds:.0f} | {cost.memory_seconds:.0f} |"
        )
    return "\n".join(table)


def _measure(profile: str, folders: Mapping[str, Sequence[Path]], repetitions: int, place: Path) -> dict[str, Cost]:
    """Return the cost of each folder with one profile."""
    variables = {variable_names("profile")[0]: profile}
    with serving([sys.executable, "-m", "ppocr_serving"], place, variables) as (process, url):
        wait_until_ready(process, url, place / "log")
        with requests.Session() as session:
            session.trust_env = False  # a proxy cannot reach this machine's loopback interface
            address = f"{url}/predict/ocr_system"
            try:
                lines = {name: _read(session, address, paths) for name, paths in folders.items()}
                usages: dict[str, list[Usage]] = {name: [] for name in folders}
                for _ in range(repetitions):
                    for name, paths in folders.items():
                        usages[name].append(_watch(process.pid, session, address, paths))
            except (BadAnswer, requests.RequestException) as error:
                check_running(process, place / "log", "while it read pictures")
                raise ServerFailed(f"{profile}: {' '.join(str(error).split())[:300]}") from None
    return {name: summarize(usages[name], len(folders[name]), lines[name]) for name in folders}


def _watch(pid: int, session: requests.Session, address: str, paths: Sequence[Path]) -> Usage:
    before = cpu_seconds(pid)
    with recording(pid, lambda: 0) as log:
        start = time.perf_counter()
        _read(session, address, paths)
        seconds = time.perf_counter() - start
    return Usage(seconds, cpu_seconds(pid) - before, mean(sample.total for sample in log.samples))


def _read(session: requests.Session, address: str, paths: Iterable[Path]) -> int:
    """Return the number of lines that a server reads in pictures."""
    count = 0
    for path in paths:
        try:
            (lines,) = ask(session, address, [path.read_bytes()])
        except BadAnswer as error:
            raise BadAnswer(f"{path}: {error}") from error
        count += len(lines)
    return count


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="pictures")
    parser.add_argument(
        "--profile",
        dest="profiles",
        action="append",
        help="models to measure, repeatable (default: as the environment says)",
    )
    parser.add_argument("--repetitions", type=int, default=3, help="readings of each folder (default: 3)")
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = _parse(arguments)
    folders = {folder.absolute().name: picture_paths(folder) for folder in options.folders}
    if len(folders) < len(options.folders):
        print("cost: several folders have the same name, which would be one row; rename one", file=sys.stderr)
        return 1
    for name, paths in folders.items():
        if not paths:
            print(f"cost: {name} contains no pictures; give a folder of picture files", file=sys.stderr)
            return 1
    costs: dict[tuple[str, str], Cost] = {}
    try:
        profiles = dict.fromkeys(options.profiles or [load_settings().models.profile.name])
        for profile in profiles:
            load_profile(profile)  # a wrong name is reported before anything is measured
        for profile in profiles:
            with tempfile.TemporaryDirectory(prefix="cost-") as place:
                measured = _measure(profile, folders, options.repetitions, Path(place))
            costs |= {(profile, name): cost for name, cost in measured.items()}
    except (OcrError, OSError, ServerFailed) as error:
        print(f"cost: {error}", file=sys.stderr)
        return 1
    print(format_table(costs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
