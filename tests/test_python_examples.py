"""Pages with Python: every example runs, in order and in one process, and prints the output shown below it."""

import contextlib
import io
import re
from pathlib import Path

import pytest

import ppocr_serving

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("page", "least"), [("python.md", 5), ("documents.md", 3), ("formats.md", 6)])
def test_every_example_prints_what_the_page_says(monkeypatch: pytest.MonkeyPatch, page: str, least: int) -> None:
    monkeypatch.chdir(ROOT)
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert sum(kind == "python" for kind, _ in blocks) >= least
    names: dict[str, object] = {}
    printed = ""
    for kind, text in blocks:
        if kind == "text":
            assert printed == text
            printed = ""
            continue
        assert not printed, f"the page does not show the output of the example before\n{text}"
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(text, f"docs/{page}", "exec"), names)
        printed = output.getvalue()
    assert not printed


def test_the_public_api_is_what_the_page_describes() -> None:
    assert ppocr_serving.__all__ == sorted(ppocr_serving.__all__)
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    for name in ppocr_serving.__all__:
        assert getattr(ppocr_serving, name).__name__ == name
        assert f"`{name}`" in page or f"import {name}" in page
    with pytest.raises(AttributeError, match="has no attribute 'reader'"):
        _ = ppocr_serving.reader
