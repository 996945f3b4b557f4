"""Pages with Python: every example runs, in order and in one process, and prints the output shown below it."""

import contextlib
import io
import re
from pathlib import Path

import pytest

import ppocr_serving
from tests.matching import without_spaces

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)


PLACE = re.compile(r"^([0-9]+),([0-9]+) ([0-9.]+) ", re.MULTILINE)
"""Corner and confidence of a line, which are not the same on all processors."""


def assert_alike(printed: str, shown: str) -> None:
    """Compare an output with the one in a page."""
    # A space counts with a confidence of its own, which may be low.
    assert without_spaces(PLACE.sub("", printed)) == without_spaces(PLACE.sub("", shown))
    places, expected_places = PLACE.findall(printed), PLACE.findall(shown)
    assert len(places) == len(expected_places)
    for found, expected in zip(places, expected_places, strict=True):
        assert list(map(float, found[:2])) == pytest.approx(list(map(float, expected[:2])), abs=3)
        assert float(found[2]) == pytest.approx(float(expected[2]), abs=0.11)


def test_places_are_compared_within_reason() -> None:
    assert_alike("9,8 1.0 Text\n", "8,10 0.9 Text\n")
    assert_alike("Invoice2026\n", "Invoice 2026\n")
    for other in ("9,12 1.0 Text\n", "9,8 0.7 Text\n", "9,8 1.0 Test\n", "Text\n"):
        with pytest.raises(AssertionError):
            assert_alike("9,8 1.0 Text\n", other)


@pytest.mark.parametrize(("page", "least"), [("python.md", 5), ("documents.md", 3), ("formats.md", 6)])
def test_every_example_prints_what_the_page_says(monkeypatch: pytest.MonkeyPatch, page: str, least: int) -> None:
    monkeypatch.chdir(ROOT)
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert sum(kind == "python" for kind, _ in blocks) >= least
    names: dict[str, object] = {}
    printed = ""
    for kind, text in blocks:
        if kind == "text":
            assert_alike(printed, text)
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
