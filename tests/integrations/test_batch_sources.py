"""What a batch finds to read."""

import os
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ppocr_serving.errors import DownloadError, InvalidRequest
from ppocr_serving.integrations.batch.fetching import fetch
from ppocr_serving.integrations.batch.sources import find_sources
from ppocr_serving.integrations.batch.storage import Storage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "deeper/c.pdf", "deeper/notes.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(name.encode())
    return tmp_path


def found(url: Path | str, column: str | None = None) -> list[str]:
    addresses: list[str] = find_sources(str(url), column)["source"].to_pylist()
    return addresses


def test_a_folder_is_searched_for_pictures_and_pdf_files(folder: Path) -> None:
    assert found(folder) == [str(folder / name) for name in ("a.JPG", "b.png", "deeper/c.pdf")]


def test_a_folder_that_is_given_relatively_has_absolute_addresses(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert found(folder.name) == found(folder)


def test_a_glob_names_any_file(folder: Path) -> None:
    assert found(folder / "deeper" / "*") == [str(folder / "deeper" / name) for name in ("c.pdf", "notes.txt")]
    assert found(folder / "**" / "*.pdf") == [str(folder / "deeper" / "c.pdf")]


def test_a_file_that_changes_has_another_version(folder: Path) -> None:
    before = find_sources(str(folder))
    os.utime(folder / "b.png", ns=(0, 0))
    after = find_sources(str(folder))
    changed = [old != new for old, new in zip(before["version"], after["version"], strict=True)]
    assert changed == [False, True, False]


def test_tables_name_their_files_once_and_from_their_own_folder(folder: Path) -> None:
    (folder / "list.csv").write_text("number,file\n1,a.JPG\n2,s3://bucket/b.png\n3,/c.pdf\n4,a.JPG\n5,\n")
    expected = [str(folder / "a.JPG"), "s3://bucket/b.png", "/c.pdf"]
    assert found(folder / "list.csv") == expected
    pq.write_table(pa.table({"note": ["x", "y"], "where": ["a.JPG", "/c.pdf"]}), folder / "list.parquet")
    assert found(folder / "list.parquet", "where") == [expected[0], expected[2]]


def test_many_addresses_keep_their_order(tmp_path: Path) -> None:
    names = [f"/{number * 7919 % 10_007}.png" for number in range(10_000)]
    pq.write_table(pa.table({"source": [*names, *names[:5]]}), tmp_path / "many.parquet")
    assert found(tmp_path / "many.parquet") == names


def test_a_folder_of_tables_is_one_table(tmp_path: Path) -> None:
    for number in range(2):
        pq.write_table(pa.table({"source": [f"/{number}.png"], "error": ["why"]}), tmp_path / f"{number}.parquet")
    assert found(tmp_path) == ["/0.png", "/1.png"]


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("missing", None, "is neither a folder nor a .csv or .parquet file; give one, or a glob"),
        ("missing.csv", None, "does not exist"),
        ("empty", None, "has no file to read; in a folder, these endings are read: .bmp .gif"),
        (
            "two.csv",
            None,
            "(left, right) is obviously that of the addresses; name it with --column",
        ),
        ("two.csv", "middle", "has no column 'middle'; it has left, right"),
        ("notes.parquet", None, "cannot be read"),
    ],
)
def test_errors_name_the_input_and_the_way_out(tmp_path: Path, name: str, column: str | None, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "two.csv").write_text("left,right\na,b\n")
    (tmp_path / "notes.parquet").write_text("not a table")
    with pytest.raises(InvalidRequest) as error:
        found(tmp_path / name, column)
    assert str(tmp_path / name) in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize("url", ["oss://bucket/folder", "nosuch://bucket/folder"])
def test_a_store_whose_package_is_missing_is_named(url: str) -> None:
    with pytest.raises(InvalidRequest, match=url.partition(":")[0]):
        found(url)


def test_a_name_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
    with pytest.raises(InvalidRequest, match=r"has a file whose name is not UTF-8, '.*caf\\udce9.png'; rename it"):
        found(tmp_path)


def test_a_store_that_wants_credentials_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # nobody is asked for any
    monkeypatch.setenv("HOME", str(tmp_path))
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(InvalidRequest, match=r"s3://private/folder cannot be read \(.*credentials"):
        found("s3://private/folder")
    with pytest.raises(DownloadError, match=r"cannot be fetched \(NoCredentialsError.*check the address and the cred"):
        fetch("s3://private/folder/a.png")
    with pytest.raises(InvalidRequest, match=r"^s3://private/out cannot be used \(NoCredentialsError"):
        Storage("s3://private/out").names("plan")
