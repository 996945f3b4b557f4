import os
import re
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.commands import run_module

soak = partial(run_module, "soak_faults")
PYTHON = os.environ.get("PPOCR_TEST_PYTHON") or sys.executable
LEAKING_SERVER = Path(__file__).with_name("leaking_server.py")


@pytest.mark.thorough
def test_a_run_attacks_a_real_server_and_checks_its_answers() -> None:
    done = soak(
        *("--requests", "20", "--warm-up", "5", "--slow", "3", "--max-growth", "10000"),
        *("--", PYTHON, "-m", "ppocr_serving"),
    )

    assert (done.returncode, done.stderr) == (0, "")
    counts = {kind: int(number) for kind, number in re.findall(r"^\| ([^|]+) \| (\d+) \|$", done.stdout, re.MULTILINE)}
    assert sum(counts.values()) == 20
    assert counts["good: 200"] > 5
    assert "wrong: 0" in done.stdout


def test_a_server_that_answers_faulty_requests_like_good_ones_is_noticed() -> None:
    server = (sys.executable, str(LEAKING_SERVER), "{port}", "0", "0", "none")

    done = soak("--requests", "20", "--warm-up", "20", "--slow", "3", "--max-growth", "10000", "--", *server)

    assert done.returncode == 1
    assert re.match(r"soak: \d+ requests went wrong, the first: ", done.stderr)


def test_all_doors_that_a_server_has_are_attacked_and_others_are_listed() -> None:
    server = (sys.executable, str(LEAKING_SERVER), "{port}", "0", "0", "none")

    done = soak("--all-doors", "--requests", "6", "--warm-up", "2", "--clients", "2", "--slow", "0", "--", *server)

    assert "\n| door v1/read | absent |\n" in done.stdout
    assert "\n| door predict | absent |" not in done.stdout
    assert sum(int(number) for number in re.findall(r"^\| [^|]+ \| (\d+) \|$", done.stdout, re.MULTILINE)) == 6
