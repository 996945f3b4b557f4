"""Read many files with `ppocr batch`, kill an actor and the driver on the way, and compare with what nobody disturbed.

The files are copies of pictures with changed pixels, so that no two are alike; one in twenty is a PDF of two pages, one
in a hundred is damaged. They are read three times: by a plain `Reader` in each of two processes, by a run of the batch,
and by one in which an actor and later the driver get SIGKILL, until the same command has finished. Both outputs have to
be equal, apart from times. Memory is the resident memory of the actors, as a mean over a quarter of a run.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.processes import PROC, command_of, cpu_seconds, descendants
from ppocr_serving.vision.pictures import picture_paths

__all__ = ["main", "make_files"]

_ACTOR = b"MapWorker"  # how Ray names the processes of a pool
_EVERY_PDF, _EVERY_BROKEN = 20, 100
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SAMPLE_SECONDS = 2.0


class Measured(NamedTuple):
    """How a run went.

    Attributes:
        name: Which run.
        files: Files that were read, or could not be.
        seconds: How long that took: without the start of plain processes, with that of actors.
        cpu_seconds: CPU time.
        memory: Mean resident memory in bytes of each actor, in the second and in the last quarter.
    """

    name: str
    files: int
    seconds: float
    cpu_seconds: float
    memory: tuple[float, float]


def make_files(pictures: Sequence[Path], count: int, folder: Path) -> None:
    """Write files that are all different.

    Args:
        pictures: What they are copies of.
        count: How many.
        folder: Where to.
    """
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        with Image.open(pictures[number % len(pictures)]) as opened:
            pixels = np.array(opened.convert("RGB"))
        for _ in range(20):
            y, x = random.integers(pixels.shape[0]), random.integers(pixels.shape[1])
            pixels[y, x] = random.integers(256, size=3)
        page = Image.fromarray(pixels)
        file = folder / f"{number:06}.jpg"
        if number % _EVERY_PDF == _EVERY_PDF - 1:
            page.save(file.with_suffix(".pdf"), save_all=True, append_images=[page.rotate(180)], resolution=150)
            continue
        page.save(file, quality=92)
        if number % _EVERY_BROKEN == _EVERY_BROKEN // 2:
            file.write_bytes(file.read_bytes()[:200])


def read_plainly(files: Sequence[Path], processes: int) -> Measured:
    """Read the files with a `Reader` in each of several processes."""
    context = get_context("spawn")
    ready = context.Barrier(processes + 1)
    workers = [context.Process(target=_read_part, args=(files[part::processes], ready)) for part in range(processes)]
    for worker in workers:
        worker.start()
    ready.wait()
    start, before = time.monotonic(), _cpu_of_all(workers)
    ready.wait()
    seconds, used = time.monotonic() - start, _cpu_of_all(workers) - before
    ready.wait()
    for worker in workers:
        worker.join()
    return Measured("two plain processes", len(files), seconds, used, (0.0, 0.0))


def _read_part(files: Sequence[Path], ready: Any) -> None:
    from ppocr_serving.errors import OcrError
    from ppocr_serving.reading.reader import Reader
    from ppocr_serving.settings import load_settings

    cv2.setNumThreads(1)
    reader = Reader(settings=load_settings(init_args={"threads": 1}))
    for engine in reader.first_engines:
        engine.load()
    ready.wait()
    for file in files:
        try:
            reader.read(file)
        except OcrError:
            continue
    ready.wait()
    ready.wait()


def _cpu_of_all(workers: Sequence[Any]) -> float:
    return sum(cpu_seconds(worker.pid) for worker in workers)


class Watch:
    """What the processes of a run use, looked at every two seconds."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._memory: list[float] = []
        self._cpu: dict[int, float] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> tuple[float, tuple[float, float]]:
        """Return the CPU time of all, and the memory of each actor in the second and in the last quarter."""
        self._end.set()
        self._thread.join()
        quarter = max(1, len(self._memory) // 4)
        quarters = self._memory[quarter : 2 * quarter], self._memory[-quarter:]
        return sum(self._cpu.values()), (mean(quarters[0] or [0.0]), mean(quarters[1] or [0.0]))

    def _look(self) -> None:
        while not self._end.wait(_SAMPLE_SECONDS):
            self._cpu[self._pid] = max(self._cpu.get(self._pid, 0.0), cpu_seconds(self._pid))
            used = [_resident(pid) for pid in actors_of(self._pid)]
            if used:
                self._memory.append(mean(used))


def actors_of(pid: int) -> list[int]:
    """Return the actors of a run that is in progress."""
    return [child for child, _ in descendants(pid) if _ACTOR in command_of(child)]


def _resident(pid: int) -> float:
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0.0


@contextmanager
def running(folder: Path, output: Path, shard_files: int) -> "Iterator[subprocess.Popen[str]]":
    """Run the batch with two actors."""
    command = [sys.executable, "-m", "ppocr_serving", "batch", str(folder), str(output), "--actors", "2"]
    if shard_files:
        command += ["--shard-files", str(shard_files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def run_whole(name: str, folder: Path, output: Path, count: int, shard_files: int) -> Measured:
    """Run the batch to its end, and measure it from when the plan is there: the start of the actors counts."""
    with running(folder, output, shard_files) as process:
        watch = Watch(process.pid)
        while process.poll() is None and not (output / "plan").exists():
            time.sleep(0.2)
        start = time.monotonic()
        said, _ = process.communicate()
        used, memory = watch.stop()
        seconds = time.monotonic() - start
    print(said.strip(), file=sys.stderr)
    if process.returncode:
        raise SystemExit(f"batch: the run ended with status {process.returncode}")
    earlier = re.search(r"; (\d+) files were done before", said)
    return Measured(name, count - (int(earlier[1]) if earlier else 0), seconds, used, memory)


def run_disturbed(folder: Path, output: Path, shard_files: int) -> int:
    """Run the batch, kill an actor after a quarter of the shards, and the driver after half of them.

    Returns:
        How many shards were committed then.
    """
    with running(folder, output, shard_files) as process:
        total = _wait_for_shards(process, output, 0.25)
        victim = actors_of(process.pid)[0]
        os.kill(victim, signal.SIGKILL)
        _wait_for_shards(process, output, 0.5)
        process.kill()
        process.wait()
    committed = len(list((output / "pages").iterdir()))
    print(f"killed an actor and, after {committed} of {total} shards, the driver", file=sys.stderr)
    return committed


def _wait_for_shards(process: "subprocess.Popen[str]", output: Path, share: float) -> int:
    while process.poll() is None:
        time.sleep(0.2)
        plans = list((output / "plan").glob("*.parquet"))
        if not plans:
            continue
        total = len(set(pq.read_table(plans[0], columns=["shard"])["shard"].to_pylist()))
        if (output / "pages").is_dir() and len(list((output / "pages").iterdir())) >= share * total:
            return total
    raise SystemExit("batch: the run ended before it could be disturbed; give more files")


def rows_of(output: Path, table: str) -> list[dict[str, Any]]:
    """Return a table of an output in a fixed order, without times."""
    found = pq.read_table(output / table).to_pylist()
    for row in found:
        row.pop("timings", None)
    return sorted(found, key=lambda row: (row["source"], row.get("page", 0)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m benchmarks.batch`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="+", help="folders of pictures")
    parser.add_argument("--count", type=int, default=2000, help="how many files (default: %(default)s)")
    parser.add_argument("--shard-files", type=int, default=0, help="as for the command")
    given = parser.parse_args(arguments)
    pictures = [path for folder in given.pictures for path in picture_paths(folder)]
    with tempfile.TemporaryDirectory(prefix="ppocr-batch-") as name:
        base = Path(name)
        make_files(pictures, given.count, base / "files")
        files = sorted((base / "files").iterdir())
        measured = [read_plainly(files, 2)]
        print(_row(measured[0]), file=sys.stderr)
        measured.append(run_whole("batch", base / "files", base / "whole", given.count, given.shard_files))
        print(_row(measured[1]), file=sys.stderr)
        run_disturbed(base / "files", base / "killed", given.shard_files)
        measured.append(
            run_whole("batch, continued after SIGKILL", base / "files", base / "killed", given.count, given.shard_files)
        )
        pages, errors = ([rows_of(base / run, table) for run in ("whole", "killed")] for table in ("pages", "errors"))
        keys = {(row["source"], row["page"], row["options_hash"]) for row in pages[1]}
    _print_table(measured)
    is_equal = pages[0] == pages[1] and errors[0] == errors[1]
    is_single = len(keys) == len(pages[1])
    print(f"\n{len(pages[0])} pages and {len(errors[0])} errors; equal: {is_equal}; one row per page: {is_single}")
    return 0 if is_equal and is_single else 1


def _print_table(measured: Sequence[Measured]) -> None:
    print("| run | files | s | files/s | CPU-s per file | MB per actor, 2nd and last quarter |")
    print("|---|---|---|---|---|---|")
    for run in measured:
        print(_row(run))


def _row(run: Measured) -> str:
    memory = " ".join(f"{used / 1e6:.0f}" for used in run.memory if used) or "-"
    rate, cost = run.files / run.seconds, run.cpu_seconds / run.files
    return f"| {run.name} | {run.files} | {run.seconds:.0f} | {rate:.2f} | {cost:.3f} | {memory} |"


if __name__ == "__main__":
    sys.exit(main())
