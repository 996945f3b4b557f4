"""The examples of docs/batch.md, on what the batch writes."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from ppocr_serving.cli.batch import build_parser
from ppocr_serving.integrations.batch.plan import Shard
from ppocr_serving.integrations.batch.sources import find_sources
from ppocr_serving.integrations.batch.tables import ERRORS, PAGES
from ppocr_serving.integrations.batch.worker import Attempts, Job, ShardReader, hash_of
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.reading.reader import Reader

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "batch.md").read_text(encoding="utf-8")


def test_the_query_finds_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(str(tmp_path / "results"), ReadOptions(), hash_of(Reader(), ReadOptions()), 1, {})
    ShardReader(job, Attempts())(Shard("x", find_sources(str(DOCS / "e*.png"))))
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (expected,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(program, "docs/batch.md", "exec"), {})
    assert output.getvalue() == expected


def test_every_column_is_described() -> None:
    assert not {name for name in (*PAGES.names, *ERRORS.names) if f"`{name}`" not in PAGE}


def test_the_commands_are_valid() -> None:
    pages = PAGE + (DOCS / "scaling.md").read_text(encoding="utf-8")
    commands = re.findall(r"^(?:\.venv/bin/| *)ppocr batch (.*)$", pages, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert build_parser().parse_args(shlex.split(command)).output
