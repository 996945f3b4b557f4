"""`ppocr bench` with a real server, and with one that does not answer."""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.small_files import text_picture
from ppocr_serving.cli import bench
from ppocr_serving.cli.load_report import highest_kept_up, line_of, notes_of, row_of, stages_table
from ppocr_serving.client.open_loop import (
    ANSWERED,
    NO_CONNECTION,
    TIMED_OUT,
    UNANSWERED,
    UNSENT,
    OpenLoop,
    Outcome,
    Round,
    moments_of,
)
from ppocr_serving.reading.options import ReadOptions
from tests.drawing import Placed, draw_page
from tests.served.server import Served, free_port, launch_lean

ROOT = Path(__file__).parents[2]
KEY = "0123456789abcdef-secret"
SCARCE = "0123456789abcdef-scarce"


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    text_picture("Alpha 42").save(path)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with keys, with room for one request that is read and one that waits."""
    home = tmp_path_factory.mktemp("server")
    keys = home / "keys.txt"
    digests = [hashlib.sha256(key.encode()).hexdigest() for key in (KEY, SCARCE)]
    keys.write_text(f"alice:{digests[0]}\nbob:{digests[1]} requests=1\n")
    with launch_lean(home)(PPOCR_API_KEYS_FILE=str(keys), PPOCR_MAX_CONCURRENCY="1", PPOCR_MAX_QUEUE="1") as served:
        yield served


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPOCR_API_KEY", KEY)


@contextmanager
def halted(server: Served) -> Iterator[int]:
    """Let the server take requests and answer none; yield the process that is to read them."""
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    try:
        yield worker
    finally:
        os.kill(worker, signal.SIGCONT)


def played_while_halted(server: Served, picture: Path, moments: Sequence[float], clients: int) -> list[Outcome]:
    """Let the server read again when all but the two requests for which it has room have ended."""
    into = Round()

    def go_on(worker: int) -> None:
        while len(into.outcomes) < len(moments) - 2:
            time.sleep(0.01)
        os.kill(worker, signal.SIGCONT)

    files = [("a.png", picture.read_bytes())]
    with (
        OpenLoop(server.url, files, endpoint="v1", options=ReadOptions(), clients=clients, timeout=60) as loop,
        halted(server) as worker,
        ThreadPoolExecutor(1) as other,
    ):
        done = other.submit(go_on, worker)
        loop.play(moments, 0.5, into)
        done.result()
    assert into.is_whole
    return sorted(into.outcomes, key=lambda outcome: outcome.moment)


def measured(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> Any:
    """Return what the command prints as JSON."""
    assert bench.main([*map(str, arguments), "--format", "json"]) == status
    document = json.loads(capsys.readouterr().out)
    for row in document["rates"]:
        assert sum(row["answers"].values()) == row["requests"]
        for times in filter(None, (row["ms"], row["lag_ms"])):
            assert list(times) == ["p50", "p90", "p95", "p99", "max"]
            assert list(times.values()) == sorted(times.values())
    return document


def test_rates_are_measured_one_after_the_other(
    server: Served, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [server.url, "--rate", "1", "--rate", "4", str(picture.parent), "--seconds", "1.5", "--warm-up", "2"]
    assert bench.main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert f"{server.url}/v1/read: 1 file, poisson arrivals, 1.5 s per rate, after a warm-up of 2\n" in printed.out
    lines = [line.split("|") for line in printed.out.splitlines() if line.count("|") == 10]
    assert [cell.strip() for cell in lines[0][1:4]] == ["asked/s", "answered/s", "requests"]
    assert [[cells[1].strip(), cells[3].strip()] for cells in lines[2:]] == [["1", "2"], ["4", "6"]]
    stages = printed.out.partition("the server's own times")[2]
    assert [line.split("|")[1].strip() for line in stages.splitlines() if " | " in line][1:3] == ["queue", "decode"]
    assert "of these rates was kept up" in printed.out or "of these rates that was kept up" in printed.out


@pytest.mark.parametrize("endpoint", ["v1", "predict"])
def test_refused_requests_are_counted_by_status(
    server: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str], endpoint: str
) -> None:
    picture = tmp_path / "page.png"  # with so much on it that no machine reads a hundred of them in a second
    lines = [Placed(f"Line {number} of a long page", 20, 20 + 40 * number, 24) for number in range(20)]
    Image.fromarray(draw_page(lines, 600, 840)).save(picture)
    options = ["--endpoint", endpoint, "--arrivals", "constant", "--warm-up", "0", "--words"]
    document = measured(capsys, server.url, picture, "--rate", 100, "--seconds", 0.5, *options)
    (row,) = document["rates"]
    assert row["answers"].keys() == {"200", "503"}
    assert (row["asked"], row["requests"], row["is_kept_up"]) == (100, 50, False)
    assert 0 < row["answered"] < 100
    assert "rec_engine" in row["stages_ms"]
    assert document["highest_kept_up"] is None


def test_a_limit_of_the_key_is_seen(
    server: Served, picture: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPOCR_API_KEY", SCARCE)
    arguments = (server.url, picture, "--rate", 50, "--seconds", 0.2, "--warm-up", 1)
    (row,) = measured(capsys, *arguments, status=1)["rates"]
    assert row["answers"] == {"429": 10}


def test_without_the_key_every_request_is_refused_and_nothing_is_answered(
    server: Served, picture: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PPOCR_API_KEY")
    assert bench.main([server.url, str(picture), "--rate", "50", "--seconds", "0.2"]) == 1
    printed = capsys.readouterr()
    (told,) = printed.err.splitlines()
    assert told.startswith(f"bench: {picture} is answered with 401: ")
    assert "API key" in told
    assert "401: 10 |" in printed.out
    assert "none of these rates was kept up" in printed.out


def test_a_file_that_cannot_be_read_is_named_before(
    server: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    for endpoint in ("v1", "predict"):
        options = ["--rate", "20", "--seconds", "0.1", "--endpoint", endpoint]
        assert bench.main([server.url, str(tmp_path / "bad.png"), *options]) == 1
        printed = capsys.readouterr()
        assert printed.err.startswith(f"bench: {tmp_path / 'bad.png'} is answered with 400: ")
        assert "400: 2 |" in printed.out


def test_requests_are_sent_when_they_are_due_whether_or_not_others_are_answered(server: Served, picture: Path) -> None:
    moments = moments_of(20, 0.5, "poisson")
    outcomes = played_while_halted(server, picture, moments, clients=100)
    assert [outcome.moment for outcome in outcomes] == moments
    # There is room for two; the others were sent all the same, before those were answered.
    assert Counter(outcome.result for outcome in outcomes) == {ANSWERED: 2, "503": 8}
    first = min((outcome for outcome in outcomes if outcome.result == ANSWERED), key=lambda outcome: outcome.ended)
    assert max(outcome.began for outcome in outcomes) < first.ended
    assert first.seconds == first.ended - first.moment >= moments[-1] - first.moment


def test_more_requests_than_clients_are_not_sent_and_are_counted(server: Served, picture: Path) -> None:
    outcomes = played_while_halted(server, picture, moments_of(20, 0.5, "constant"), clients=2)
    assert [outcome.result for outcome in outcomes] == [ANSWERED] * 2 + [UNSENT] * 8
    row = row_of(20, Round(outcomes, 0.5, is_whole=True))
    assert not row.is_kept_up
    assert "20/s: 8 requests were not sent, because 2 were under way (--clients)" in notes_of(row, 2, 60)


def test_a_server_that_does_not_answer(server: Served, picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--rate", "2", "--seconds", "0.5", "--timeout", "0.5"]
    with halted(server):
        assert bench.main([server.url, str(picture), *options, "--warm-up", "0"]) == 1
        assert "2/s: 1 request was without an answer after 0.5 seconds (--timeout)" in capsys.readouterr().out
        assert bench.main([server.url, str(picture), *options]) == 1
    assert f"bench: {server.url} has not answered within 0.5 seconds" in capsys.readouterr().err


def test_a_server_that_is_not_there(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert bench.main([url, str(picture), "--rate", "20"]) == 1
    assert f"bench: {url} cannot be reached" in capsys.readouterr().err
    options = ("--rate", 20, "--seconds", 0.2, "--warm-up", 0)
    (row,) = measured(capsys, url, *options, status=1)["rates"]  # with the example pictures
    assert row["answers"] == {NO_CONNECTION: 4}
    assert (row["ms"], row["answered"], row["is_kept_up"]) == (None, 0, False)


def test_an_interruption_prints_what_was_measured(server: Served, picture: Path) -> None:
    with started(server, picture, "--rate", "10", "--seconds", "60") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, err) == (130, "bench: interrupted\n")
    assert "10/s: interrupted after " in out
    assert " 200: " in out
    assert "none of these rates was kept up" in out


def test_a_command_that_is_late_itself_says_so_and_shows_no_times(server: Served, picture: Path) -> None:
    with started(server, picture, "--rate", "20", "--seconds", "3", "--arrivals", "constant") as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "20/s: this command itself was late: 1 request in 100 left more than " in out
    row = next(line for line in out.splitlines() if line.count("|") == 10 and " 60 |" in line)
    assert [cell.strip() for cell in row.split("|")[4:9]] == ["-"] * 5


@contextmanager
def started(server: Served, picture: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the command, and begin the block when the server has answered a few of its requests."""
    before = len(server.request_lines())
    process = subprocess.Popen(
        [sys.executable, "-m", "ppocr_serving", "bench", server.url, str(picture), "--endpoint", "predict", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As in a terminal: what is started in the background, this test perhaps, ignores interruptions.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        while len(server.request_lines()) < before + 5:
            assert process.poll() is None
            time.sleep(0.02)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["http://127.0.0.1:1"], "the following arguments are required: --rate; see `ppocr bench --help`"),
        (["--rate", "1"], "the following arguments are required: URL, PATH; see `ppocr bench --help`"),
        (["localhost", "--rate", "1"], "'localhost' is not the address of a server; give it as http://127.0.0.1:9000"),
        (["http://a", "--rate", "0"], "--rate is '0': must be a number above 0, at most 10000"),
        (["http://a", "--rate", "x"], "--rate is 'x': must be a number above 0, at most 10000"),
        (
            ["http://a", "--rate", "1", "--seconds", "inf"],
            "--seconds is 'inf': must be a number above 0, at most 86400",
        ),
        (
            ["http://a", "--rate", "0.01"],
            "--rate 0.01 for 30 seconds is 0.3 requests: must be 1 to 500000; give other --seconds",
        ),
        (["http://a", "--rate", "1", "--clients", "0"], "--clients is '0': must be a whole number from 1 to 20000"),
        (["http://a", "--rate", "1", "--rates", "2"], "unknown option '--rates'; did you mean --rate?"),
        (["http://a", "--rate", "1", "--drop-score", "7"], "--drop-score is '7': must be "),
        (["http://a", "none.png", "--rate", "1"], "none.png: cannot be read (No such file or directory); "),
        (["http://a", "--rate", "1", "*.nothing"], "no file matches '*.nothing'; give another pattern, or files"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith(f"bench: {message}")


def test_arrivals_are_the_same_each_time_and_as_many_as_asked() -> None:
    assert moments_of(4, 1, "constant") == [0, 0.25, 0.5, 0.75]
    moments = moments_of(50, 20, "poisson")
    assert moments == moments_of(50, 20, "poisson") == sorted(moments)
    assert len(moments) == 1000
    assert moments[0] >= 0
    assert moments[-1] <= 20
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    # A Poisson process: a gap is longer than the mean in one of e cases.
    assert 0.3 < sum(gap > 1 / 50 for gap in gaps) / len(gaps) < 0.43


def test_times_count_from_when_a_request_was_due() -> None:
    def played(*outcomes: Outcome, seconds: float = 10.0, is_whole: bool = True) -> Round:
        return Round(list(outcomes), seconds, is_whole)

    timing = "queue;dur=2, total;dur=100, proxy;desc=hit"
    steady = [Outcome(n / 10, n / 10, n / 10 + 0.1, ANSWERED, timing) for n in range(100)]
    row = row_of(10, played(*steady))
    assert (row.is_kept_up, row.answered, row.answers) == (True, 10, {"200": 100})
    assert row.ms == dict.fromkeys(("p50", "p90", "p95", "p99", "max"), 100)
    assert row.stages_ms == {"queue": 2, "total": 100}
    assert stages_table([row]).splitlines()[-1].split() == ["|", "total", "|", "100.0", "|"]

    # A server that answers 5 of 10 per second, in order: the last one waits for as long as everything took.
    behind = [Outcome(n / 10, n / 10, (n + 1) / 5, ANSWERED) for n in range(100)]
    slow = row_of(10, played(*behind))
    assert slow.ms is not None
    assert slow.ms["max"] == 10_100
    assert round(slow.answered) == 5
    assert not slow.is_kept_up
    assert highest_kept_up([row, slow]) == 10

    for result in ("503", TIMED_OUT, UNSENT, UNANSWERED):
        failed = row_of(10, played(*steady, Outcome(9.9, 9.9, 9.9, result)))
        assert not failed.is_kept_up
        assert failed.answers == {"200": 100, result: 1}
    assert not row_of(10, played(*steady, is_whole=False)).is_kept_up

    late = row_of(10, played(*(outcome._replace(began=outcome.moment + 0.05) for outcome in steady)))
    assert (late.is_late, late.is_kept_up, late.ms) == (True, False, None)
    assert line_of(late).count(" - |") == 5


def test_clients_are_bounded_by_open_files(picture: Path) -> None:
    def run(*options: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "ppocr_serving",
                "bench",
                "http://127.0.0.1:1",
                str(picture),
                "--rate",
                "1",
                *options,
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256)),
        )

    done = run("--clients", "193")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bench: --clients is 193, but `ulimit -n` allows 192; raise it, or give fewer\n"
    done = run("--seconds", "1", "--warm-up", "0", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["clients"]) == (1, 192)
