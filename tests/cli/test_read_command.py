"""`ppocr read`, as users run it, and its options."""

import csv
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from benchmarks.small_files import pdf_of_pictures, pdf_with_text, text_picture
from ppocr_serving.cli import read
from ppocr_serving.cli.documents import Failures, Readings, write_together
from ppocr_serving.cli.inputs import find_inputs
from ppocr_serving.cli.journal import JOURNAL
from ppocr_serving.cli.output_files import OutputFile
from ppocr_serving.cli.read_options import dashed, read_options
from ppocr_serving.cli.sources import source_of
from ppocr_serving.cli.usage import parse
from ppocr_serving.errors import InvalidRequest
from ppocr_serving.outputs import FORMATS
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.vision.helpers import end_idle_processes
from tests.pipes import waits_at_a_pipe
from tests.processes import children

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture, two PDF files and a damaged picture."""
    folder = tmp_path_factory.mktemp("files")
    text_picture("Alpha 42").save(folder / "a.png")
    (folder / "scan.pdf").write_bytes(pdf_of_pictures([text_picture("First page"), text_picture("Second page")]))
    (folder / "own.pdf").write_bytes(pdf_with_text(["Total 42"]))
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xffnothing")
    return folder


def run(folder: Path, *arguments: str, sent: bytes = b"", **environment: str) -> "subprocess.CompletedProcess[bytes]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PPOCR_")}
    # One look is enough for these files.
    settings = {"PPOCR_DET_CLOSER_SIDE_LEN": "0", "PPOCR_REREAD_SCORE": "0", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "ppocr_serving", "read", *arguments],
        cwd=folder,
        env={**inherited, **settings, **environment},
        input=sent,
        capture_output=True,
        check=False,
    )


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert read.main(arguments) == 2
    output, error = capsys.readouterr()
    assert output == ""
    assert error.count("\n") == 1
    return error


def test_several_files_are_read_in_order_and_one_failure_does_not_end_it(files: Path) -> None:
    done = run(files, "a.png", "bad.jpg", "missing.png", "scan.pdf", "--dpi", "72")

    assert done.returncode == 1
    assert done.stdout.decode() == "Alpha 42\n\fFirst page\n\fSecond page\n"
    first, second, last = done.stderr.decode().splitlines()
    assert re.match(r"read: bad\.jpg: is (not|a damaged)", first)
    assert second.startswith("read: missing.png: cannot be read (No such file or directory)")
    assert last == "read: 2 of 4 files are done; 2 failed: bad.jpg, missing.png"


def test_standard_input_is_read_and_pages_are_chosen(files: Path) -> None:
    data = (files / "scan.pdf").read_bytes()

    done = run(files, "-", "--dpi", "72", "--pages", "2", "--format", "jsonl", sent=data)

    assert (done.returncode, done.stderr) == (0, b"")
    page, end = map(json.loads, done.stdout.splitlines())
    assert (page["name"], page["page"]["number"]) == ("stdin", 2)
    assert end["type"] == "end"


def test_json_lines_are_written_as_pages_are_read(files: Path) -> None:
    (files / "pipe").unlink(missing_ok=True)
    os.mkfifo(files / "pipe")
    command = [sys.executable, "-m", "ppocr_serving", "read", "a.png", "pipe", "--format", "jsonl"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=files, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        # The second file has not even begun to arrive.
        assert json.loads(process.stdout.readline())["name"] == "a.png"
        (files / "pipe").write_bytes((files / "a.png").read_bytes())
        assert [json.loads(line)["type"] for line in process.stdout] == ["page", "end"]
    assert process.returncode == 0


@pytest.mark.parametrize("name", ["hocr", "csv", "pdf", "png"])
def test_a_folder_gets_a_file_per_input(files: Path, tmp_path: Path, name: str) -> None:
    assert read.main([str(files / "a.png"), "--format", name, "--output", f"{tmp_path}/new/folder/"]) == 0

    (written,) = (tmp_path / "new" / "folder").iterdir()
    assert written.name == f"a.png.{FORMATS[name].extension}"
    data = written.read_bytes()
    if name == "hocr":
        assert ElementTree.fromstring(data).tag.rpartition("}")[2] == "html"
        assert b"Alpha" in data
    elif name == "csv":
        assert "Alpha 42" in list(csv.reader(io.StringIO(data.decode())))[1]
    elif name == "pdf":
        assert data.startswith(b"%PDF-")
    else:
        assert Image.open(io.BytesIO(data)).height >= 48


def test_what_fails_leaves_no_file_in_the_folder(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = [str(files / name) for name in ("bad.jpg", "a.png", "scan.pdf")]

    assert read.main([*sources, "--dpi", "72", "--format", "png", "--output", str(tmp_path)]) == 1

    assert {path.name for path in tmp_path.iterdir()} == {"a.png.png", JOURNAL}
    bad, several, summary = capsys.readouterr().err.splitlines()
    assert summary == f"read: 1 of 3 files are done; 2 failed: {sources[0]}, {sources[2]}"
    assert bad.startswith(f"read: {sources[0]}: is ")
    assert several.startswith(
        f"read: {sources[2]}: the format png shows one page, and 2 are chosen; choose one, as --pages 1 does"
    )


def test_the_ending_of_the_output_says_the_format(files: Path, tmp_path: Path) -> None:
    target = tmp_path / "all.json"

    assert (
        read.main([str(files / "a.png"), str(files / "own.pdf"), "--pdf-text", "prefer", "--output", str(target)]) == 0
    )

    documents = json.loads(target.read_bytes())["documents"]
    assert [document["pages"][0]["text_source"] for document in documents] == ["ocr", "pdf"]
    assert [path.name for path in tmp_path.iterdir()] == ["all.json"]


def test_files_are_replaced_only_if_that_is_asked_for(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    target.chmod(0o640)
    arguments = [str(files / "a.png"), "--output", str(target)]

    assert read.main(arguments) == 1
    assert "already exists; give another path, or replace it with --force" in capsys.readouterr().err
    assert target.read_text() == "old"

    assert read.main([*arguments, "--force"]) == 0
    assert target.read_text() == "Alpha 42\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_nothing_is_written_if_nothing_could_be_read(files: Path, tmp_path: Path) -> None:
    for name in ("x.txt", "x.json", "x.jsonl", "x.pdf"):
        assert read.main([str(files / "bad.jpg"), "--output", str(tmp_path / name)]) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_taken_from_a_file_or_the_environment(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("öffne\nsecond line\n")

    def password(*arguments: str) -> str | None:
        return read._request(parse(read.build_parser(), ["a.png", *arguments])).options.password

    assert password() is None
    assert password("--password-file", str(secret)) == "öffne"
    assert password("--password-file", str(secret), "--password", "given") == "given"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPOCR_PASSWORD", "from outside")
        assert password() == "from outside"


def test_as_many_processes_are_there_for_many_pdf_files_as_for_one(files: Path) -> None:
    def processes(count: int) -> int:
        end_idle_processes()  # those of other tests
        found = []
        options, form = ReadOptions(pdf_text="prefer"), FORMATS["pdf"]
        readings = Readings(source_of(None, options, form), images=True)
        inputs = find_inputs([str(files / "own.pdf")] * count, [])

        def put(_: bytes) -> None:
            found.append(len(children(command=b"pdf_process")))

        assert write_together(readings, inputs, form, 1, Failures(pytest.fail), put, lambda *_: None)
        readings.source.close()
        (total,) = found
        return total

    assert 0 < processes(6) <= processes(2)


def test_a_folder_that_is_missing_is_named_before_anything_is_read(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "nowhere" / "x.txt"
    assert read.main([str(files / "a.png"), "--output", str(target)]) == 1
    assert capsys.readouterr().err == (
        f"read: {target} cannot be written, because there is no folder {tmp_path / 'nowhere'}; create it first\n"
    )


def test_several_files_for_one_picture_are_refused_before_they_are_read(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = [str(files / name) for name in ("bad.jpg", "a.png")]
    assert read.main([*sources, "--output", str(tmp_path / "x.png")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("read: the format png shows one page, and there are 2 files; ")
    assert list(tmp_path.iterdir()) == []


def test_a_protected_pdf_is_refused_with_the_options_of_the_command(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    locked = tmp_path / "locked.pdf"
    subprocess.run(["qpdf", "--encrypt", "pass", "owner", "256", "--", str(files / "own.pdf"), str(locked)], check=True)
    assert read.main([str(locked)]) == 1
    message = "is a PDF that is protected by a password; give it with --password-file, or as PPOCR_PASSWORD"
    assert capsys.readouterr().err == f"read: {locked}: {message}\n"


def test_a_reader_that_stops_early_is_no_error_message(files: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ppocr_serving", "read", "a.png", "a.png"],
        cwd=files,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.parametrize("output", ["out.txt", "out.jsonl", "out.pdf", "out.json"])
def test_an_interruption_keeps_what_has_been_read_under_another_name(files: Path, tmp_path: Path, output: str) -> None:
    earlier = tmp_path / output.replace("out", "out.part")
    earlier.write_text("earlier")
    process = interrupted_at_a_pipe(tmp_path, str(files / "a.png"), "pipe", "--output", output)
    part = tmp_path / output.replace("out", "out.part2")
    said = f"read: what has been read is in {part}\nread: interrupted\n"
    assert (process.returncode, process.communicate()[1]) == (130, said.encode())
    assert {path.name for path in tmp_path.iterdir()} == {part.name, earlier.name, "pipe"}
    assert earlier.read_text() == "earlier"
    data = part.read_bytes()
    if output == "out.pdf":
        subprocess.run(["qpdf", "--check", str(part)], check=True, stdout=subprocess.DEVNULL)
    elif output == "out.json":
        assert len(json.loads(data)["documents"]) == 1
    else:
        assert b"Alpha" in data


def test_an_interruption_before_anything_was_read_leaves_no_file(tmp_path: Path) -> None:
    process = interrupted_at_a_pipe(tmp_path, "pipe", "--output", "out.txt")
    assert (process.returncode, process.communicate()[1]) == (130, b"read: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def interrupted_at_a_pipe(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Run the command, and interrupt it when it waits for the other end of a pipe; return it when it has ended."""
    os.mkfifo(folder / "pipe")
    process = subprocess.Popen(
        [sys.executable, "-m", "ppocr_serving", "read", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        # As in a terminal: what is started in the background, this test perhaps, ignores interruptions.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not waits_at_a_pipe(process.pid):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait()
    return process


def test_every_option_of_a_call_is_an_option_of_the_command() -> None:
    values: Mapping[str, tuple[list[str], Any]] = {
        "det_limit_side_len": (["1280"], 1280),
        "det_limit_type": (["min"], "min"),
        "det_closer_side_len": (["0"], 0),
        "det_db_thresh": (["0.2"], 0.2),
        "det_db_box_thresh": (["0.5"], 0.5),
        "det_db_unclip_ratio": (["2"], 2.0),
        "det_db_score_mode": (["slow"], "slow"),
        "use_dilation": ([], True),
        "use_angle_cls": ([], True),
        "cls_thresh": (["1"], 1.0),
        "drop_score": (["0.6"], 0.6),
        "reread_score": (["0"], 0.0),
        "reading_order": (["rows"], "rows"),
        "orientation": ([], True),
        "words": ([], True),
        "region": (["0,0,9,9"], ((0, 0, 9, 9),)),
        "pages": (["1-3"], "1-3"),
        "dpi": (["300"], 300),
        "pdf_text": (["prefer"], "prefer"),
        "password": (["x"], "x"),
    }
    assert set(values) == set(ReadOptions.__struct_fields__)
    arguments = [word for name, (words, _) in values.items() for word in (dashed(name), *words)]

    given = parse(read.build_parser(), ["a.png", *arguments, "--region", "5,5,1,1"])

    expected = {name: value for name, (_, value) in values.items()}
    assert read_options(vars(given), None) == ReadOptions(**{**expected, "region": ((0, 0, 9, 9), (5, 5, 1, 1))})
    off = parse(read.build_parser(), ["a.png", "--no-words", "--no-orientation"])
    assert read_options(vars(off), None) == ReadOptions(words=False, orientation=False)
    assert read_options(vars(parse(read.build_parser(), ["a.png"])), None) == ReadOptions()


def test_the_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for name in ReadOptions.__struct_fields__:
        assert re.search(rf"^  {dashed(name)}\b.*\n? +\w", text, re.MULTILINE), name
    for name in FORMATS:
        assert name in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: PATH"),
        (["a.png", "--drop-scor", "0.6"], "unknown option '--drop-scor'; did you mean --drop-score?"),
        (["a.png", "--output-file", "x"], "unknown option '--output-file'; did you mean --output?"),
        (["a.png", "--drop-score", "2"], "--drop-score is '2': must be a number from 0 to 1"),
        (["a.png", "--dpi", "9000"], "--dpi is '9000'"),
        (["a.png", "--region", "1,2"], "--region is "),
        (["a.png", "--pages", ""], "--pages is empty; give a value, or leave it out"),
        (["a.png", "--reading-order", "columns"], "--reading-order is 'columns': "),
        (["a.png", "--format", "jsn"], "unknown format 'jsn'; did you mean json?"),
        (
            ["a.png", "--output", "x.docx"],
            "--output x.docx has an unknown ending; use one of .json, .txt, ",
        ),
        (["-", "-"], "- is given twice, but standard input can be read only once"),
        (["x/a.png", "y/a.png", "--output", "out/"], "2 files are called 'a.png'"),
        (["a.png", "--jobs", "0"], "--jobs is '0': must be a whole number from 1 to 64"),
        (["a.png", "--resume"], "--resume goes on in a folder; give one as --output"),
        (["a.png", "--draw", "/dev/null"], "--draw /dev/null is not a folder"),
        (["/no/*.png"], "no file matches '/no/*.png'; give another pattern, or files"),
        (["/dev/shm/"], "/dev/shm/ has no picture and no PDF file"),
        (["a.png", "--password-file", "/no/file"], "--password-file /no/file cannot be read (No such file"),
    ],
)
def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert usage_error(capsys, *arguments).startswith(f"read: {message}")


def test_a_file_that_is_read_cannot_be_the_output(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(files / "a.png")
    assert "is one of the files to read" in usage_error(capsys, path, "--output", path, "--force")


def test_of_two_writers_of_one_file_the_second_loses_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    slow = OutputFile(path, force=False)
    with OutputFile(path, force=False) as fast:
        fast.write(b"fast")
    slow.write(b"slow")
    with pytest.raises(InvalidRequest, match="already exists"):
        slow.__exit__(None, None, None)
    assert path.read_bytes() == b"fast"
    assert [one.name for one in tmp_path.iterdir()] == ["x.txt"]


def test_only_files_are_replaced(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="is not a regular file"):
        OutputFile(Path(os.devnull), force=True)
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with OutputFile(link, force=True) as output:
        output.write(b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_files_may_stand_behind_options() -> None:
    assert parse(read.build_parser(), ["a.png", "--format", "csv", "b.png"]).files == ["a.png", "b.png"]
