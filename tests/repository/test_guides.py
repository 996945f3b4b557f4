"""Files referred to in the guides for contributors and reporters exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("guide", ["CONTRIBUTING.md", "SECURITY.md", ".github/PULL_REQUEST_TEMPLATE.md"])
def test_links_and_paths_exist(guide: str) -> None:
    text = (ROOT / guide).read_text(encoding="utf-8")
    named = re.findall(r"\]\(([^)#:]+)\)", text)
    named += re.findall(r"`((?:scripts|docs|tests|ppocr_serving|engines)/[\w./-]+|[A-Z][A-Z.]+(?:md)?|\w+/)`", text)

    assert [name for name in named if not any((root / name).exists() for root in (ROOT, ROOT / "ppocr_serving"))] == []


@pytest.mark.parametrize("guide", ["CONTRIBUTING.md", "docs/from-hubserving.md"])
def test_scripts_in_commands_exist(guide: str) -> None:
    scripts = re.findall(r"\b(?:scripts/|\./)\w+\.sh", (ROOT / guide).read_text(encoding="utf-8"))

    assert scripts
    assert [script for script in scripts if not (ROOT / script).is_file()] == []
