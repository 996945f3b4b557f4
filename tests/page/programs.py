"""The programs that the page shows, run as a user would."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import playwright
from playwright.sync_api import Page

from tests.page.files import File

__all__ = ["programs", "run_programs"]


def programs(page: Page) -> list[str]:
    """Return the programs in curl, Python and JavaScript."""
    page.locator("#tab-request").click()
    return page.locator("#snippets pre").all_inner_texts()


def run_programs(page: Page, folder: Path, *files: File, key: str = "") -> list[list[str]]:
    """Run the three programs in a folder with the files, and return the lines that each prints."""
    for file in files:
        (folder / file.name).write_bytes(file.data)
    curl, python, javascript = programs(page)
    (folder / "program.mjs").write_text(javascript, encoding="utf-8")
    (folder / "program.py").write_text(python, encoding="utf-8")
    env = {**os.environ, **({"PPOCR_API_KEY": key} if key else {}), "NODE_NO_WARNINGS": "1"}
    printed = []
    for command in (["bash", "-euc", curl], [sys.executable, "program.py"], [_node(), "program.mjs"]):
        run = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{command}: {run.stderr}"
        printed.append(run.stdout)
    document = json.loads(printed[0])["documents"][0]
    assert document["name"] == files[0].name
    parts = [part["lines"] for answered in document["pages"] for part in answered["paragraphs"]]
    return [[line["text"] for part in parts for line in part], *(text.splitlines() for text in printed[1:])]


def _node() -> str:
    """Return Node.js: the system's, or the one that Playwright brings."""
    return shutil.which("node") or str(Path(playwright.__file__).parent / "driver" / "node")
