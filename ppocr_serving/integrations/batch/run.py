"""A run of the batch on Ray: the driver, which lists, plans, hands out shards and counts."""

import functools
import json
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to a server on the internet
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its new behaviour, about which it warns otherwise
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # it warns of what Ray Data does itself
import ray
import ray.data
import ray.exceptions

from ppocr_serving.cpu import available_cpus
from ppocr_serving.errors import EngineError, InvalidSetting
from ppocr_serving.heap import return_freed_memory
from ppocr_serving.integrations.batch.plan import Shard, ShardSizes, plan_new, planned_shards
from ppocr_serving.integrations.batch.sources import find_sources
from ppocr_serving.integrations.batch.storage import Storage
from ppocr_serving.integrations.batch.tables import FileError
from ppocr_serving.integrations.batch.worker import (
    FAILURES,
    Attempts,
    Job,
    ShardReader,
    ShardResult,
    hash_of,
    write_errors,
)
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader

__all__ = ["Actors", "Summary", "run_batch"]

_ACTOR_BYTES: Final = 1_300_000_000  # what a reader grows to; docs/scaling.md
_STORE_BYTES: Final = 2**28  # of Ray's object store: through it pass addresses and counts, no pictures and no pages
_STARTS: Final = 3  # Ray gives itself half a minute, too little for a machine that is busy with something else
_FOOTERS_AT_A_TIME: Final = 32
_SECRET_PARTS: Final = ("KEY", "PASSWORD")
"""Parts of the names of settings that actors do not need, and that Ray would show to all who can reach the cluster."""

_RESULT: Final = pa.schema(
    [("shard", pa.string()), *((name, pa.int64()) for name in ShardResult._fields if name != "shard")]
)


class Actors(NamedTuple):
    """The processes that read.

    Attributes:
        least: How many there are at least; 0 is as many as the CPUs and the memory of the cluster allow.
        most: How many Ray may start if there is enough to do, and a cluster that can grow; at least `least`.
        threads: CPU threads of each.
    """

    least: int = 0
    most: int = 0
    threads: int = 1


class Summary(NamedTuple):
    """What a run has done.

    Attributes:
        files: Files that it has read.
        pages: Their pages.
        errors: Files that it could not read.
        page_errors: Pages that it could not read, of files that it could.
        earlier: Files that earlier runs had read or could not read.
        seconds: How long it took.
    """

    files: int
    pages: int
    errors: int
    page_errors: int
    earlier: int
    seconds: float


def run_batch(
    source: str,
    output: str,
    options: ReadOptions,
    actors: Actors,
    *,
    column: str | None = None,
    shard_files: int = 0,
    tell: Callable[[ShardResult], None] = lambda _: None,
) -> Summary:
    """Read what is new in the input, and what earlier runs have planned and not finished.

    Args:
        source: See `find_sources`.
        output: Folder or URL that receives `pages/`, `errors/` and `plan/`.
        options: How files are read.
        actors: The processes that read.
        column: See `find_sources`.
        shard_files: Files per shard; 0 leaves it to `ShardSizes`.
        tell: Called when a shard is finished.

    Raises:
        OcrError: The input, the output, the models or the settings are not usable.
        OSError: The output cannot be written.
    """
    start = time.monotonic()
    options_hash = hash_of(Reader(), options)
    storage = Storage(output)
    found = find_sources(source, column)

    @functools.cache
    def fitting_actors() -> Actors:  # starting Ray takes seconds: only if there is something to read
        _start_ray()
        return _within_cluster(actors)

    try:
        plan_new(storage, found, options_hash, lambda: ShardSizes(shard_files, fitting_actors().most))
        del found
        waiting, earlier = _unfinished(storage, options_hash)
        environment = {name: value for name, value in os.environ.items() if _is_for_actors(name)}
        job = Job(_absolute(output), options, options_hash, actors.threads, environment)
        results = []
        for result in _results(job, waiting, fitting_actors()) if waiting else ():
            results.append(result)
            tell(result)
    except ray.exceptions.RayError as error:
        raise EngineError(f"an actor cannot go on: {_last_line(error)}") from error
    finally:
        ray.shutdown()
    storage.clean()
    return Summary(
        sum(result.files for result in results),
        sum(result.pages for result in results),
        sum(result.errors for result in results),
        sum(result.page_errors for result in results),
        earlier,
        time.monotonic() - start,
    )


def _is_for_actors(variable: str) -> bool:
    return variable.startswith("PPOCR_") and not any(part in variable for part in _SECRET_PARTS)


def _last_line(error: Exception) -> str:
    """Return what has gone wrong, from the end of the trace that Ray has made a message of."""
    return str(error).strip().rpartition("\n")[2]


def _start_ray() -> None:
    """Join the cluster that RAY_ADDRESS names; without one, start Ray on this machine for as long as the run takes."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    where: dict[str, Any] = {}
    if not os.environ.get("RAY_ADDRESS"):
        where = {
            "address": "local",
            "num_cpus": available_cpus(),
            "object_store_memory": _STORE_BYTES,
            "include_dashboard": False,
        }
    for last in (*[False] * (_STARTS - 1), True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its own
                ray.init(log_to_driver=False, logging_level=logging.ERROR, **where)
            break
        except Exception as error:  # it has no class for this
            ray.shutdown()
            if last:
                raise InvalidSetting(f"Ray cannot be started or reached ({error})") from error
    for name in ("ray.data", "ray.data._internal"):
        logging.getLogger(name).setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False


def _within_cluster(actors: Actors) -> Actors:
    """Return how many actors there are: by CPUs and memory, unless that is given."""
    if actors.least:
        return actors._replace(most=max(actors.least, actors.most))
    resources = ray.cluster_resources()
    fitting = min(resources.get("CPU", 1) // actors.threads, resources.get("memory", 0) // _ACTOR_BYTES)
    count = max(1, int(fitting))
    return actors._replace(least=count, most=count)


def _absolute(output: str) -> str:
    """Return a path that an actor, which has another working directory, understands."""
    return output if "://" in output else os.path.abspath(output)  # noqa: PTH100


def _unfinished(storage: Storage, options_hash: str) -> tuple[list[Shard], int]:
    """Return the shards that are not finished, and how many files the finished ones have."""
    done = {name.removesuffix(".parquet") for name in storage.names("pages")}
    waiting, finished, files = [], [], 0
    for shard in planned_shards(storage, options_hash):
        if shard.name in done:
            finished.append(shard.name)
            files += shard.files.num_rows
        else:
            waiting.append(shard)
    _complete_errors(storage, finished)
    return waiting, files


def _complete_errors(storage: Storage, finished: list[str]) -> None:
    """Write the errors of shards whose actor was killed between its pages and its errors."""
    written = {name.removesuffix(".parquet") for name in storage.names("errors")}

    def complete(shard: str) -> None:
        with storage.open(f"pages/{shard}.parquet") as file:
            listed = json.loads(pq.read_metadata(file).metadata[FAILURES])
        write_errors(storage, shard, [FileError(*error) for error in listed])

    with ThreadPoolExecutor(_FOOTERS_AT_A_TIME) as pool:
        list(pool.map(complete, [name for name in finished if name not in written]))


def _results(job: Job, shards: list[Shard], actors: Actors) -> Iterator[ShardResult]:
    """Have shards read, each in a block of its own, and yield what came of them, as they finish."""
    attempts = ray.remote(num_cpus=0)(Attempts).remote()
    blocks = [_block(shard) for shard in shards]
    pool = ray.data.ActorPoolStrategy(
        min_size=min(actors.least, len(shards)),
        max_size=min(actors.most, len(shards)),
        max_tasks_in_flight_per_actor=2,
    )
    results = ray.data.from_arrow(blocks).map_batches(
        _RayShardReader,
        fn_constructor_args=(job, attempts),
        batch_size=1,
        batch_format="pyarrow",
        compute=pool,
        num_cpus=actors.threads,
    )
    for row in results.iter_rows():
        yield ShardResult(**row)


def _block(shard: Shard) -> pa.Table:
    files = shard.files.select(["source", "version", "size"]).combine_chunks().to_struct_array().combine_chunks()
    return pa.table({"name": [shard.name], "files": pa.ListArray.from_arrays([0, len(files)], files)})


class _RayShardReader:
    """A `ShardReader` as Ray Data wants it: tables in, tables out."""

    def __init__(self, job: Job, attempts: Any) -> None:
        return_freed_memory()
        self._read = ShardReader(job, _RemoteAttempts(attempts))

    def __call__(self, batch: pa.Table) -> pa.Table:
        results = []
        for name, files in zip(batch["name"].to_pylist(), batch["files"], strict=True):
            results.append(self._read(Shard(name, pa.Table.from_struct_array(files.values)))._asdict())
        return pa.Table.from_pylist(results, _RESULT)


class _RemoteAttempts:
    """`Attempts` in an actor of their own, which outlives those that read."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def begin_shard(self, shard: str) -> bool:
        return bool(ray.get(self._actor.begin_shard.remote(shard)))

    def begin_file(self, shard: str, source: str) -> int:
        return int(ray.get(self._actor.begin_file.remote(shard, source)))

    def end_file(self, shard: str, source: str) -> None:
        ray.get(self._actor.end_file.remote(shard, source))
