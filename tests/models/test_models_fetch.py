"""Fetching a profile from a misbehaving server: either all files arrive intact, or nothing changes."""

import hashlib
import io
import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from ppocr_serving.errors import DownloadError
from ppocr_serving.models import Profile, load_profile
from ppocr_serving.models.fetch import DownloadLimits, Progress, fetch_profile, is_complete
from ppocr_serving.models.fetch.download import _SafeRedirects
from tests.models.archive_server import (
    FILES,
    Answer,
    ArchiveServer,
    body,
    redirect,
    running_server,
    sha256,
    snapshot,
    stall,
    status,
    tar_bytes,
    write_profile,
    zip_bytes,
)

TAR = tar_bytes()
QUICK = DownloadLimits(attempts=3, backoff_s=0.01, stall_s=1.5, max_bytes=1 << 21)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveServer]:
    """A local server that is reached without the machine's proxies."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_server() as running:
        yield running


def profile_from(tmp_path: Path, url: str, pinned: bool = True, digest: str | None = None) -> Profile:
    source = {"kind": "archive", "url": url} | ({"sha256": digest} if digest else {})
    return load_profile(str(write_profile(tmp_path / "tiny.toml", source, pinned=pinned)))


def old_files(dest: Path) -> dict[str, bytes | None]:
    """Put an older, different state of the profile in place."""
    (dest / "tiny" / "det").mkdir(parents=True)
    (dest / "tiny" / "det" / "inference.pdmodel").write_bytes(b"older")
    (dest / "other").mkdir()
    return snapshot(dest)


def assert_fetched(dest: Path) -> None:
    assert [path.name for path in dest.iterdir() if path.name != "other"] == ["tiny"]
    assert {name: content for name, content in snapshot(dest / "tiny").items() if content is not None} == FILES


@pytest.mark.parametrize("make", [tar_bytes, lambda: tar_bytes(mode="w:gz"), zip_bytes], ids=["tar", "tar.gz", "zip"])
def test_a_profile_is_fetched_once(tmp_path: Path, server: ArchiveServer, make: type[bytes]) -> None:
    profile = profile_from(tmp_path, server.on("/all", body(make())))
    dest = tmp_path / "a" / "b"
    assert not is_complete(profile, dest)
    assert fetch_profile(profile, dest, limits=QUICK)
    assert_fetched(dest)
    assert not fetch_profile(profile, dest, limits=QUICK)
    assert server.requests == ["/all"]


@pytest.mark.parametrize("damage", [b"", b"wrong"])
def test_a_damaged_file_is_fetched_again_and_stale_files_are_removed(
    tmp_path: Path, server: ArchiveServer, damage: bytes
) -> None:
    profile = profile_from(tmp_path, server.on("/all", body(TAR)))
    dest = tmp_path / "dest"
    old_files(dest)
    assert fetch_profile(profile, dest, limits=QUICK)
    (dest / "tiny" / "rec" / "dictionary.txt").write_bytes(damage)
    (dest / "tiny" / "stale").touch()
    assert fetch_profile(profile, dest, limits=QUICK)
    assert_fetched(dest)


def test_a_file_without_a_hash_only_has_to_exist(tmp_path: Path, server: ArchiveServer) -> None:
    profile = profile_from(tmp_path, server.on("/all", body(TAR)), pinned=False)
    dest = tmp_path / "dest"
    assert fetch_profile(profile, dest, limits=QUICK)
    words = dest / "tiny" / "rec" / "dictionary.txt"
    words.write_bytes(b"another")
    assert not fetch_profile(profile, dest, limits=QUICK)
    words.write_bytes(b"")
    assert fetch_profile(profile, dest, limits=QUICK)
    assert_fetched(dest)


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        ([status(500), body(TAR)], 2),
        ([status(503), status(429), body(TAR)], 3),
        ([body(TAR, sent=1000), body(TAR)], 2),
        ([body(TAR, sent=0), body(TAR)], 2),
        ([stall(TAR, 5.0), body(TAR)], 2),
        ([body(TAR, with_length=False)], 1),
    ],
    ids=["500", "503-429", "truncated", "nothing", "stalled", "no-length"],
)
def test_transient_failures_are_retried(
    tmp_path: Path, server: ArchiveServer, answers: list[Answer], requests: int
) -> None:
    profile = profile_from(tmp_path, server.on("/all", *answers))
    report = io.StringIO()
    assert fetch_profile(profile, tmp_path / "dest", progress=Progress(report), limits=QUICK)
    assert_fetched(tmp_path / "dest")
    assert len(server.requests) == requests
    assert report.getvalue().count("trying again") == requests - 1


def test_redirects_are_followed(tmp_path: Path, server: ArchiveServer) -> None:
    server.on("/there", body(TAR))
    server.on("/second", redirect("/there", 307))
    profile = profile_from(tmp_path, server.on("/all", redirect(server.base + "/second", 301)))
    assert fetch_profile(profile, tmp_path / "dest", limits=QUICK)
    assert server.requests == ["/all", "/second", "/there"]


@pytest.mark.parametrize(
    ("answer", "requests", "message"),
    [
        (status(404), 1, "HTTP 404"),
        (status(403), 1, "HTTP 403"),
        (status(500), 3, r"HTTP 500 .*3 attempts"),
        (body(TAR, sent=len(TAR) - 1), 3, rf"connection lost after {len(TAR) - 1} of {len(TAR)} bytes \(3 attempts\)"),
        (stall(TAR, 5.0), 3, r"no answer for too long \(3 attempts\)"),
        (body(TAR[: len(TAR) // 2]), 1, "damaged or truncated"),
        (body(TAR[: len(TAR) // 2], with_length=False), 1, "damaged or truncated"),
        (body(b"<html>not here</html>"), 1, "not a tar or zip archive"),
        (body(b""), 1, "not a tar or zip archive"),
        (body(tar_bytes({**FILES, "det/inference.pdmodel": b"det progrAm"})), 1, r"SHA-256 is \w+, expected"),
        (body(tar_bytes({**FILES, "../evil": b"x"})), 1, r"contains '\.\.'"),
        (body(tar_bytes({**FILES, "/evil": b"x"})), 1, "is absolute"),
        (body(tar_bytes({"det/inference.pdmodel": b"det program"})), 1, r"does not contain det/inference\.pdiparams"),
        (body(bytes(QUICK.max_bytes + 1)), 1, "larger than"),
        (body(bytes(QUICK.max_bytes + 1), with_length=False), 1, "larger than"),
        (redirect("file:///etc/passwd"), 1, "'file:///etc/passwd' is not allowed"),
        (redirect("ftp://127.0.0.1/all"), 1, "redirects to 'ftp://"),
        (redirect("/all"), 10, "HTTP 302"),
    ],
)
@pytest.mark.parametrize("existing", [True, False], ids=["over-old-files", "new"])
def test_a_failure_is_a_one_line_error_and_changes_nothing(
    tmp_path: Path, server: ArchiveServer, answer: Answer, requests: int, message: str, existing: bool
) -> None:
    profile = profile_from(tmp_path, server.on("/all", answer))
    dest = tmp_path / "models" / "dest"
    before = old_files(dest) if existing else {}
    with pytest.raises(DownloadError, match=message) as caught:
        fetch_profile(profile, dest, limits=QUICK)
    assert "\n" not in str(caught.value)
    assert snapshot(dest) == before
    assert existing or not dest.parent.exists()
    assert len(server.requests) <= requests


def test_an_archive_with_a_wrong_hash_is_refused_before_it_is_opened(tmp_path: Path, server: ArchiveServer) -> None:
    profile = profile_from(tmp_path, server.on("/all", body(TAR)), digest=sha256(b"another"))
    with pytest.raises(DownloadError, match=f"SHA-256 is {sha256(TAR)}, expected {sha256(b'another')}"):
        fetch_profile(profile, tmp_path / "dest", limits=QUICK)
    right = profile_from(tmp_path, server.base + "/all", digest=sha256(TAR))
    assert fetch_profile(right, tmp_path / "dest", limits=QUICK)


def test_an_empty_file_without_a_hash_is_refused(tmp_path: Path, server: ArchiveServer) -> None:
    archive = tar_bytes({**FILES, "rec/dictionary.txt": b""})
    profile = profile_from(tmp_path, server.on("/all", body(archive)), pinned=False)
    with pytest.raises(DownloadError, match="is empty"):
        fetch_profile(profile, tmp_path / "dest", limits=QUICK)


def test_an_unreachable_server_is_a_one_line_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_server() as stopped:
        url = stopped.base + "/all"
    with pytest.raises(DownloadError, match=r"Connection refused.*3 attempts\); check the network"):
        fetch_profile(profile_from(tmp_path, url), tmp_path / "dest", limits=QUICK)


def test_redirects_never_lead_from_https_to_http() -> None:
    request = urllib.request.Request("https://models.example/all.tar")
    for target, allowed in (("http://models.example/x", False), ("https://other.example/x", True)):
        try:
            answer = _SafeRedirects().redirect_request(request, io.BytesIO(), 302, "Found", Message(), target)
        except DownloadError:
            answer = None
        assert (answer is not None) is allowed


def test_given_sources_replace_those_of_the_profile(tmp_path: Path, server: ArchiveServer) -> None:
    profile = profile_from(tmp_path, server.base + "/never", digest=sha256(b"another"))
    half = dict(list(FILES.items())[:3])
    (tmp_path / "half.tar").write_bytes(tar_bytes(half))
    rest = server.on("/rest.zip?token=1", body(zip_bytes({k: v for k, v in FILES.items() if k not in half})))
    with pytest.raises(DownloadError, match=r"half\.tar: does not contain cls/inference\.pdiparams"):
        fetch_profile(profile, tmp_path / "dest", [str(tmp_path / "half.tar")], limits=QUICK)
    assert fetch_profile(profile, tmp_path / "dest", [str(tmp_path / "half.tar"), rest], limits=QUICK)
    assert_fetched(tmp_path / "dest")
    assert server.requests == ["/rest.zip?token=1"]


def test_the_leftovers_of_a_killed_fetch_are_rolled_back(tmp_path: Path, server: ArchiveServer) -> None:
    profile = profile_from(tmp_path, server.on("/all", status(404)))
    dest = tmp_path / "dest"
    before = old_files(dest)
    # The state between the two renames: the old files are out of the way, the new ones not yet in place.
    work = dest / ".tiny.abcd1234.tmp"
    (work / "new").mkdir(parents=True)
    (dest / "tiny").rename(work / "old")
    with pytest.raises(DownloadError):
        fetch_profile(profile, dest, limits=QUICK)
    assert snapshot(dest) == before


def test_parallel_fetches_download_once(tmp_path: Path, server: ArchiveServer) -> None:
    profile = profile_from(tmp_path, server.on("/all", body(TAR)))
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda: results.append(fetch_profile(profile, tmp_path / "dest"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, False, False, True]
    assert server.requests == ["/all"]
    assert_fetched(tmp_path / "dest")


# ---- more than one source


def profile_from_several(tmp_path: Path, *sources: dict[str, str]) -> Profile:
    return load_profile(str(write_profile(tmp_path / "several.toml", *sources)))


def archive_at(url: str) -> dict[str, str]:
    return {"kind": "archive", "url": url}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(404), "HTTP 404"),
        (status(503), "HTTP 503"),
        (stall(TAR, 5.0), "no answer for too long"),
        (body(TAR, sent=1000), "connection lost"),
        (body(b"<html>"), "not a tar or zip"),
        (body(tar_bytes({**FILES, "det/inference.pdmodel": b"older"})), "SHA-256 is"),
    ],
    ids=["404", "503", "stalled", "truncated", "page", "other-content"],
)
def test_a_source_that_does_not_deliver_gives_way_to_the_next(
    tmp_path: Path, server: ArchiveServer, answer: Answer, reason: str
) -> None:
    profile = profile_from_several(
        tmp_path, archive_at(server.on("/first", answer)), archive_at(server.on("/second", body(TAR)))
    )
    report = io.StringIO()
    assert fetch_profile(profile, tmp_path / "dest", progress=Progress(report), limits=QUICK)
    assert_fetched(tmp_path / "dest")
    assert server.requests == ["/first", "/second"]
    lines = [line for line in report.getvalue().splitlines() if line.endswith("; trying the next source")]
    assert len(lines) == 1
    assert lines[0].startswith((f"{server.base}/first: ", "first: ", "det/"))
    assert reason in lines[0]
    assert "trying again" not in report.getvalue()


def test_the_last_source_is_tried_with_patience(tmp_path: Path, server: ArchiveServer) -> None:
    profile = profile_from_several(
        tmp_path,
        archive_at(server.on("/first", status(503))),
        archive_at(server.on("/second", status(503), body(TAR))),
    )
    assert fetch_profile(profile, tmp_path / "dest", limits=QUICK)
    assert_fetched(tmp_path / "dest")


def test_nothing_is_left_if_no_source_delivers(tmp_path: Path, server: ArchiveServer) -> None:
    profile = profile_from_several(
        tmp_path, archive_at(server.on("/first", status(404))), archive_at(server.on("/second", status(403)))
    )
    with pytest.raises(DownloadError, match="/second: HTTP 403"):
        fetch_profile(profile, tmp_path / "dest", limits=QUICK)
    assert not (tmp_path / "dest").exists()


def test_a_model_is_complete_if_the_files_of_one_origin_are(tmp_path: Path, server: ArchiveServer) -> None:
    path = write_profile(
        tmp_path / "tiny.toml", archive_at(server.base + "/none"), archive_at(server.on("/", body(TAR)))
    )
    # The first origin delivers the detector in another format.
    text = path.read_text()
    for name in ("pdmodel", "pdiparams"):
        lines = text.partition(f'[det.origins.files."inference.{name}"]')
        replacement = "xml" if name == "pdmodel" else "bin"
        text = lines[0] + f'[det.origins.files."inference.{replacement}"]' + lines[2]
    path.write_text(text)
    profile = load_profile(str(path))
    assert fetch_profile(profile, tmp_path / "dest", limits=QUICK)
    assert is_complete(profile, tmp_path / "dest")
    (tmp_path / "dest" / "tiny" / "det" / "inference.pdiparams").unlink()
    assert not is_complete(profile, tmp_path / "dest")


def test_a_single_file_can_be_a_source(tmp_path: Path, server: ArchiveServer) -> None:
    url = server.on("/models/det+params%201.bin?version=1", body(FILES["det/inference.pdiparams"]))
    path = write_profile(tmp_path / "tiny.toml", archive_at(server.on("/all", body(TAR))))
    text = path.read_text().replace("[sources.s0]", f'[sources.file]\nkind = "file"\nurl = "{url}"\n[sources.s0]')
    member = 'member = "det/inference.pdiparams"'
    assert member in text
    path.write_text(text.replace(member, 'member = "det+params%201.bin"\nsource = "file"'))
    assert fetch_profile(load_profile(str(path)), tmp_path / "dest", limits=QUICK)
    assert_fetched(tmp_path / "dest")


def test_single_published_files_can_be_given(tmp_path: Path, server: ArchiveServer) -> None:
    profile = profile_from(tmp_path, server.base + "/never")
    (tmp_path / "any name").write_bytes(FILES["det/inference.pdiparams"])
    rest = {name: content for name, content in FILES.items() if name != "det/inference.pdiparams"}
    (tmp_path / "rest.tar").write_bytes(tar_bytes(rest))
    given = [str(tmp_path / "any name"), str(tmp_path / "rest.tar")]
    assert fetch_profile(profile, tmp_path / "dest", given, limits=QUICK)
    assert_fetched(tmp_path / "dest")
    # The model is a copy: what happens to the given file later does not matter.
    with (tmp_path / "any name").open("wb") as stream:
        stream.write(b"changed")
    assert_fetched(tmp_path / "dest")


def test_a_given_file_must_have_the_published_hash(tmp_path: Path, server: ArchiveServer) -> None:
    profile = profile_from(tmp_path, server.base + "/never")
    (tmp_path / "all.tar").write_bytes(tar_bytes({**FILES, "rec/inference.pdmodel": b"another"}))
    with pytest.raises(DownloadError, match=r"rec/inference\.pdmodel for rec/.*: SHA-256 is \w+, expected"):
        fetch_profile(profile, tmp_path / "dest", [str(tmp_path / "all.tar")], limits=QUICK)
    (tmp_path / "one.onnx").write_bytes(b"no published file")
    with pytest.raises(DownloadError) as caught:
        fetch_profile(profile, tmp_path / "dest", [str(tmp_path / "one.onnx")], limits=QUICK)
    assert str(caught.value) == (
        "one.onnx: damaged or truncated, or not a tar or zip archive (truncated header); its SHA-256, "
        f"{sha256(b'no published file')}, is not that of a single file of profile tiny; give another source with --from"
    )
    assert not (tmp_path / "dest").exists()


def test_unpinned_members_of_two_sources_cannot_come_from_one_archive(tmp_path: Path) -> None:
    path = write_profile(
        tmp_path / "tiny.toml",
        archive_at("https://models.example/a.tar"),
        archive_at("https://models.example/b.tar"),
        pinned=False,
    )
    (tmp_path / "all.tar").write_bytes(TAR)
    with pytest.raises(DownloadError, match=r"takes 'det/inference\.pdiparams' from two sources"):
        fetch_profile(load_profile(str(path)), tmp_path / "dest", [str(tmp_path / "all.tar")], limits=QUICK)


# ---- npm


def npm_source(digest: str) -> dict[str, str]:
    return {"kind": "npm", "package": "tiny-models", "version": "1.0.0", "sha256": digest}


def npm_package() -> bytes:
    """A package that npm accepts; the profile's files lie in `package/`, which every package has."""
    manifest = json.dumps({"name": "tiny-models", "version": "1.0.0"}).encode()
    return tar_bytes({"package/package.json": manifest, **FILES}, "w:gz")


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_downloads_a_package_from_its_configured_registry(
    tmp_path: Path, server: ArchiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = npm_package()
    dist = {
        "tarball": server.on("/tiny-models-1.0.0.tgz", body(package)),
        "shasum": hashlib.sha1(package).hexdigest(),
    }
    version = {"name": "tiny-models", "version": "1.0.0", "dist": dist}
    index = {"name": "tiny-models", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    server.on("/tiny-models", body(json.dumps(index).encode()))
    monkeypatch.setenv("npm_config_registry", server.base)
    profile = profile_from_several(tmp_path, npm_source(sha256(package)))
    assert fetch_profile(profile, tmp_path / "dest", limits=QUICK)
    assert_fetched(tmp_path / "dest")

    other = profile_from_several(tmp_path, npm_source(sha256(b"another")))
    with pytest.raises(DownloadError, match=r"tiny-models@1\.0\.0: SHA-256 is"):
        fetch_profile(other, tmp_path / "other", limits=QUICK)

    server.on("/tiny-models", status(404))
    with pytest.raises(DownloadError, match=r"tiny-models@1\.0\.0: npm pack failed \(.*404"):
        fetch_profile(profile, tmp_path / "third", limits=QUICK)


def test_without_npm_a_package_gives_way(
    tmp_path: Path, server: ArchiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source = npm_source(sha256(b"never requested"))
    with pytest.raises(DownloadError, match=r"tiny-models@1\.0\.0: npm is not installed; install it"):
        fetch_profile(profile_from_several(tmp_path, source), tmp_path / "dest", limits=QUICK)
    profile = profile_from_several(tmp_path, source, archive_at(server.on("/second", body(TAR))))
    assert fetch_profile(profile, tmp_path / "dest", limits=QUICK)
    assert_fetched(tmp_path / "dest")
