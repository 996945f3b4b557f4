"""`ppocr batch` on a local Ray with two actors: killed, continued, and compared with a plain reading."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.batch import actors_of
from benchmarks.processes import PROC
from benchmarks.small_files import pdf_of_pictures, text_picture
from ppocr_serving.integrations.batch.plan import Shard
from ppocr_serving.integrations.batch.sources import find_sources
from ppocr_serving.integrations.batch.worker import Attempts, Job, ShardReader, hash_of
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader
from tests.integrations.object_store import object_store
from tests.pipes import waits_at_a_pipe

COUNT = 40
BROKEN = 2
ENOUGH = 600.0  # seconds, on a slow machine

Row = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, PDF files, and a few that are damaged."""
    folder = tmp_path_factory.mktemp("files")
    for number in range(COUNT):
        picture = text_picture(f"Number {number}")
        file = folder / f"{number:03}.png"
        if number % 20 == 7:
            file.with_suffix(".pdf").write_bytes(pdf_of_pictures([picture, text_picture(f"Page {number}")]))
            continue
        picture.save(file)
        if number % 20 == 13:
            file.write_bytes(file.read_bytes()[:120])
    return folder


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The pages of all files, read one after the other in this process."""
    output = tmp_path_factory.mktemp("expected")
    job = Job(str(output), ReadOptions(), hash_of(Reader(), ReadOptions()), 1, {})
    result = ShardReader(job, Attempts())(Shard("all", find_sources(str(folder))))
    assert (result.files, result.pages, result.errors) == (COUNT - BROKEN, COUNT, BROKEN)
    return rows(str(output), "pages")


@pytest.fixture(scope="module")
def bucket(folder: Path) -> Iterator[str]:
    with object_store() as url:
        fsspec.filesystem("s3").put(f"{folder}/", f"{url}/files/", recursive=True)
        yield url


def rows(output: str, table: str) -> list[Row]:
    """Return a table of an output, in a fixed order, without what depends on time and place."""
    fs, path = fsspec.core.url_to_fs(output)
    fs.invalidate_cache()
    found: list[Row] = []
    for name in fs.ls(f"{path}/{table}", detail=False):
        with fs.open(name, "rb") as file:
            found += pq.read_table(file).to_pylist()
    for row in found:
        row["source"] = row["source"].rpartition("/")[2]
        row.pop("version")
        row.pop("timings", None)
    return sorted(found, key=lambda row: (row["source"], row.get("page", 0)))


@contextmanager
def batch(*arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """Run the command with two actors."""
    command = [sys.executable, "-m", "ppocr_serving", "batch", *arguments, "--actors", "2", "--shard-files", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def finish(*arguments: str) -> str:
    """Run the command to its end; return what it says."""
    with batch(*arguments) as process:
        output, complaints = process.communicate()
        assert process.returncode == 0, complaints
        return output


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + ENOUGH
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return value


def kill_waiting_actor(driver: int, killed: set[int]) -> int:
    """Kill the actor that has opened a pipe and waits for its other end; return 0 if none does yet.

    Args:
        driver: Its driver.
        killed: Processes that have been killed, and may not quite be gone.
    """
    for pid in set(actors_of(driver)) - killed:
        if waits_at_a_pipe(pid):
            os.kill(pid, signal.SIGKILL)
            return pid
    return 0


def is_alive(pid: int) -> bool:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_run_on_an_object_store_is_continued_by_the_same_command(bucket: str, expected: list[Row]) -> None:
    fs = fsspec.filesystem("s3", skip_instance_cache=True)
    arguments = (f"{bucket}/files", f"{bucket}/output")

    def committed() -> list[str]:
        fs.invalidate_cache()
        return list(fs.glob(f"{bucket}/output/pages/*"))

    with batch(*arguments) as process:
        wait_for(lambda: len(committed()) >= 2 or process.poll() is not None)
        actors = actors_of(process.pid)
        assert len(actors) == 2
        process.kill()
        process.wait()
    wait_for(lambda: not any(map(is_alive, actors)))  # Ray ends them, and none writes any more
    before = {name: fs.info(name)["ETag"] for name in committed()}
    assert 2 <= len(before) < COUNT // 4

    output = finish(*arguments)
    assert int(re.search(r"; (\d+) files were done before", output)[1]) == 4 * len(before)  # type: ignore[index]
    fs.invalidate_cache()
    assert {name: fs.info(name)["ETag"] for name in before} == before
    assert rows(f"{bucket}/output", "pages") == expected
    assert len(rows(f"{bucket}/output", "errors")) == BROKEN


def test_an_actor_that_dies_is_replaced_and_a_file_that_kills_three_is_left_out(
    folder: Path, expected: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)  # nobody writes into it: whoever opens it waits until it is killed
    table, output = tmp_path / "files.parquet", str(tmp_path / "output")
    paths = sorted(map(str, folder.iterdir()))
    pq.write_table(pa.table({"path": [*paths[:9], str(pipe), *paths[9:]]}), table)
    with batch(str(table), output) as process:
        killed: set[int] = set()
        for _ in range(3):
            killed.add(wait_for(lambda: kill_waiting_actor(process.pid, killed)))
        said, complaints = process.communicate()
        assert process.returncode == 0, complaints
    assert f"{BROKEN + 1} files could not be read (see {output}/errors)" in said
    assert rows(output, "pages") == expected
    errors = {row["source"]: row["error_code"] for row in rows(output, "errors")}
    assert errors.pop("pipe.png") == "process_died"
    assert set(errors.values()) == {"image_decode_error"}
    assert len(errors) == BROKEN

    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # nothing listens there, and with nothing to read nothing needs it
    assert f"; {COUNT + 1} files were done before" in finish(str(table), output)
