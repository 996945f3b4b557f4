"""`python -m ppocr_serving models` as users run it: in a separate process, with real pip and a real full disk."""

import os
import pty
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ppocr_serving.models import profile_names
from tests.models.archive_server import (
    FILES,
    ArchiveServer,
    body,
    running_server,
    sha256,
    snapshot,
    status,
    tar_bytes,
    write_profile,
    write_wheel,
)

COMMAND = [sys.executable, "-m", "ppocr_serving", "models"]
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    with running_server() as running:
        yield running


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A tar with the profile's files, next to a profile `tiny.toml` without a reachable source."""
    write_profile(tmp_path / "tiny.toml", {"kind": "archive", "url": "http://127.0.0.1:9/all.tar"})
    path = tmp_path / "all.tar"
    path.write_bytes(tar_bytes())
    return path


def environment(**variables: str) -> dict[str, str]:
    """Return the environment without the developer's settings, plus `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PPOCR_")}
    return kept | {"no_proxy": "127.0.0.1", "PIP_CONFIG_FILE": os.devnull} | variables


def fetch(*arguments: str | Path, file_limit: int | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    return run("fetch", *arguments, file_limit=file_limit, **variables)


def run(*arguments: str | Path, file_limit: int | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
        timeout=120,
    )


def assert_failed(done: subprocess.CompletedProcess[str], message: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("models: ")
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def files_in(directory: Path) -> dict[str, bytes]:
    return {name: content for name, content in snapshot(directory).items() if content is not None}


def test_it_fetches_once_and_then_says_so(tmp_path: Path, archive: Path) -> None:
    arguments = (tmp_path / "tiny.toml", "--dest", tmp_path / "dest", "--from", archive)
    for state in ("fetched", "already there"):
        done = fetch(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"models: tiny {state} in {tmp_path / 'dest' / 'tiny'}\n"
    assert files_in(tmp_path / "dest" / "tiny") == FILES


def test_settings_come_from_the_environment(tmp_path: Path, archive: Path) -> None:
    done = fetch("--from", archive, PPOCR_PROFILE=str(tmp_path / "tiny.toml"), PPOCR_MODEL_DIR=str(tmp_path / "dest"))
    assert done.returncode == 0, done.stderr
    assert files_in(tmp_path / "dest" / "tiny") == FILES


def test_it_imports_nothing_heavy(tmp_path: Path, archive: Path) -> None:
    code = (
        "import sys\n"
        "from ppocr_serving.cli.models import main\n"
        f"arguments = [{str(tmp_path / 'tiny.toml')!r}, '--dest', {str(tmp_path / 'dest')!r}]\n"
        f"assert main(['fetch', *arguments, '--from', {str(archive)!r}]) == 0\n"
        "assert main(['verify', *arguments]) == main(['list']) == main(['describe', 'ppocr-v6']) == 0\n"
        "assert not {'paddle', 'cv2', 'openvino', 'uvicorn', 'paddlehub'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_progress_is_a_bar_on_a_terminal_and_a_plain_line_elsewhere(tmp_path: Path, server: ArchiveServer) -> None:
    url = server.on("/all.tar", body(tar_bytes()))
    profile = write_profile(tmp_path / "tiny.toml", {"kind": "archive", "url": url})
    done = fetch(profile, "--dest", tmp_path / "plain")
    assert done.stderr == f"downloading {url}\n"

    reader, writer = pty.openpty()
    command = [*COMMAND, "fetch", str(profile), "--dest", str(tmp_path / "bar")]
    subprocess.run(command, env=environment(), stdout=subprocess.DEVNULL, stderr=writer, check=True)
    os.close(writer)
    shown = os.read(reader, 1 << 16).decode()
    os.close(reader)
    assert f"[{'#' * 30}] 0.5 / 0.5 MB" in shown
    assert shown.endswith("\r\n")


def pip_profile(tmp_path: Path, digest: str, version: str = "1.0") -> Path:
    source = {"kind": "pypi", "package": "tiny-models", "version": version, "sha256": digest}
    return write_profile(tmp_path / "wheel.toml", source)


def test_pip_downloads_a_wheel_from_its_configured_source(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    profile = pip_profile(tmp_path, sha256(wheel.read_bytes()))
    done = fetch(profile, "--dest", tmp_path / "dest", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "downloading tiny-models==1.0 with pip\n"
    assert files_in(tmp_path / "dest" / "tiny") == FILES
    assert [path.name for path in (tmp_path / "dest").iterdir()] == ["tiny"]


@pytest.mark.parametrize(
    ("digest", "version", "message"),
    [
        (sha256(b"another wheel"), "1.0", f"SHA-256 of the wheel is not {sha256(b'another wheel')}"),
        (sha256(b""), "9.9", "No matching distribution found for tiny-models==9.9"),
    ],
)
def test_a_wheel_that_pip_cannot_deliver_is_a_one_line_error(
    tmp_path: Path, digest: str, version: str, message: str
) -> None:
    write_wheel(tmp_path)
    profile = pip_profile(tmp_path, digest, version)
    done = fetch(profile, "--dest", tmp_path / "dest", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert_failed(done, message)
    assert not (tmp_path / "dest").exists()


def test_from_accepts_a_wheel_file(tmp_path: Path) -> None:
    profile = pip_profile(tmp_path, sha256(b"never requested"))
    done = fetch(profile, "--dest", tmp_path / "dest", "--from", write_wheel(tmp_path))
    assert done.returncode == 0, done.stderr
    assert files_in(tmp_path / "dest" / "tiny") == FILES


def test_an_unavailable_source_or_folder_is_a_one_line_error(tmp_path: Path, server: ArchiveServer) -> None:
    profile = write_profile(tmp_path / "tiny.toml", {"kind": "archive", "url": server.on("/all.tar", status(404))})
    assert_failed(fetch(profile, "--dest", tmp_path / "dest"), "HTTP 404")
    for given, reason in (("none.tar", "No such file or directory; give a file"), (".", "is not a file; give another")):
        assert_failed(fetch(profile, "--dest", tmp_path / "dest", "--from", tmp_path / given), reason)
    assert_failed(fetch("ppocr-v9", "--dest", tmp_path / "dest"), "use ppocr-v2.0-mobile")
    assert_failed(fetch(profile, "--dest", "/proc/none"), "/proc/none")
    assert_failed(fetch(profile, "--dest", profile), "tiny.toml")
    assert not (tmp_path / "dest").exists()


def test_a_file_that_cannot_be_written_leaves_the_old_ones(tmp_path: Path, archive: Path) -> None:
    dest = tmp_path / "dest"
    (dest / "tiny" / "det").mkdir(parents=True)
    (dest / "tiny" / "det" / "inference.pdmodel").write_bytes(b"older")
    before = snapshot(dest)
    done = fetch(tmp_path / "tiny.toml", "--dest", dest, "--from", archive, file_limit=100_000)
    assert_failed(done, "File too large")
    assert snapshot(dest) == before


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    command = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_mount(), reason="this machine does not let a user namespace mount a tmpfs")
def test_a_full_disk_leaves_the_old_files(tmp_path: Path, archive: Path) -> None:
    dest = tmp_path / "dest"
    dest.mkdir()
    # The tmpfs exists only inside this command, so the comparison is made there too.
    steps = (
        'mount -t tmpfs -o size=256k tmpfs "$1" && mkdir -p "$1/tiny" && echo older >"$1/tiny/file" || exit 9\n'
        'shift; "$@"; code=$?\n'
        'cd "$DEST" && find . -type f && cat tiny/file && exit $code'
    )
    command = [*COMMAND, "fetch", str(tmp_path / "tiny.toml"), "--dest", str(dest)]
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", steps, "sh", str(dest), *command, "--from", str(archive)],
        env=environment(DEST=str(dest)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "./tiny/file\nolder\n"), done.stderr
    assert "No space left on device; free some space" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_every_profile_is_listed_with_whether_it_is_fetched(tmp_path: Path) -> None:
    there = tmp_path / "ppocr-v4-mobile"
    for role in ("det", "cls", "rec"):
        (there / role).mkdir(parents=True)
        for name in ("inference.pdmodel", "inference.pdiparams", "dictionary.txt"):
            (there / role / name).write_bytes(b"x")
    done = run("list", "--dest", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["PROFILE", "SIZE", "LICENCE", "STATE", "LANGUAGES"]
    assert [row.split()[0] for row in rows] == list(profile_names())
    (row,) = [row for row in rows if row.startswith("ppocr-v4-mobile ")]
    assert re.split(r" {2,}", row) == ["ppocr-v4-mobile", "18 MB", "Apache-2.0", "fetched", "zh-Hans, zh-Hant, en"]
    (row,) = [row for row in rows if row.startswith("ppocr-v6 ")]
    assert "not fetched" in row
    assert row.endswith("zh-Hans, zh-Hant, en, af, az and 44 more")


def test_files_are_verified_one_by_one(tmp_path: Path, archive: Path) -> None:
    profile, dest = tmp_path / "tiny.toml", tmp_path / "dest"
    assert fetch(profile, "--dest", dest, "--from", archive).returncode == 0
    done = run("verify", profile, "--dest", dest)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == sorted(f"{name}: ok" for name in FILES)

    (dest / "tiny" / "det" / "inference.pdmodel").write_bytes(b"another")
    (dest / "tiny" / "rec" / "dictionary.txt").unlink()
    done = run("verify", profile, "--dest", dest)
    assert done.returncode == 1
    expected = f"SHA-256 is {sha256(b'another')}, expected {sha256(FILES['det/inference.pdmodel'])}"
    assert f"det/inference.pdmodel: {expected}" in done.stdout.splitlines()
    assert "rec/dictionary.txt: No such file or directory" in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1] == (
        f"models: tiny is not complete in {dest / 'tiny'} (det, rec); run `python -m ppocr_serving models fetch "
        f"{profile} --dest {dest}`"
    )


def test_a_file_without_a_published_hash_is_not_called_verified(tmp_path: Path, archive: Path) -> None:
    profile = write_profile(tmp_path / "tiny.toml", {"kind": "archive", "url": "http://127.0.0.1:9/"}, pinned=False)
    assert fetch(profile, "--dest", tmp_path / "dest", "--from", archive).returncode == 0
    done = run("verify", profile, "--dest", tmp_path / "dest")
    assert done.returncode == 0
    assert all(line.endswith("present; no SHA-256 is published") for line in done.stdout.splitlines())
    (tmp_path / "dest" / "tiny" / "cls" / "inference.pdmodel").write_bytes(b"")
    done = run("verify", profile, "--dest", tmp_path / "dest")
    assert done.returncode == 1
    assert "cls/inference.pdmodel: is empty" in done.stdout.splitlines()


def test_of_converted_models_what_is_left_is_verified(tmp_path: Path, archive: Path) -> None:
    profile, folder = tmp_path / "tiny.toml", tmp_path / "dest" / "tiny"
    assert fetch(profile, "--dest", tmp_path / "dest", "--from", archive).returncode == 0
    for role in ("det", "rec"):  # as scripts/compile_models.py --convert leaves them
        for name in ("inference.pdmodel", "inference.pdiparams"):
            (folder / role / name).rename((folder / role / name).with_suffix(".xml" if "model" in name else ".bin"))
    done = run("verify", profile, "--dest", tmp_path / "dest")
    assert (done.returncode, done.stderr) == (0, "")
    converted = [f"{role}/inference{suffix}" for role in ("det", "rec") for suffix in (".xml", ".bin")]
    assert sorted(done.stdout.splitlines()) == sorted(
        [
            *(f"{name}: present; converted here, so no SHA-256 is published" for name in converted),
            *(f"{name}: ok" for name in ("cls/inference.pdiparams", "cls/inference.pdmodel", "rec/dictionary.txt")),
        ]
    )
    (folder / "rec" / "dictionary.txt").write_text("another")
    (folder / "det" / "inference.bin").write_bytes(b"")
    done = run("verify", profile, "--dest", tmp_path / "dest")
    assert done.returncode == 1
    assert "det/inference.pdmodel: No such file or directory" in done.stdout.splitlines()
    assert f"is not complete in {folder} (det, rec)" in done.stdout.splitlines()[-1]


def test_a_profile_is_described_by_role() -> None:
    done = run("describe", "ppocr-v6")
    assert (done.returncode, done.stderr) == (0, "")
    name, *roles = done.stdout.split("\n\n")
    assert name.startswith("ppocr-v6: PP-OCRv6 tiny")
    assert name.endswith("\ncompatible: False")
    assert [role.partition("\n")[0] for role in roles] == ["det", "cls", "rec", "reread"]
    for stated in ("box_thresh: 0.6", "unclip_ratio: 1.5", "limit_side_len: 960", "mean: 0.485, 0.456, 0.406"):
        assert f"  {stated}\n" in roles[0]
    for stated in ("image_shape: 3, 48, 320", "interpolation: linear", "licence: Apache-2.0"):
        assert f"  {stated}\n" in roles[3]
    assert "PP-OCRv6_small_rec_onnx_infer.tar; SHA-256 5435fd747c9e0efe" in roles[3]


@pytest.mark.parametrize(("engine", "profile"), [("", "ppocr-v6"), ("paddle", "ppocr-v4-mobile")])
def test_without_a_name_it_is_the_profile_that_a_server_would_use(engine: str, profile: str) -> None:
    done = run("describe", PPOCR_ENGINE=engine)
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, profile)


def test_without_a_command_the_commands_are_named() -> None:
    done = run()
    assert done.returncode == 2
    assert "usage: ppocr models" in done.stderr
    assert "Traceback" not in done.stderr
