"""The texts of the page in its languages."""

import re
from pathlib import Path
from typing import Final

import pytest

import ppocr_serving.web

FOLDER: Final = Path(ppocr_serving.web.__file__).with_name("page")
CATALOGUES: Final = ("english", "chinese")
TEXT: Final = re.compile(r'^  (\w+): (?:\(([^=]*)\) =>|["`])', re.MULTILINE)

CODE: Final = "".join(
    path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.js")) if path.stem not in CATALOGUES
)
HTML: Final = (FOLDER / "index.html").read_text(encoding="utf-8")

ELEMENTS: Final = frozenset(re.findall(r'data-(?:say|label|hint)="(\w+)"', HTML))
CALLS: Final = frozenset(re.findall(r'(?<![.\w])say\("(\w+)"', CODE))
FAMILIES: Final = frozenset(re.findall(r"\bsay\(`(\w+_)\$\{", CODE))
"""Beginnings of names whose ends the code computes, such as `state_`."""


def catalogue(language: str) -> dict[str, str]:
    """Return the parameters of each text by its name; a plain text has none."""
    source = (FOLDER / f"{language}.js").read_text(encoding="utf-8")
    texts = TEXT.findall(source)
    assert len({name for name, _ in texts}) == len(re.findall(r"^  \w+:", source, re.MULTILINE))
    return dict(texts)


def count(parameters: str) -> int:
    return len(re.findall(r"\{[^}]*\}|\w+", parameters))


def test_both_languages_have_the_same_texts_with_as_many_parameters() -> None:
    english, chinese = (
        {name: count(parameters) for name, parameters in catalogue(language).items()} for language in CATALOGUES
    )
    assert english == chinese


def test_every_text_that_the_page_names_exists() -> None:
    assert (ELEMENTS | CALLS) - catalogue("english").keys() == set()


def test_every_text_is_used() -> None:
    literals = set(re.findall(r'"(\w+)"', CODE))
    unused = [
        name
        for name in catalogue("english")
        if name not in ELEMENTS | literals and not name.startswith(tuple(sorted(FAMILIES)))
    ]
    assert unused == []


def test_what_is_shown_without_scripts_is_english() -> None:
    source = (FOLDER / "english.js").read_text(encoding="utf-8")
    english = dict(re.findall(r'^  (\w+): "(.*)",$', source, re.MULTILINE))
    written = dict(re.findall(r'data-say="(\w+)"[^>]*>([^<]+)<', HTML))
    assert written.keys() >= {"welcome", "formats"}
    assert written == {name: english[name] for name in written}


@pytest.mark.parametrize(("family", "explained"), [("option_", "about_"), ("way_", "fault_")])
def test_texts_that_belong_together_are_there_together(family: str, explained: str) -> None:
    names = catalogue("english").keys()
    ends = {name.removeprefix(family) for name in names if name.startswith(family)}
    assert ends - {name.removeprefix(explained) for name in names} == set()


@pytest.mark.parametrize("language", CATALOGUES)
def test_no_text_is_empty_or_has_a_space_at_an_end(language: str) -> None:
    source = (FOLDER / f"{language}.js").read_text(encoding="utf-8")
    assert re.findall(r'^  \w+: (?:"\s*"|" .*|".* "),$', source, re.MULTILINE) == []


def test_chinese_texts_use_chinese_punctuation() -> None:
    source = (FOLDER / "chinese.js").read_text(encoding="utf-8")
    assert re.findall(r"[\u4e00-\u9fff][,;:?!()]|[,;:?!(][\u4e00-\u9fff]", source) == []
