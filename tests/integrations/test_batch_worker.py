"""What an actor does with a shard, in this process."""

import hashlib
import json
import os
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.small_files import pdf_of_pictures, text_picture
from ppocr_serving.errors import ModelNotFound
from ppocr_serving.integrations.batch.plan import Shard
from ppocr_serving.integrations.batch.run import _complete_errors
from ppocr_serving.integrations.batch.storage import Storage
from ppocr_serving.integrations.batch.tables import PAGES, SOURCES
from ppocr_serving.integrations.batch.worker import Attempts, Job, ShardReader, hash_of
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader

OPTIONS = ReadOptions(words=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    text_picture("Alpha 42").save(folder / "a.png")
    (folder / "two.pdf").write_bytes(pdf_of_pictures([text_picture("First page"), text_picture("Second page")]))
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:100])
    return folder


def shard_of(*paths: Path, name: str = "000000-000000") -> Shard:
    count = len(paths)
    return Shard(name, pa.table([list(map(str, paths)), ["1"] * count, [1] * count], schema=SOURCES))


def reader_for(output: Path, attempts: Attempts | None = None) -> ShardReader:
    job = Job(str(output), OPTIONS, hash_of(Reader(), OPTIONS), 1, {})
    return ShardReader(job, attempts or Attempts())


def test_a_shard_becomes_a_row_per_page_and_a_row_per_error(files: Path, tmp_path: Path) -> None:
    paths = [files / name for name in ("a.png", "broken.png", "two.pdf", "missing.png")]
    result = reader_for(tmp_path)(shard_of(*paths))
    assert result == ("000000-000000", 2, 3, 2, 0)
    pages = pq.read_table(tmp_path / "pages" / "000000-000000.parquet")
    assert pages.schema.equals(PAGES)
    rows = pages.to_pylist()
    assert [(Path(row["source"]).name, row["page"], row["text"]) for row in rows] == [
        ("a.png", 1, "Alpha 42"),
        ("two.pdf", 1, "First page"),
        ("two.pdf", 2, "Second page"),
    ]
    assert rows[0]["sha256"] == hashlib.sha256((files / "a.png").read_bytes()).hexdigest()
    (line,) = rows[0]["lines"]
    assert (line["order"], len(line["box"]), [word["text"] for word in line["words"]]) == (0, 8, ["Alpha", "42"])
    assert all(dict(row["timings"])["rec_engine"] > 0 for row in rows)
    assert {row["error"] for row in rows} == {None}
    errors = pq.read_table(tmp_path / "errors" / "000000-000000.parquet").to_pylist()
    assert [(Path(row["source"]).name, row["error_code"]) for row in errors] == [
        ("broken.png", "image_decode_error"),
        ("missing.png", "invalid_request"),
    ]


def test_a_shard_is_committed_once(files: Path, tmp_path: Path) -> None:
    read = reader_for(tmp_path)
    read(shard_of(files / "a.png"))
    before = (tmp_path / "pages" / "000000-000000.parquet").read_bytes()
    read(shard_of(files / "a.png", files / "missing.png"))
    assert (tmp_path / "pages" / "000000-000000.parquet").read_bytes() == before
    assert not (tmp_path / "errors").exists()


def test_errors_that_were_not_written_before_a_kill_are_completed(files: Path, tmp_path: Path) -> None:
    reader_for(tmp_path)(shard_of(files / "broken.png"))
    table = tmp_path / "errors" / "000000-000000.parquet"
    written = pq.read_table(table)
    table.unlink()
    _complete_errors(Storage(str(tmp_path)), ["000000-000000"])
    assert pq.read_table(table).equals(written)


def test_a_file_that_has_cost_three_processes_is_left_out(files: Path, tmp_path: Path) -> None:
    attempts = Attempts()
    shard = shard_of(files / "a.png", files / "two.pdf")
    for _ in range(3):  # processes that died while they read the PDF
        attempts.begin_shard(shard.name)
    for _ in range(2):
        attempts.begin_file(shard.name, str(files / "two.pdf"))
    assert reader_for(tmp_path, attempts)(shard)[1:] == (1, 1, 1, 0)
    (error,) = pq.read_table(tmp_path / "errors").to_pylist()
    assert (error["error_code"], error["sha256"]) == ("process_died", None)
    assert error["error"] == "the process that read it has ended 3 times; it is left out"


def test_a_file_that_takes_too_long_is_an_error(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPOCR_DOCUMENT_TIMEOUT", "0.001")
    read = reader_for(tmp_path)
    # The process itself would be ended after twice that.
    monkeypatch.setattr("ppocr_serving.integrations.batch.worker._PATIENCE", 1e6)
    assert read(shard_of(files / "a.png")).errors == 1
    (error,) = pq.read_table(tmp_path / "errors").to_pylist()
    assert error["error"] == "took longer than 0.001 s; set PPOCR_DOCUMENT_TIMEOUT to more"


def test_the_hash_tells_options_apart_but_not_passwords() -> None:
    reader = Reader()
    hashes = [
        hash_of(reader, options)
        for options in (ReadOptions(), ReadOptions(password="x"), ReadOptions(dpi=300), ReadOptions(words=True))
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_an_actor_with_other_models_refuses_to_read(tmp_path: Path) -> None:
    job = Job(str(tmp_path), OPTIONS, "other", 1, {})
    with pytest.raises(ModelNotFound, match=f"{os.uname().nodename} differ from those of the run"):
        ShardReader(job, Attempts())


def test_failures_are_in_the_pages_own_file(files: Path, tmp_path: Path) -> None:
    reader_for(tmp_path)(shard_of(files / "missing.png"))
    metadata = pq.read_metadata(tmp_path / "pages" / "000000-000000.parquet")
    assert metadata.num_rows == 0
    assert json.loads(metadata.metadata[b"ppocr.errors"])[0][5] == "does not exist"


@pytest.mark.parametrize(
    ("statuses", "code", "message", "asked"),
    [
        ([503, 503], None, None, None),
        ([0, 429], None, None, None),
        ([503] * 99, "download_error", r"cannot be fetched, tried 5 times \(503, .*\)", 5),
        ([0] * 99, "download_error", r"cannot be fetched, tried 5 times \(Server disconnected\)", 10),  # aiohttp twice
        ([403] * 99, "invalid_request", r"cannot be read \(403, .*\)", 1),
        ([404] * 99, "invalid_request", "does not exist", 1),
    ],
)
def test_a_store_is_asked_again_if_that_may_help(
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    statuses: list[int],
    code: str | None,
    message: str,
    asked: int | None,
) -> None:
    monkeypatch.setattr("ppocr_serving.integrations.batch.fetching._FIRST_WAIT", 0.01)
    content = (files / "a.png").read_bytes()
    left = statuses.copy()  # 0 ends the connection without an answer

    class Store(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if status := left.pop(0) if left else HTTPStatus.OK:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as store:
        Thread(target=store.serve_forever).start()
        try:
            table = pa.table([[f"http://127.0.0.1:{store.server_port}/a.png"], [""], [None]], schema=SOURCES)
            result = reader_for(tmp_path)(Shard("000000-000000", table))
        finally:
            store.shutdown()
    assert (result.pages, result.errors) == ((0, 1) if code else (1, 0))
    if code:
        (error,) = pq.read_table(tmp_path / "errors").to_pylist()
        assert error["error_code"] == code
        assert re.match(message, error["error"])
        assert len(statuses) - len(left) == asked
