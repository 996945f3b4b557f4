import os
import re
import sys
from functools import partial
from pathlib import Path

from tests.benchmarks.commands import run_module

soak = partial(run_module, "soak_pdf")
PYTHON = os.environ.get("PPOCR_TEST_PYTHON") or sys.executable
LEAKING_SERVER = Path(__file__).with_name("leaking_server.py")


def test_every_page_of_a_long_pdf_is_read_and_growth_is_reported() -> None:
    done = soak("--pages", "16", "--max-growth", "-100", "--", PYTHON, "-m", "ppocr_serving")

    assert re.search(r"^\| 15 to 16 \| \d+ MB \|\n\n16 of 16 pages .* wrong: 0;", done.stdout, re.MULTILINE)
    # Only what was asked for in vain is wrong.
    assert re.fullmatch(r"soak: the growth is \S+ %, above --max-growth -100\n", done.stderr)
    assert done.returncode == 1


def test_a_server_that_does_not_read_it_is_noticed() -> None:
    done = soak("--pages", "8", "--", sys.executable, str(LEAKING_SERVER), "{port}", "0", "0", "none")

    assert done.returncode == 1
    assert done.stderr.startswith("soak: the PDF is answered with 404: ")
