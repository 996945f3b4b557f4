import csv
import io
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.soak_memory import MemoryLog, recording
from benchmarks.soak_pictures import LARGEST, MOST_LINES, SMALLEST_SIDE, PicturePlan, draw, plan_pictures
from benchmarks.soak_requests import Tally, send
from tests.served.server import free_port

ROOT = Path(__file__).parents[2]
LEAKING_SERVER = Path(__file__).with_name("leaking_server.py")
NO_LIMITS = ("--max-growth", "10000", "--max-after-huge", "10000")


def soak(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PPOCR_", "PORT"))}
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "soak.py", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def leaking(leak: int, keep: int, fault: str = "none") -> list[str]:
    return ["--", sys.executable, str(LEAKING_SERVER), "{port}", str(leak), str(keep), fault]


@contextmanager
def served_with_leaks(fault: str) -> Iterator[str]:
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "PPOCR_HOST": "127.0.0.1"}
    with subprocess.Popen([sys.executable, LEAKING_SERVER, str(port), "0", "0", fault], env=environment) as process:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def table(output: str) -> dict[str, list[float]]:
    rows = re.findall(r"^\| ([^|]+) \| ([-+.\d]+) (?:MB|%) \| ([-+.\d]+) (?:MB|%) \|$", output, re.MULTILINE)
    return {title: [float(worker), float(total)] for title, worker, total in rows}


def halves(count: int, seed: int = 0) -> tuple[list[PicturePlan], list[PicturePlan]]:
    plans = plan_pictures(count, seed)
    return plans[: count // 2], plans[count // 2 :]


@pytest.mark.thorough
def test_a_run_measures_a_real_server_and_checks_its_answers(tmp_path: Path) -> None:
    series = tmp_path / "series.csv"

    result = soak("--pictures", "12", "--series", series, *NO_LIMITS)

    assert (result.returncode, result.stderr) == (0, "")
    memory = table(result.stdout)
    assert list(memory) == [
        "ready",
        "most until picture 12",
        "median, pictures 6 to 6",
        "median, pictures 12 to 12",
        "growth",
        "before the huge picture",
        "most with the huge picture, 7000 x 7000",
        "after the huge picture",
        "kept of it",
    ]
    worker, total = zip(*memory.values(), strict=True)
    assert 100 < worker[0] < worker[1]
    assert worker[6] > worker[5] + 147  # the huge picture alone has 3 x 49 million bytes
    for row, title in enumerate(memory):
        assert title in ("growth", "kept of it") or total[row] >= worker[row]
    counts = re.search(r"(\d+) lines for ocr_system, (\S+)% .*failed: 0; processes replaced: 0$", result.stdout, re.M)
    assert counts is not None
    assert int(counts[1]) >= 2 * MOST_LINES
    assert float(counts[2]) > 80
    with series.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["picture"]) for row in rows] == sorted(int(row["picture"]) for row in rows)
    assert int(rows[-1]["picture"]) == 12 + 10 + 1 + 10
    # The high-water mark includes what no sample saw.
    assert max(float(row["worker_mb"]) for row in rows) <= max(worker) + 1


def test_exceeded_limits_and_failed_requests_are_reported_one_per_line() -> None:
    failing = [plan for plan in plan_pictures(12, 5) if plan.module == "ocr_det"]

    result = soak("--pictures", "12", "--seed", "5", "--max-mb", "150", *leaking(leak=10, keep=200, fault="ocr_det"))

    assert result.returncode == 1
    memory = table(result.stdout)
    most = max(memory["most with the huge picture, 7000 x 7000"])
    growth, kept = max(memory["growth"]), max(memory["kept of it"])
    assert most > 12 * 10 + 200
    assert growth > 50
    assert kept > 70
    assert f"; requests failed: {len(failing)}; " in result.stdout
    failures, *limits = result.stderr.splitlines()
    assert failures.startswith(f"soak: {len(failing)} requests failed, the first: picture ")
    assert limits == [
        f"soak: peak memory is {most:.0f} MB, above --max-mb 150",
        f"soak: the growth is {growth:.1f} %, above --max-growth 3",
        f"soak: the memory kept of the huge picture is {kept:.1f} %, above --max-after-huge 10",
    ]


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("ocr_det", r'status 500: \{"msg": "out of\\norder", "results": "", "status": "101"\}'),
        ("ocr_rec", r"\d+ results for \d+ pictures of lines"),
        ("ocr_cls", r".*Connection aborted.*"),
    ],
)
def test_a_wrong_answer_is_a_failed_request(module: str, problem: str) -> None:
    plans = [plan for plan in plan_pictures(24, 0) if plan.width * plan.height < 10**6]
    (failing, *_) = [plan for plan in plans if plan.module == module]
    others = [plan for plan in plans if plan.module != module]
    tally = Tally()

    with served_with_leaks(fault=module) as url:
        send(url, [*others, failing], 2, tally)

    assert tally.answered == len(others) + 1
    assert tally.lines == sum(plan.lines for plan in others if plan.module == "ocr_system") > tally.lines_read == 0
    (failure,) = tally.failures
    where = f"picture {failing.number} ({module}, {failing.width} x {failing.height} {failing.file_format}): "
    assert failure.startswith(where)
    assert re.fullmatch(problem, failure.removeprefix(where))


def test_a_server_that_does_not_start_is_a_one_line_error() -> None:
    result = soak("--", "sh", "-c", "echo no models >&2; exit 3")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "soak: the server ended with status 3 before it was ready: no models\n"


def test_a_server_that_dies_during_the_run_is_a_one_line_error() -> None:
    result = soak("--pictures", "12", *leaking(leak=0, keep=0, fault="ocr_cls"))

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "soak: the server ended with status 7 before the last answer: out of memory\n"


def test_a_command_that_does_not_exist_is_a_one_line_error() -> None:
    result = soak("--", "/nowhere/serve")

    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(r"soak: .*/nowhere/serve.*\n", result.stderr)


@pytest.mark.parametrize("count", ["100", "many"])
def test_a_number_of_pictures_that_cannot_be_divided_is_refused(count: str) -> None:
    result = soak("--pictures", count)

    assert result.returncode == 2
    assert "--pictures" in result.stderr


def test_a_process_that_replaces_another_is_counted_and_its_memory_measured() -> None:
    script = """
import subprocess, sys
for megabytes in (1, 60, 1):
    child = f"x = b'x' * ({megabytes} << 20); print('here', flush=True); input()"
    subprocess.run([sys.executable, "-c", child])
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        with recording(process.pid, lambda: 0) as log:
            log.mark_ready()
            assert log.replaced_workers() == 0
            for replaced in (1, 2):
                process.stdin.write("\n")
                process.stdin.flush()
                assert process.stdout.readline() == "here\n"
                log.take()
                assert log.replaced_workers() == replaced
        process.stdin.write("\n")

    assert max(sample.worker_peak for sample in log.samples) > 60 * 2**20
    assert max(sample.total for sample in log.samples) > 60 * 2**20
    assert log.samples[-1].worker < 60 * 2**20


def test_a_peak_between_two_samples_is_seen_once() -> None:
    script = "n = 100 << 20; print('here', flush=True); input(); b'x' * n; print('here', flush=True); input()"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        log = MemoryLog(process.pid, lambda: 0)
        assert process.stdout.readline() == "here\n"
        log.take()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "here\n"
        log.take()
        log.take()
        process.stdin.write("\n")

    before, peak, after = log.samples
    assert max(before.worker_peak, peak.worker, after.worker_peak) < 100 << 20 < peak.worker_peak
    assert max(before.total_peak, peak.total, after.total_peak) < 100 << 20 < peak.total_peak


@given(st.integers(6, 400).map(lambda half: 2 * half), st.integers(0, 2**32))
def test_pictures_stay_within_their_bounds(count: int, seed: int) -> None:
    plans = plan_pictures(count, seed)

    assert [plan.number for plan in plans] == list(range(1, count + 1))
    for plan in plans:
        assert SMALLEST_SIDE <= min(plan.width, plan.height) <= LARGEST[1]
        assert SMALLEST_SIDE <= max(plan.width, plan.height) <= LARGEST[0]
        assert 0 <= plan.lines <= MOST_LINES


@given(st.integers(6, 400).map(lambda half: 2 * half), st.integers(0, 2**32))
def test_both_halves_contain_the_extremes_and_all_modules(count: int, seed: int) -> None:
    for plans in halves(count, seed):
        sizes = Counter((plan.width, plan.height) for plan in plans)
        assert sizes[SMALLEST_SIDE, SMALLEST_SIDE] >= 1
        assert sizes[LARGEST] >= 1
        assert sizes[LARGEST[::-1]] >= 1
        lines = {plan.lines for plan in plans if plan.width * plan.height == LARGEST[0] * LARGEST[1]}
        assert lines == {0, MOST_LINES}
        assert {plan.module for plan in plans} == {"ocr_system", "ocr_det", "ocr_rec", "ocr_cls"}


@pytest.mark.parametrize("seed", range(5))
def test_both_halves_are_alike_and_so_are_their_ends(seed: int) -> None:
    first, second = halves(600, seed)

    def kinds(plans: Sequence[PicturePlan]) -> list[tuple[str, str, bool]]:
        return [(plan.module, plan.background, plan.upside_down) for plan in plans]

    assert kinds(first) == kinds(second)
    for one, other in ((first, second), (first[-50:], second[-50:])):
        pixels = [sum(plan.width * plan.height for plan in plans) for plans in (one, other)]
        lines = [sum(plan.lines for plan in plans) for plans in (one, other)]
        assert pixels[0] == pytest.approx(pixels[1], rel=0.03)
        assert lines[0] == pytest.approx(lines[1], rel=0.03)
    for mine, its in zip(first, second, strict=True):
        assert max(mine.width, mine.height) == pytest.approx(max(its.width, its.height), rel=0.03, abs=1)
    same = sum((mine.width, mine.height) == (its.width, its.height) for mine, its in zip(first, second, strict=True))
    assert same < 30
    assert any(plan.width > plan.height for plan in first)
    assert any(plan.width < plan.height for plan in first)
    assert sum(plan.module == "ocr_system" for plan in first) > 150


def test_the_seed_determines_the_pictures() -> None:
    for one, again, other in zip(plan_pictures(24, 1), plan_pictures(24, 1), plan_pictures(24, 2), strict=True):
        if one.width * one.height > 10**6:
            continue
        assert draw(one) == draw(again)
        assert draw(one) != draw(other)


def test_a_drawn_picture_matches_its_plan() -> None:
    seen = Counter[str]()
    for plan in plan_pictures(48, 3):
        if plan.width * plan.height > 10**6:
            continue
        drawn = draw(plan)
        assert len(drawn.texts) == plan.lines
        assert all(len(text) >= 2 for text in drawn.texts)
        pictures = [Image.open(io.BytesIO(file)) for file in drawn.files]
        assert {picture.format for picture in pictures} == {plan.file_format}
        if plan.module in ("ocr_rec", "ocr_cls") and plan.lines:
            assert len(pictures) == min(64, plan.lines)
            assert all(picture.height < plan.height for picture in pictures)
        else:
            assert [picture.size for picture in pictures] == [(plan.width, plan.height)]
        seen[plan.file_format] += 1
    assert set(seen) == {"JPEG", "PNG", "WEBP"}
