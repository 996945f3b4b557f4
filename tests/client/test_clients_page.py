"""docs/clients.md: every program runs against a real server, and prints what the page shows."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
import requests

from tests.served.server import Served, launch_lean

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"^```(python|shell|javascript|java)\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL
)
PROGRAMS = BLOCK.findall(PAGE)
(SHOWN, *_) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
REFUSED = re.compile(r" status=429 door=v1/read .*error=quota_exceeded")
KEY = "0123456789abcdef-secret"
FILES = {"python": "read.py", "shell": "read.sh", "javascript": "read.mjs", "java": "Read.java"}
COMMANDS: dict[str, Sequence[str]] = {
    "python": [sys.executable],
    "shell": ["bash", "-e"],
    "javascript": ["node"],
    "java": ["java"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with launch_lean(tmp_path_factory.mktemp("clients"))(2, PPOCR_API_KEYS=f"alice:{KEY}") as served:
        yield served


def test_the_page_has_a_program_for_each_language() -> None:
    assert [language for language, _, _ in PROGRAMS] == [*["python"] * 4, "shell", "javascript", "java"]


def run(folder: Path, url: str, language: str, program: str) -> "subprocess.CompletedProcess[str]":
    path = folder / FILES[language]
    assert "http://127.0.0.1:9000" in program
    path.write_text(program.replace("http://127.0.0.1:9000", url), encoding="utf-8")
    return subprocess.run(
        [*COMMANDS[language], str(path), *(["docs/example.png"] if language in ("javascript", "java") else [])],
        cwd=ROOT,
        env={**os.environ, "PPOCR_API_KEY": KEY, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize(("language", "program", "shown"), PROGRAMS)
def test_a_program_prints_what_the_page_shows(
    server: Served, tmp_path: Path, language: str, program: str, shown: str
) -> None:
    done = run(tmp_path, server.url, language, program)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (shown or SHOWN)


@pytest.mark.parametrize(
    ("language", "program"),
    [
        # All of them take their time; that each works is what the test above finds out.
        pytest.param(language, program, marks=[pytest.mark.thorough] * (language != "python"))
        for language, program, _ in PROGRAMS
        if "Retry" in program or "--retry" in program
    ],
)
def test_a_program_waits_for_a_key_that_has_used_up_its_share(tmp_path: Path, language: str, program: str) -> None:
    limits = {"PPOCR_KEY_REQUESTS_PER_MINUTE": "20", "PPOCR_API_KEYS": f"alice:{KEY}"}
    with launch_lean(tmp_path)(**limits) as server, ThreadPoolExecutor(1) as others:

        def use_up() -> None:
            """Use what the key may use until the program has been refused."""
            while not REFUSED.search(server.log()) and not done.is_set():
                requests.get(f"{server.url}/v1/capabilities", headers={"X-API-Key": KEY}, timeout=60)
                time.sleep(0.02)

        done = Event()
        using = others.submit(use_up)
        while "error=quota_exceeded" not in server.log():
            time.sleep(0.02)
        printed = run(tmp_path, server.url, language, program)
        done.set()
        using.result()
        assert (printed.returncode, printed.stdout) == (0, SHOWN)
        assert REFUSED.search(server.log())
