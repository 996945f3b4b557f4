"""Compare the time per picture with that of its engine calls alone, the lower bound.

The pictures are read once, and all engine inputs are kept. Then each picture is read repeatedly, alternating with
its engine calls alone: no decoding, no boxes, no crops, no text, no JSON. The calls of the recogniser, and those of the
second one on the lines that it reads, are batched in three ways, of which the fastest counts: as the service makes
them; each as soon as an engine is free, widest first; and six lines of equal width at a time, with all threads. Times
are medians over the repetitions of a picture, averaged over the pictures.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import numpy as np

from benchmarks.in_process import answer
from ppocr_serving import Reader
from ppocr_serving.engines import Engine, EnginePool, EngineSpec, Float32Array
from ppocr_serving.engines.base import T
from ppocr_serving.errors import OcrError
from ppocr_serving.reading.specs import engine_specs
from ppocr_serving.settings import load_settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.pictures import picture_paths

_BATCH_SIZE = 6
_PACKINGS = ("as the service makes them", "widest first", "six lines at a time")


class Call(NamedTuple):
    """One engine call.

    Attributes:
        engine: Engine to call.
        inputs: Its input.
    """

    engine: Engine
    inputs: Float32Array

    def run(self) -> None:
        """Make the call and drop the answer."""
        self.engine.run(self.inputs, _drop)


class _Recorder:
    """An engine that records its inputs."""

    def __init__(self, spec: EngineSpec, engine: Engine) -> None:
        self.spec = spec
        self.engine = engine
        self.calls: list[Call] = []

    def release_memory(self) -> None:
        """See `Engine.release_memory`."""
        self.engine.release_memory()

    def load(self) -> None:
        """See `Engine.load`."""
        self.engine.load()

    def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        """See `Engine.run`."""
        return read(self(inputs))

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """See `Engine.__call__`."""
        self.calls.append(Call(self.engine, inputs))
        return self.engine(inputs)


class _RecordingPool(EnginePool):
    """A pool whose engines record their inputs and delegate to another pool."""

    def __init__(self, pool: EnginePool) -> None:
        super().__init__()
        self._pool = pool
        self.recorders: dict[Engine, _Recorder] = {}

    def engine(self, spec: EngineSpec) -> Engine:
        """See `EnginePool.engine`."""
        engine = self._pool.engine(spec)
        return self.recorders.setdefault(engine, _Recorder(spec, engine))


class _Lanes:
    """The engines of one recogniser, which run at the same time."""

    def __init__(self, specs: Sequence[EngineSpec], pool: EnginePool) -> None:
        self.engines = [pool.engine(spec) for spec in specs]
        self._all_threads = pool.engine(replace(specs[0], threads=sum(spec.threads for spec in specs), lane=0))
        self._threads = ThreadPoolExecutor(len(specs))

    def packings(self, calls: Sequence[Sequence[Call]]) -> list[Callable[[], None]]:
        """Return functions that make the calls of a picture in the order of `_PACKINGS`.

        Args:
            calls: Those that each engine received.
        """
        inputs = [call.inputs for lane in calls for call in lane]
        batches = [Call(self._all_threads, batch) for batch in regrouped(inputs, _BATCH_SIZE)]
        return [lambda: self._at_once(calls), lambda: self._widest_first(inputs), lambda: _run(batches)]

    def _at_once(self, calls: Sequence[Sequence[Call]]) -> None:
        for _ in self._threads.map(_run, calls):
            pass

    def _widest_first(self, inputs: Iterable[Float32Array]) -> None:
        rest = iter(sorted(inputs, key=lambda array: array.size, reverse=True))

        def work(engine: Engine) -> None:
            while (array := next(rest, None)) is not None:  # a list's iterator may be shared by threads
                engine.run(array, _drop)

        for _ in self._threads.map(work, self.engines):
            pass


class Limit:
    """Read pictures, or run only their engine calls.

    Raises:
        OcrError: A model cannot be found or loaded.
    """

    def __init__(self) -> None:
        settings = load_settings()
        pool = EnginePool()
        recording = _RecordingPool(pool)
        self._recording = Reader(settings=settings, pool=recording)
        self._reader = Reader(settings=settings, pool=pool)
        self._recorders = recording.recorders
        self._recognizers = [
            _Lanes(engine_specs(settings, role), pool) for role in self._reader.roles if role in ("rec", "reread")
        ]

    def read(self, data: bytes) -> None:
        """Do what the service does, from a file's bytes to the bytes of the answer."""
        answer(self._reader, data, Stopwatch())

    def packings(self, data: bytes) -> dict[str, Callable[[], None]]:
        """Return functions that run the engine calls of a picture, by method of batching."""
        for recorder in self._recorders.values():
            recorder.calls.clear()
        answer(self._recording, data, Stopwatch())
        calls = {engine: recorder.calls.copy() for engine, recorder in self._recorders.items()}
        by_recognizer = [lanes.packings([calls.pop(engine) for engine in lanes.engines]) for lanes in self._recognizers]
        others = [call for rest in calls.values() for call in rest]

        def with_others(recognise: Sequence[Callable[[], None]]) -> Callable[[], None]:
            def run() -> None:
                _run(others)
                for work in recognise:
                    work()

            return run

        return {
            name: with_others(recognise)
            for name, recognise in zip(_PACKINGS, zip(*by_recognizer, strict=True), strict=True)
        }


def regrouped(inputs: Iterable[Float32Array], batch_size: int) -> list[Float32Array]:
    """Batch lines of equal width.

    Args:
        inputs: (N, C, H, W) float32 each.
        batch_size: Maximum number of lines per batch.

    Returns:
        Batches that together hold every line once.
    """
    by_width: dict[int, list[Float32Array]] = defaultdict(list)
    for array in inputs:
        by_width[array.shape[3]] += np.split(array, len(array))
    return [
        np.concatenate(lines[start : start + batch_size])
        for _, lines in sorted(by_width.items())
        for start in range(0, len(lines), batch_size)
    ]


def _drop(_answer: Float32Array) -> None:
    """Read nothing."""


def _run(calls: Iterable[Call]) -> None:
    for call in calls:
        call.run()


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _measure(paths: Sequence[Path], repetitions: int) -> None:
    limit = Limit()
    files = [path.read_bytes() for path in paths]
    for data in files:
        limit.read(data)
    ours: list[float] = []
    packed: dict[str, list[float]] = defaultdict(list)
    for data in files:
        packings = limit.packings(data)
        times: dict[str, list[float]] = defaultdict(list)
        for repetition in range(repetitions + 1):
            times["ours"].append(_seconds(lambda data=data: limit.read(data)))  # type: ignore[misc]
            for name, work in packings.items():
                times[name].append(_seconds(work))
            if repetition == 0:
                times.clear()  # the first use of a shape is not typical of a service
        medians = {name: median(seconds) * 1000 for name, seconds in times.items()}
        ours.append(medians.pop("ours"))
        for name, milliseconds in medians.items():
            packed[name].append(milliseconds)
    floor = [min(packing) for packing in zip(*packed.values(), strict=True)]
    print(f"{len(files)} pictures, {repetitions} repetitions\n")
    print("| | ms per picture | ours / this |\n|---|---|---|")
    print(f"| ours, from file to answer | {mean(ours):.1f} | 1.00 |")
    for name, values in packed.items():
        print(f"| engine calls alone, {name} | {mean(values):.1f} | {mean(ours) / mean(values):.2f} |")
    print(f"| the floor: the fastest of these per picture | {mean(floor):.1f} | {mean(ours) / mean(floor):.2f} |")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, metavar="DIR", help="pictures")
    parser.add_argument("--repetitions", type=int, default=5, help="readings of each picture (default: 5)")
    options = parser.parse_args(arguments)
    pictures = picture_paths(options.directory)
    if not pictures or options.repetitions < 1:
        print(f"limit: {options.directory} has no pictures, or --repetitions is below 1", file=sys.stderr)
        return 1
    try:
        _measure(pictures, options.repetitions)
    except (OcrError, OSError) as error:
        print(f"limit: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
