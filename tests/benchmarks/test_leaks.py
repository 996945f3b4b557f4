import os
import re
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.commands import run_module

leaks = partial(run_module, "leaks")
PYTHON = os.environ.get("PPOCR_TEST_PYTHON") or sys.executable
FAULTY_SERVER = (sys.executable, str(Path(__file__).with_name("leaking_server.py")), "{port}", "0", "0")


def rows(output: str) -> dict[str, list[int]]:
    found = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", output, re.MULTILINE)
    return {title: [int(number) for number in numbers] for title, *numbers in found}


@pytest.mark.thorough
def test_every_option_changes_an_answer_of_a_real_server_and_none_of_another_request() -> None:
    done = leaks("--requests", "40", "--clients", "4", "--door", "predict", "--", PYTHON, "-m", "ppocr_serving")

    assert (done.returncode, done.stderr) == (0, "")
    table = rows(done.stdout)
    assert {"words True", "reading_order natural", "drop_score 1.0"} <= set(table)
    assert all(changed > 0 and wrong == 0 for _, changed, _, wrong in table.values())


def test_a_server_that_shares_options_between_requests_is_noticed() -> None:
    done = leaks("--requests", "200", "--clients", "4", "--door", "predict", "--", *FAULTY_SERVER, "options")

    assert done.returncode == 1
    assert sum(wrong for *_, wrong in rows(done.stdout).values()) > 0
    assert re.search(r"^leaks: predict ocr_system with .*: another answer: 200 ", done.stderr, re.MULTILINE)


def test_options_that_change_nothing_are_reported() -> None:
    done = leaks("--requests", "20", "--clients", "2", "--door", "predict", "--", *FAULTY_SERVER, "none")

    assert done.returncode == 1
    assert "leaks: words True changes no answer, so that nothing is proven for it\n" in done.stderr
