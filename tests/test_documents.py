"""Agreement of the documentation with the code."""

import re
from pathlib import Path

import pytest

from ppocr_serving.models import profile_names
from ppocr_serving.settings import load_settings, variable_names
from ppocr_serving.web.hubserving import MODULES
from tests.flat_settings import field_names

ROOT = Path(__file__).parents[1]

READMES = ("README.md", "README.zh-CN.md")


def table(document: str) -> dict[str, str]:
    """Map the code in the first column of a document's tables to the second column."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", text, re.MULTILINE))


def test_every_setting_is_documented() -> None:
    documented = {name for name in table("docs/settings.md") if name.startswith("PPOCR_")}

    assert documented == {
        name for field in field_names() for name in variable_names(field) if name.startswith("PPOCR_")
    }


@pytest.mark.parametrize("document", ["docs/settings.md", *READMES])
def test_documented_defaults_match_the_code(document: str) -> None:
    rows = {name: column for name, column in table(document).items() if name.startswith("PPOCR_")}
    rows.pop("PPOCR_WORKERS", None)  # belongs to start.sh
    literal = {name: match[1] for name, column in rows.items() if (match := re.search(r"`([^`/]+)`$", column))}

    assert len(literal) >= 5
    defaults = load_settings(environ={})
    assert load_settings(environ=literal) == defaults


@pytest.mark.parametrize("document", READMES)
def test_all_profiles_are_documented(document: str) -> None:
    assert set(profile_names()) <= set(table(document))


@pytest.mark.parametrize("document", READMES)
def test_all_modules_are_documented(document: str) -> None:
    assert set(MODULES) <= set(table(document))


def test_both_readmes_have_the_same_commands_and_answers() -> None:
    blocks = [re.findall(r"^```.*?^```", (ROOT / name).read_text(encoding="utf-8"), re.M | re.S) for name in READMES]

    assert blocks[0]
    assert blocks[0] == blocks[1]


def test_the_readmes_link_every_page_of_the_documentation() -> None:
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}

    for name in READMES:
        assert pages <= set(re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "document", [*READMES, "CHANGELOG.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_relative_links_resolve(document: str) -> None:
    path = ROOT / document
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))

    missing = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert not missing
