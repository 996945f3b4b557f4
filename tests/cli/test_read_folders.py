"""`ppocr read` with folders, several files at a time, servers, and interruptions."""

import errno
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.small_files import pdf_of_pictures, text_picture
from ppocr_serving.cli import read
from ppocr_serving.cli.inputs import find_inputs
from ppocr_serving.cli.journal import JOURNAL
from ppocr_serving.cli.parallel import each
from ppocr_serving.cli.progress import Progress
from ppocr_serving.cli.sources import source_of
from ppocr_serving.errors import InvalidRequest
from ppocr_serving.outputs import FORMATS
from ppocr_serving.reading.options import ReadOptions
from tests.served.server import Served, launch_lean

ROOT = Path(__file__).parents[2]
QUICK = ("--det-closer-side-len", "0", "--reread-score", "0")
KEY = "0123456789abcdef-secret"


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures at two depths, a PDF, and files that are none of these."""
    folder = tmp_path_factory.mktemp("folder") / "scans"
    (folder / "deep" / "er").mkdir(parents=True)
    text_picture("Alpha 42").save(folder / "a.png")
    text_picture("Beta 43").save(folder / "deep" / "a.PNG")
    text_picture("Gamma 44").save(folder / "deep" / "er" / "c.jpg")
    (folder / "scan.pdf").write_bytes(pdf_of_pictures([text_picture("First page"), text_picture("Second page")]))
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(b"nothing")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with launch_lean(tmp_path_factory.mktemp("server"))(2, PPOCR_API_KEYS=f"alice:{KEY}") as served:
        yield served


def texts(folder: Path) -> dict[str, str]:
    """Return the texts in a folder by path."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != JOURNAL
    }


ALL = {
    "a.png.txt": "Alpha 42\n",
    "deep/a.PNG.txt": "Beta 43\n",
    "deep/er/c.jpg.txt": "Gamma 44\n",
    "scan.pdf.txt": "First page\n\fSecond page\n",
}


def test_a_folder_is_read_at_any_depth(scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read.main([str(scans), "--dpi", "72", "--jobs", "3", "--output", f"{tmp_path}/out/", *QUICK]) == 0
    assert texts(tmp_path / "out") == ALL
    assert not (tmp_path / "out" / JOURNAL).exists()  # everything is done
    assert capsys.readouterr().err == ""


def test_searchable_pdf_files_of_a_folder(scans: Path, tmp_path: Path) -> None:
    arguments = [str(scans), "--format", "pdf", "--output", f"{tmp_path}/searchable/", "--jobs", "2", "--dpi", "72"]
    assert read.main([*arguments, *QUICK]) == 0
    written = sorted((tmp_path / "searchable").rglob("*.pdf"))
    assert len(written) == 4
    found = subprocess.run(["pdftotext", str(written[-1]), "-"], capture_output=True, text=True, check=True).stdout
    assert found.split() == ["First", "page", "Second", "page"]


def test_patterns_folders_and_files_are_found_in_order(scans: Path, tmp_path: Path) -> None:
    def places(*arguments: str) -> list[str]:
        return [str(file.place) for file in find_inputs([str(scans / name) for name in arguments], [])]

    assert places(".") == ["a.png", "scan.pdf", "deep/a.PNG", "deep/er/c.jpg"]
    assert places("**/*.[jp]*g") == ["a.png", "deep/er/c.jpg"]
    assert places("*/a.*", "notes.txt", "scan.pdf") == ["deep/a.PNG", "notes.txt", "scan.pdf"]
    inside = find_inputs([str(scans)], [scans / "deep", None])
    assert [str(file.place) for file in inside] == ["a.png", "scan.pdf"]
    with pytest.raises(InvalidRequest, match="has no picture and no PDF file"):
        find_inputs([str(tmp_path)], [])


def test_several_at_a_time_are_written_in_order(scans: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert read.main([str(scans), "--dpi", "72", "--jobs", "4", *QUICK]) == 0
    assert capfdbinary.readouterr().out.decode() == "Alpha 42\n\fFirst page\n\fSecond page\n\fBeta 43\n\fGamma 44\n"


def test_pages_are_drawn(scans: Path, tmp_path: Path) -> None:
    arguments = [str(scans / "scan.pdf"), str(scans / "a.png"), "--format", "jsonl", "--output", f"{tmp_path}/x.jsonl"]
    assert read.main([*arguments, "--draw", str(tmp_path / "drawn"), "--dpi", "72", *QUICK]) == 0
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert names == ["a.png.png", "scan.pdf.1.png", "scan.pdf.2.png"]
    for name in names:
        with Image.open(tmp_path / "drawn" / name) as picture:
            assert picture.width > 100
    assert [json.loads(line)["type"] for line in (tmp_path / "x.jsonl").read_bytes().splitlines()] == [
        "page",
        "page",
        "page",
        "end",
    ]
    # A drawing that is there already is not replaced.
    assert read.main([str(scans / "a.png"), "--draw", str(tmp_path / "drawn"), *QUICK]) == 1


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.thorough] * (name not in ("text", "json", "jsonl", "pdf", "png")))
        for name in FORMATS
    ],
)
def test_a_server_gives_the_same_bytes(
    server: Served, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PPOCR_API_KEY", KEY)
    monkeypatch.chdir(scans)
    (tmp_path / "bad.gif").write_bytes(b"GIF89a")
    files = ["a.png"] if name == "png" else ["a.png", "scan.pdf", str(tmp_path / "bad.gif"), "deep"]
    options = ["--format", name, "--words", "--dpi", "72", *QUICK]

    status = 0 if name == "png" else 1
    assert read.main([*files, *options, "--output", str(tmp_path / "here")]) == status
    assert read.main([*files, *options, "--output", str(tmp_path / "there"), "--url", server.url]) == status

    here, there = ((tmp_path / place).read_bytes() for place in ("here", "there"))
    assert without_times(name, here) == without_times(name, there)


def without_times(name: str, data: bytes) -> Any:
    if name == "json":
        return [{**document, "times": None} for document in json.loads(data)["documents"]]
    if name == "jsonl":
        return [{**json.loads(line), "times": None} for line in data.splitlines()]
    return data


def test_a_server_without_the_right_key_is_an_error(
    server: Served, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PPOCR_API_KEY", raising=False)
    assert read.main([str(scans / "a.png"), "--url", server.url]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"read: {scans / 'a.png'}: ")
    assert "API key" in line
    assert read.main([str(scans), "--url", server.url, "--output", f"{tmp_path}/out/"]) == 1
    assert "API key" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert read.main([str(scans / "a.png"), "--url", "localhost"]) == 1
    assert capsys.readouterr().err.startswith("read: 'localhost' is not the address of a server; ")


def test_the_times_of_several_files_are_added_up(server: Served, scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPOCR_API_KEY", KEY)
    source = source_of(server.url, ReadOptions(), FORMATS["json"])
    times = {"det_engine": 1000.0}
    pages = list(source.pages((scans / "a.png").read_bytes(), times))
    source.close()
    assert len(pages) == 1
    assert 1000 < times["det_engine"] < 2000
    assert 0 < times["rec_engine"] < 1000


def test_a_server_that_is_too_busy_is_asked_again(scans: Path, tmp_path: Path) -> None:
    picture = (scans / "a.png").read_bytes()
    folder, output = tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.png").write_bytes(picture)
    with launch_lean(tmp_path)(PPOCR_MAX_CONCURRENCY="1", PPOCR_MAX_QUEUE="0") as server:
        arguments = [str(folder), "--url", server.url, "--jobs", "8", "--output", f"{output}/", *QUICK]
        assert read.main(arguments) == 0
        assert "status=503" in server.log()
    assert texts(output) == {f"{number}.png.txt": "Alpha 42\n" for number in range(8)}


def test_what_is_done_stays_and_resuming_reads_the_rest(
    server: Served,
    scans: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, out = tmp_path / "scans", tmp_path / "out"
    folder.mkdir()
    (folder / "1.png").write_bytes((scans / "a.png").read_bytes())
    (folder / "2.png").write_bytes(b"not yet")
    (folder / "3.png").write_bytes((scans / "deep" / "a.PNG").read_bytes())
    arguments = [str(folder), "--output", f"{out}/", *QUICK]

    assert read.main(arguments) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"read: 2 of 3 files are done; 1 failed: {folder / '2.png'}"
    assert texts(out) == {"1.png.txt": "Alpha 42\n", "3.png.txt": "Beta 43\n"}

    # The second is whole now, the third has changed, and what was written of the first is gone.
    (folder / "2.png").write_bytes((scans / "a.png").read_bytes())
    (folder / "3.png").write_bytes((scans / "a.png").read_bytes())
    (out / "1.png.txt").unlink()
    first = {name: (out / name).stat().st_ino for name in texts(out)}
    assert read.main([*arguments, "--resume"]) == 0
    assert texts(out) == dict.fromkeys(("1.png.txt", "2.png.txt", "3.png.txt"), "Alpha 42\n")
    assert (out / "3.png.txt").stat().st_ino != first["3.png.txt"]

    capsys.readouterr()
    (out / JOURNAL).write_bytes((out / JOURNAL).read_bytes() + b'{"output": "4.pn')  # as if the machine had stopped
    inodes = {name: (out / name).stat().st_ino for name in texts(out)}
    assert read.main([*arguments, "--resume", "--jobs", "2"]) == 0
    assert capsys.readouterr().err == "read: 3 of 3 files are done, 3 of them from before\n"
    assert {name: (out / name).stat().st_ino for name in texts(out)} == inodes

    # A server with the same models and options goes on, too.
    monkeypatch.setenv("PPOCR_API_KEY", KEY)
    assert read.main([*arguments, "--resume", "--url", server.url]) == 0
    assert capsys.readouterr().err == "read: 3 of 3 files are done, 3 of them from before\n"

    # Other options: everything is read again, wherever they come from. Without --resume, nothing is replaced.
    assert read.main([*arguments, "--resume", "--drop-score", "1"]) == 0
    assert set(texts(out).values()) == {""}
    monkeypatch.setenv("PPOCR_DROP_SCORE", "1")
    assert read.main([*arguments, "--resume"]) == 0
    assert capsys.readouterr().err == "read: 3 of 3 files are done, 3 of them from before\n"
    monkeypatch.setenv("PPOCR_DROP_SCORE", "0.5")
    assert read.main([*arguments, "--resume"]) == 0
    assert set(texts(out).values()) == {"Alpha 42\n"}
    assert read.main(arguments) == 1
    assert "3 failed" in capsys.readouterr().err


def test_files_of_others_are_not_replaced_when_resuming(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png.txt").write_text("mine")
    assert read.main([str(scans / "a.png"), "--output", f"{tmp_path}/", "--resume"]) == 1
    assert (tmp_path / "a.png.txt").read_text() == "mine"


def test_drawings_of_others_are_not_replaced_when_resuming(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / "a.png.png").write_text("mine")
    arguments = [str(scans / "a.png"), "--draw", f"{tmp_path}/drawn/", "--output", f"{tmp_path}/out/", *QUICK]
    for _ in range(2):  # the second time, the text is its own
        assert read.main([*arguments, "--resume"]) == 1
        assert "or replace it with --force" in capsys.readouterr().err
        assert (tmp_path / "drawn" / "a.png.png").read_text() == "mine"
    (tmp_path / "drawn" / "a.png.png").unlink()
    assert read.main([*arguments, "--resume"]) == 0
    # With another option it is drawn again, over what this command has drawn.
    (tmp_path / "drawn" / "a.png.png").write_text("its own, changed")
    assert read.main([*arguments, "--resume", "--drop-score", "0.1"]) == 0
    assert (tmp_path / "drawn" / "a.png.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_read_is_an_error(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = os.scandir

    def scandir(path: str) -> Any:
        if str(path).endswith("deep"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)  # root may read every folder
    assert read.main([str(scans), "--output", f"{tmp_path}/out/"]) == 2
    assert capsys.readouterr().err == (
        f"read: {scans / 'deep'} cannot be read (Permission denied); make it readable, or name other files\n"
    )


def test_a_file_whose_name_is_not_utf_8_is_resumed_like_others(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes((scans / "a.png").read_bytes())
    (folder / "damaged.png").write_bytes(b"nothing")
    arguments = [str(folder), "--output", f"{tmp_path}/out/", *QUICK]
    assert read.main(arguments) == 1
    assert set(texts(tmp_path / "out").values()) == {"Alpha 42\n"}
    capsys.readouterr()
    assert read.main([*arguments, "--resume"]) == 1
    assert "read: 1 of 2 files are done, 1 of them from before; 1 failed" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", ["1", "3"])
@pytest.mark.parametrize("remote", [False, True])
def test_an_interruption_keeps_what_is_done(
    server: Served, scans: Path, tmp_path: Path, remote: bool, jobs: str
) -> None:
    folder, out = tmp_path / "many", tmp_path / "out"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03}.png").write_bytes((scans / "a.png").read_bytes())
    command = [sys.executable, "-m", "ppocr_serving", "read", str(folder), "--output", f"{out}/", "--jobs", jobs]
    if remote:
        command += ["--url", server.url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PPOCR_API_KEY": KEY}
    process = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # As in a terminal: what is started in the background, this test perhaps, ignores interruptions.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while len(list(out.glob("*.txt"))) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    lines = process.communicate()[1].splitlines()
    assert process.returncode == 130
    assert re.fullmatch(r"read: [0-9]+ of 200 files are done", lines[-2])
    assert lines[-1] == "read: interrupted; what is done stays, and --resume goes on from there"
    done = texts(out)
    assert 3 <= len(done) < 200
    assert set(done.values()) == {"Alpha 42\n"}
    assert {path.name for path in out.iterdir()} == {*done, JOURNAL}
    assert len((out / JOURNAL).read_text().splitlines()) == len(done)


def test_a_terminal_shows_how_far_it_is(scans: Path, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "ppocr_serving", "read", str(scans), "--output", f"{tmp_path}/out/", *QUICK]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(master)
    assert process.wait() == 0
    assert re.search(rb"\rread: \[#+\.*\] [1-4] of 4 files, [0-9.]+ files/s, [0-9]+ s left\x1b\[K", shown)
    assert shown.decode().splitlines()[-1].endswith("read: 4 of 4 files are done")


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ppocr_serving.cli.progress._LINE_SECONDS", 0.0)
    log = io.StringIO()
    progress = Progress("read", 10**13, log)
    progress.show(0, 0, 0)
    progress.show(2, 2, 1)
    progress.end()
    shown = r"read: 2 of 10000000000000 files, 1 failed, [0-9.]+ files/s, [0-9]+ h [0-9]+ min left\n"
    assert re.fullmatch(shown, log.getvalue())
    few = Progress("read", 9, log)
    log.truncate(0)
    few.show(2, 2, 1)
    assert log.getvalue() == ""


def test_results_are_yielded_as_they_are_done_or_in_order() -> None:
    def wait(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    tasks = [0.6, 0.0, 0.3]
    assert [result for _, result in each(wait, tasks, 3, in_order=True)] == tasks
    assert [result for _, result in each(wait, tasks, 3, in_order=False)] == sorted(tasks)
    assert [task for task, _ in each(wait, tasks[1:], 1, in_order=False)] == tasks[1:]
