"""What runs have to read: shards of files, written down before the first of them is read.

Plans are numbered, and none is ever replaced, so two runs at the same time cannot plan the same files: the one that
comes second finds the number taken, and looks again at what is new.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ppocr_serving.integrations.batch.storage import Storage
from ppocr_serving.integrations.batch.tables import SOURCES

__all__ = ["Shard", "ShardSizes", "plan_new", "planned_shards"]

_FOLDER: Final = "plan"
_OPTIONS: Final = b"ppocr.options_hash"
_SHARD: Final = pa.field("shard", pa.int32())
_SHARES_PER_ACTOR: Final = 20  # so that no actor waits long for the last one


class Shard(NamedTuple):
    """Files that are read together, by one actor, into one Parquet file.

    Attributes:
        name: Its name, and that of its Parquet file.
        files: A table of `SOURCES`.
    """

    name: str
    files: pa.Table


class ShardSizes(NamedTuple):
    """How large shards are.

    Attributes:
        files: Files of each; 0 is a twentieth of what an actor reads, within limits.
        actors: How many actors there are at most.
        least: Fewest files of each, unless `files` says so.
        most: Most files of each, likewise.
        bytes: Bytes of each, if the input tells them.
    """

    files: int
    actors: int
    least: int = 16
    most: int = 1000
    bytes: int = 2**30


def plan_new(storage: Storage, found: pa.Table, options_hash: str, sizes: Callable[[], ShardSizes]) -> int:
    """Plan the files that no plan with these options has.

    Args:
        storage: The output.
        found: See `find_sources`.
        options_hash: Of the models and the options.
        sizes: Says how large shards are; called if there is something to plan, and again if another run was faster.

    Returns:
        How many there are.
    """
    while True:
        names = storage.names(_FOLDER)
        new = found.filter(_is_new(storage, names, found, options_hash))
        if not new.num_rows:
            return 0
        number = 1 + max((int(name.partition(".")[0]) for name in names), default=-1)
        table = new.append_column(_SHARD, _numbers(new, sizes()))
        with storage.temporary() as file:
            pq.write_table(table.replace_schema_metadata({_OPTIONS: options_hash}), file, compression="zstd")
            if storage.commit(file, f"{_FOLDER}/{number:06}.parquet"):
                return int(new.num_rows)


def planned_shards(storage: Storage, options_hash: str) -> Iterator[Shard]:
    """Yield the shards of all plans with these options, in order."""
    for name in storage.names(_FOLDER):
        table = _plan(storage, name, options_hash)
        if table is None:
            continue
        numbers = table["shard"].to_numpy()
        starts = [0, *(1 + (numbers[1:] != numbers[:-1]).nonzero()[0]).tolist(), table.num_rows]
        for shard, (start, end) in enumerate(pairwise(starts)):
            files = table.slice(start, end - start).select(SOURCES.names)
            yield Shard(f"{name.partition('.')[0]}-{shard:06}", files)


def _plan(storage: Storage, name: str, options_hash: str) -> pa.Table | None:
    with storage.open(f"{_FOLDER}/{name}") as file:
        parquet = pq.ParquetFile(file)
        if parquet.schema_arrow.metadata.get(_OPTIONS) != options_hash.encode():
            return None
        return parquet.read()


def _is_new(storage: Storage, names: list[str], found: pa.Table, options_hash: str) -> pa.ChunkedArray:
    plans = [plan for name in names if (plan := _plan(storage, name, options_hash)) is not None]
    if not plans:
        return pa.chunked_array([pa.repeat(True, found.num_rows)])
    planned = pa.concat_tables(plans)
    # Addresses from a table have no version: they are taken to be what has been planned under the address.
    unversioned = planned.filter(pc.equal(planned["version"], ""))["source"]
    is_known = pc.or_(
        pc.is_in(_keys(found), value_set=_keys(planned)),
        pc.or_(
            pc.is_in(found["source"], value_set=unversioned),
            pc.and_(pc.equal(found["version"], ""), pc.is_in(found["source"], value_set=planned["source"])),
        ),
    )
    return pc.invert(is_known)


def _keys(table: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(table["source"], table["version"], "\n")


def _numbers(files: pa.Table, sizes: ShardSizes) -> pa.Array:
    """Return the number of each file's shard."""
    shares = files.num_rows // (sizes.actors * _SHARES_PER_ACTOR)
    most = sizes.files or min(max(shares, sizes.least), sizes.most)
    numbers, shard, count, total = [], 0, 0, 0
    for size in pc.fill_null(files["size"], 0).to_numpy():
        if count and (count == most or total + size > sizes.bytes):
            shard, count, total = shard + 1, 0, 0
        numbers.append(shard)
        count, total = count + 1, total + int(size)
    return pa.array(numbers, pa.int32())
