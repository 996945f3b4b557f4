"""Members of tar and zip archives: what is refused, without writing anything."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.errors import DownloadError
from ppocr_serving.models.fetch.archive import extract_members
from ppocr_serving.models.members import check_member_name
from tests.models.archive_server import tar_bytes, zip_bytes

LIMIT = 1 << 20
PARTS = st.sampled_from(["..", ".", "", "a", "b.c", "...", "..a", "a..", " ", "\\", "c:", "\0", "\n", "字"])


@given(st.one_of(st.lists(PARTS, max_size=6).map("/".join), st.text(max_size=12)))
def test_an_accepted_name_stays_inside(name: str) -> None:
    try:
        clean = check_member_name(name)
    except ValueError:
        return
    inside = PurePosixPath("/root/of/it") / clean
    assert inside.is_relative_to("/root/of/it")
    assert ".." not in inside.parts
    if clean:
        assert check_member_name(clean) == clean
    else:
        assert set(name) <= {".", "/"}


@given(st.lists(PARTS, max_size=3), st.lists(PARTS, max_size=3))
def test_a_name_with_dot_dot_is_never_accepted(before: list[str], after: list[str]) -> None:
    with pytest.raises(ValueError, match="member name"):
        check_member_name("/".join([*before, "..", *after]))


@pytest.mark.parametrize("name", ["", "/etc/passwd", "//a", "C:/a", "C:a", "./C:a", "a\\..\\b", "a\0b", "a\nb"])
def test_unsafe_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="member name"):
        check_member_name(name)


def _info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "bad",
    [
        _info("../evil"),
        _info("a/../../evil"),
        _info("/evil"),
        _info("link", tarfile.SYMTYPE, "/etc/passwd"),
        _info("wanted", tarfile.SYMTYPE, "wanted"),
        _info("link", tarfile.LNKTYPE, "wanted"),
        _info("device", tarfile.CHRTYPE),
        _info("disk", tarfile.BLKTYPE),
        _info("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name}-{info.type.decode()}",
)
@pytest.mark.parametrize("mode", ["w:", "w:gz"])
def test_a_tar_with_one_bad_member_is_refused(tmp_path: Path, bad: tarfile.TarInfo, mode: str) -> None:
    archive = tmp_path / "models.tar"
    archive.write_bytes(tar_bytes({"wanted": b"x"}, mode, extra=(bad,)))
    with pytest.raises(DownloadError, match=r"models\.tar: refused") as caught:
        extract_members(archive, {"wanted": tmp_path / "out"}, LIMIT)
    assert repr(bad.name) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["models.tar"]


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\..\\evil"])
def test_a_zip_with_one_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "models.zip"
    archive.write_bytes(zip_bytes({"wanted": b"x", name: b"y"}))
    with pytest.raises(DownloadError, match=r"models\.zip: refused, member name"):
        extract_members(archive, {"wanted": tmp_path / "out"}, LIMIT)
    assert not (tmp_path / "out").exists()


def test_a_zip_with_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("wanted")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as package:
        package.writestr(link, "/etc/passwd")
    archive = tmp_path / "models.zip"
    archive.write_bytes(stream.getvalue())
    with pytest.raises(DownloadError, match="neither a plain file nor a directory"):
        extract_members(archive, {"wanted": tmp_path / "out"}, LIMIT)


@pytest.mark.parametrize("make", [tar_bytes, lambda members: tar_bytes(members, "w:gz"), zip_bytes])
def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused(
    tmp_path: Path, make: Callable[[dict[str, bytes]], bytes]
) -> None:
    archive = tmp_path / "bomb"
    # The large member need not be a wanted one: walking a compressed tar unpacks it anyway.
    archive.write_bytes(make({"other": bytes(LIMIT), "wanted": b"x"}))
    with pytest.raises(DownloadError, match=f"more than {LIMIT} bytes"):
        extract_members(archive, {"wanted": tmp_path / "out"}, LIMIT)
    assert not (tmp_path / "out").exists()


def test_a_tar_header_that_declares_gigabytes_is_refused(tmp_path: Path) -> None:
    header = _info("long", tarfile.GNUTYPE_LONGNAME)
    header.size = 6 << 30
    archive = tmp_path / "bomb.tar"
    archive.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    with pytest.raises(DownloadError, match="tar header of 6442450944 bytes"):
        extract_members(archive, {"wanted": tmp_path / "out"}, LIMIT)


def test_a_duplicate_member_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "models.tar"
    archive.write_bytes(tar_bytes({"wanted": b"x", "./wanted": b"y"}))
    with pytest.raises(DownloadError, match="'wanted' occurs twice"):
        extract_members(archive, {"wanted": tmp_path / "out"}, LIMIT)


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz", "zip"])
def test_a_damaged_archive_of_any_kind_is_refused(tmp_path: Path, mode: str) -> None:
    members = {"wanted": bytes(range(256)) * 64}
    intact = zip_bytes(members) if mode == "zip" else tar_bytes(members, mode)
    archive = tmp_path / "models"
    archive.write_bytes(intact)
    assert extract_members(archive, {"wanted": tmp_path / "good", "none": tmp_path / "none"}, LIMIT) == {"wanted"}
    assert (tmp_path / "good").read_bytes() == members["wanted"]
    for end in (0, 3, 40, len(intact) // 3, len(intact) // 2):
        archive.write_bytes(intact[:end])
        with pytest.raises(DownloadError, match="models: "):
            extract_members(archive, {"wanted": tmp_path / f"cut{end}"}, LIMIT)


def test_only_wanted_members_are_written_and_dot_slash_is_ignored(tmp_path: Path) -> None:
    archive = tmp_path / "models.tar"
    archive.write_bytes(tar_bytes({"./m/wanted": b"x", "m/._wanted": b"y"}, extra=(_info("./", tarfile.DIRTYPE),)))
    assert extract_members(archive, {"m/wanted": tmp_path / "out"}, LIMIT) == {"m/wanted"}
    assert {path.name for path in tmp_path.iterdir()} == {"models.tar", "out"}
