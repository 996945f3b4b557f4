"""The comparison with peers, without installing any of them: our own engines, and empty environments."""

import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from random import Random
from statistics import mean

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.labels import LabelledLine
from benchmarks.metrics import score
from benchmarks.peer_environments import EnvironmentFailed, environment_python
from benchmarks.peer_loop import PeerOptions
from benchmarks.peer_process import PeerFailed, PeerProcess, Reading
from benchmarks.peers import Summary, format_table, summarize
from tests.benchmarks.commands import run_command

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "example.png"
EXAMPLE_LABELS = "12,10,236,10,236,44,12,44,图中的文字 2026\n12,56,216,56,216,90,12,90,Text in pictures\n"

Milliseconds = st.floats(min_value=1e-3, max_value=1e6)


run = partial(run_command, "peers.py")


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]


def reading(milliseconds: float, texts: str = "", peak_memory: int = 1) -> Reading:
    return Reading(milliseconds, [LabelledLine(text, (0, 0, 10, 10)) for text in texts], peak_memory)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A labelled picture of two lines and a blank one without labels."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(EXAMPLE, folder)
    (folder / "example.csv").write_text(EXAMPLE_LABELS, encoding="utf-8")
    cv2.imwrite(str(folder / "blank.png"), np.full((60, 90, 3), 255, np.uint8))
    return folder


def test_a_run_without_peers_prints_a_table_with_ratio_one_and_the_score(pictures: Path, tmp_path: Path) -> None:
    result = run(
        pictures, "--peer", "none", "--ours", "paddle", "--repetitions", "2", "--environments", tmp_path / "peers"
    )

    assert result.returncode == 0, result.stderr
    head, ruler, ours = rows(result.stdout)
    assert head[1:5] == ["first, ms per picture", "ratio", "again, ms per picture", "ratio"]
    assert head[5:] == ["lines per picture", "line F1", "word F1", "peak RSS, MB"]
    assert set(map(len, (head, ruler, ours))) == {9}
    name, first, *_, again, _, lines, line_f1, word_f1, memory = ours
    assert (name, lines, line_f1) == ("ppocr_serving, paddle", "1.0", "1.0000")
    assert float(word_f1) > 0.5  # the models lose one of the spaces
    assert ours[2] == ours[4] == "1.00"
    assert float(first) > 0
    assert float(again) > 0
    assert 100 < float(memory) < 5000
    assert re.search(r"2 pictures after 0 others, then 2 repetitions, \d+ threads, side limit 960\n", result.stdout)
    assert re.search(r"\n- ppocr_serving, paddle: ppocr-serving \d\S+, paddlepaddle \d\S+\n", result.stdout)


@pytest.mark.thorough
def test_settings_from_the_environment_apply(pictures: Path, tmp_path: Path) -> None:
    (pictures / "blank.png").unlink()
    result = run(
        pictures, "--peer", "none", "--ours", "paddle", "--repetitions", "1", "--environments", tmp_path / "peers",
        "--warm-up", pictures, PPOCR_DROP_SCORE="1",
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    assert "1 pictures after 1 others, then 1 repetitions, " in result.stdout
    assert rows(result.stdout)[2][5:8] == ["0.0", "0.0000", "0.0000"]


def test_a_folder_without_pictures_is_a_one_line_error(pictures: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    result = run(pictures, empty, "--peer", "none")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"peers: {empty} contains no pictures; give a folder of picture files\n"


@pytest.mark.parametrize("option", ["--repetitions", "--threads"])
def test_zero_repetitions_or_threads_are_a_one_line_error(pictures: Path, option: str) -> None:
    result = run(pictures, "--peer", "none", option, "0")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "peers: --repetitions and --threads must be at least 1\n"


def test_missing_models_are_a_one_line_error(pictures: Path, tmp_path: Path) -> None:
    result = run(pictures, "--peer", "paddleocr", PPOCR_MODEL_DIR=str(tmp_path))

    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(rf"peers: det model: {tmp_path}\S* .*PPOCR_DET_MODEL_DIR.*\n", result.stderr)


def test_missing_models_of_a_profile_are_a_one_line_error(pictures: Path, tmp_path: Path) -> None:
    result = run(
        pictures, "--peer", "none", "--ours", "paddle", "--profile", "ppocr-v2.0-mobile",
        "--environments", tmp_path / "peers", PPOCR_MODEL_DIR=str(tmp_path),
    )  # fmt: skip

    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(
        rf"peers: ppocr_serving, paddle, ppocr-v2\.0-mobile exited unexpectedly \(.*ModelNotFound: .*\); "
        rf"see {tmp_path}/peers/ppocr_serving-paddle-ppocr-v2\.0-mobile\.log\n",
        result.stderr,
    )


@pytest.mark.thorough
def test_each_profile_has_a_row(pictures: Path, tmp_path: Path) -> None:
    profiles = ROOT / "ppocr_serving" / "models" / "profiles"
    (tmp_path / "copy.toml").write_bytes((profiles / "ppocr-v4-mobile.toml").read_bytes())
    result = run(
        pictures, "--peer", "none", "--ours", "paddle", "--repetitions", "1", "--environments", tmp_path / "peers",
        "--profile", "ppocr-v4-mobile", "--profile", tmp_path / "copy.toml",
    )  # fmt: skip

    assert result.returncode == 0, result.stderr
    assert [row[0] for row in rows(result.stdout)[2:]] == [
        "ppocr_serving, paddle, ppocr-v4-mobile",
        f"ppocr_serving, paddle, {tmp_path / 'copy.toml'}",
    ]


@pytest.mark.thorough
def test_an_unreadable_picture_is_an_error_that_names_it(pictures: Path, tmp_path: Path) -> None:
    damaged = pictures / "damaged.png"
    damaged.write_bytes(EXAMPLE.read_bytes()[:200])

    result = run(pictures, "--peer", "none", "--ours", "paddle", "--environments", tmp_path / "peers")

    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(rf"peers: ppocr_serving, paddle cannot read {damaged}: ImageDecodeError: .*\n", result.stderr)


def test_a_peer_that_exits_is_reported_with_its_last_output_and_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    options = PeerOptions(1, 960, "", "", "", "")

    with pytest.raises(
        PeerFailed, match=rf"^gone exited unexpectedly \(.*No module named benchmarks.absent\); see {log}$"
    ):
        PeerProcess("gone", [sys.executable, "-m", "benchmarks.absent"], options, {}, log)


@given(st.lists(st.lists(Milliseconds, min_size=2, max_size=7), min_size=1, max_size=5), st.randoms())
def test_the_order_of_repetitions_does_not_matter(times: list[list[float]], random: Random) -> None:
    shuffled = [[first, *random.sample(again, len(again))] for first, *again in times]

    summaries = [
        summarize([[reading(time) for time in picture] for picture in each], [None] * len(times))
        for each in (times, shuffled)
    ]

    assert summaries[0] == summaries[1]


@given(st.lists(Milliseconds, min_size=1, max_size=5), Milliseconds)
def test_one_slow_repetition_of_three_does_not_matter(times: list[float], more: float) -> None:
    readings = [[reading(2 * time), reading(time), reading(time + more), reading(time)] for time in times]

    summary = summarize(readings, [None] * len(times))

    assert summary.again == pytest.approx(mean(times))
    assert summary.first == pytest.approx(2 * mean(times))


def test_pictures_count_equally_and_memory_is_the_maximum() -> None:
    summary = summarize(
        [[reading(10, "ab", peak_memory=5)] * 5, [reading(30, "", peak_memory=9), reading(30, "", peak_memory=7)]],
        [None, None],
    )

    assert summary == Summary(first=20, again=20, lines=1, score=None, peak_memory=9)


def test_only_labelled_pictures_are_scored() -> None:
    expected = [LabelledLine("a", (0, 0, 10, 10)), LabelledLine("c", (0, 0, 10, 10))]

    summary = summarize([[reading(1, "ab")] * 2, [reading(1, "xyz")] * 2], [expected, None])

    assert summary.score == score(expected, reading(1, "ab").lines)
    assert summary.score.lines.f1 == 0.5


@given(st.lists(Milliseconds, min_size=1, max_size=3), st.lists(Milliseconds, max_size=4))
def test_ratios_are_relative_to_our_fastest_engine(ours: list[float], theirs: list[float]) -> None:
    times = {**{f"ours {i}": time for i, time in enumerate(ours)}, **{f"peer {i}": t for i, t in enumerate(theirs)}}
    table = rows(
        format_table(
            {name: Summary(2 * time, time, 1, None, 10**6) for name, time in times.items()},
            [name for name in times if name.startswith("ours")],
        )
    )[2:]

    assert [row[0] for row in table] == list(times)
    for name, _, first_ratio, _, ratio, *_ in table:
        assert float(ratio) == pytest.approx(times[name] / min(ours), abs=0.006)
        assert first_ratio == ratio
    assert min(float(ratio) for name, _, _, _, ratio, *_ in table if name.startswith("ours")) == 1


def test_an_environment_is_rebuilt_only_when_its_requirements_change(tmp_path: Path) -> None:
    requirements = tmp_path / "nothing.txt"
    requirements.write_text("# no package\n", encoding="utf-8")
    environments = tmp_path / "peers"

    python = environment_python(requirements, environments)
    subprocess.run([python, "-c", "import sys; assert sys.prefix != sys.base_prefix"], check=True)
    trace = python.parent / "trace"
    trace.touch()

    assert environment_python(requirements, environments) == python
    assert trace.exists()
    requirements.write_text("# still none\n", encoding="utf-8")
    assert environment_python(requirements, environments) == python
    assert not trace.exists()


def test_a_package_that_cannot_be_installed_fails_each_time_and_names_the_log(tmp_path: Path) -> None:
    requirements = tmp_path / "wrong.txt"
    requirements.write_text(f"{tmp_path}/no-such-package\n", encoding="utf-8")

    for _ in range(2):  # leftovers of the first failure are not taken for an environment
        with pytest.raises(EnvironmentFailed, match=r"^wrong: could not install .*wrong\.install\.log$"):
            environment_python(requirements, tmp_path / "peers")
    assert "no-such-package" in (tmp_path / "peers" / "wrong.install.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "benchmarks" / "requirements").glob("*.txt")), ids=lambda path: path.stem
)
def test_every_package_of_a_peer_is_pinned(path: Path) -> None:
    packages = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]

    assert packages
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", package) for package in packages)
