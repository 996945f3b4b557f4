"""Plans and storage: nothing is planned twice, and nothing is replaced."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from ppocr_serving.integrations.batch.plan import ShardSizes, plan_new, planned_shards
from ppocr_serving.integrations.batch.storage import Storage
from ppocr_serving.integrations.batch.tables import SOURCES
from tests.integrations.object_store import object_store


def sizes(files: int = 2, actors: int = 1, most: int = 2**30) -> ShardSizes:
    return ShardSizes(files=files, actors=actors, bytes=most)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with object_store() as url:
        yield url


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "output")
    return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"


@pytest.fixture
def storage(place: str) -> Storage:
    return Storage(place)


def sources(*names: str, version: str = "1", size: int = 10) -> pa.Table:
    count = len(names)
    return pa.table([names, [version] * count, [size] * count], schema=SOURCES)


def planned(storage: Storage, options_hash: str = "o") -> list[tuple[str, list[str]]]:
    return [(shard.name, shard.files["source"].to_pylist()) for shard in planned_shards(storage, options_hash)]


def test_only_what_is_new_is_planned(storage: Storage) -> None:
    assert plan_new(storage, sources("a", "b", "c"), "o", sizes) == 3
    assert plan_new(storage, sources("a", "b", "c"), "o", sizes) == 0
    assert plan_new(storage, sources("a", "d", "c"), "o", sizes) == 1
    assert planned(storage) == [("000000-000000", ["a", "b"]), ("000000-000001", ["c"]), ("000001-000000", ["d"])]


def test_changed_files_and_other_options_are_new(storage: Storage) -> None:
    plan_new(storage, sources("a", "b"), "o", sizes)
    assert plan_new(storage, sources("a", version="2"), "o", sizes) == 1
    assert plan_new(storage, sources("a", "b"), "other", sizes) == 2
    assert planned(storage, "other") == [("000002-000000", ["a", "b"])]


def test_an_address_without_a_version_is_known_by_itself(storage: Storage) -> None:
    plan_new(storage, sources("a"), "o", sizes)
    assert plan_new(storage, sources("a", "b", version=""), "o", sizes) == 1
    assert plan_new(storage, sources("a", "b"), "o", sizes) == 0


def test_shards_end_by_files_and_by_bytes(storage: Storage) -> None:
    plan_new(storage, sources(*"abcde", size=400), "o", lambda: sizes(3, most=1000))
    assert [files for _, files in planned(storage)] == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize(("count", "actors", "size"), [(100, 2, 16), (2000, 2, 50), (1_000_000, 2, 1000)])
def test_shards_are_small_enough_for_all_actors_to_end_together(
    tmp_path: Path, count: int, actors: int, size: int
) -> None:
    storage = Storage(str(tmp_path))
    plan_new(storage, sources(*map(str, range(count))), "o", lambda: sizes(0, actors))
    assert next(planned_shards(storage, "o")).files.num_rows == size


def test_runs_that_begin_together_plan_each_file_once(place: str, storage: Storage) -> None:
    names = [str(number) for number in range(40)]
    runs = [
        threading.Thread(target=plan_new, args=(Storage(place), sources(*names[i : i + 25]), "o", sizes))
        for i in (0, 5, 10, 15)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(name for _, files in planned(storage) for name in files) == sorted(names)


def test_a_file_that_exists_is_never_replaced(storage: Storage) -> None:
    outcomes = []
    for text in ("first", "second"):
        with storage.temporary() as file:
            file.write_text(text)
            outcomes.append(storage.commit(file, "pages/x.parquet"))
    assert outcomes == [True, False]
    assert storage.names("pages") == ["x.parquet"]
    with storage.open("pages/x.parquet") as opened:
        assert opened.read() == b"first"


def test_a_store_that_cannot_refuse_is_asked_before(tmp_path: Path) -> None:
    storage = Storage(f"memory://{tmp_path.name}")
    for text in ("first", "second"):
        with storage.temporary() as file:
            file.write_text(text)
            storage.commit(file, "x")
    with storage.open("x") as opened:
        assert opened.read() == b"first"


def test_what_killed_runs_have_left_is_removed_a_day_later(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    with storage.temporary() as file:
        file.write_text("in progress")
        left = file.parent.with_name("ppocr-left")
        left.mkdir()
        os.utime(left, (0, 0))
        storage.clean()
        assert file.exists()
        assert not left.exists()
    storage.clean()
    assert not (tmp_path / "_temporary").exists()
