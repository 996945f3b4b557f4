"""What docs/languages.md says about profiles, pictures, letters and custom models is true."""

import hashlib
import re
import shutil
import zipfile
from pathlib import Path

import pytest

import ppocr_serving.models
from benchmarks.labels import read_labels
from ppocr_serving import Reader
from ppocr_serving.errors import DownloadError
from ppocr_serving.models import load_profile, profile_names
from ppocr_serving.models.fetch import fetch_profile
from ppocr_serving.reading.models import characters_of
from ppocr_serving.settings import load_settings
from tests.reading.profiles import Prepare, prepare

__all__ = ["prepare"]  # a fixture

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "languages.md").read_text(encoding="utf-8")
PICTURES = sorted((DOCS / "languages").glob("*.png"))


def section(title: str) -> str:
    return re.split(r"^#{2,3} ", PAGE.split(f"# {title}\n")[1], flags=re.MULTILINE)[0]


def table(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def read(reader: Reader, picture: Path) -> list[str]:
    return [line.text for line in reader.read(picture).lines]


def test_the_languages_of_every_profile_are_listed() -> None:
    latin = re.findall(r"\(`([\w-]+)`\)", section("The 45 Latin languages"))
    stated = {
        row[0].strip("`"): [
            tag for part in row[1].split(", ") for tag in (latin if "latin" in part else [part.strip("`")])
        ]
        for row in table("What each profile reads")[1:]
    }
    assert len(latin) == 45
    assert stated == {name: list(load_profile(name).languages) for name in profile_names()}


def test_the_default_profile_reads_the_examples_as_shown(prepare: Prepare) -> None:
    reader = Reader(settings=prepare("ppocr-v6"))
    examples = re.findall(r"^!\[[^\]]+\]\(languages/(\w+)\.png\)\n\n```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(examples) == len(PICTURES) - 1  # one shows what is not read
    assert {name: text.splitlines() for name, text in examples} == {
        name: read(reader, DOCS / "languages" / f"{name}.png") for name, _ in examples
    }


@pytest.mark.parametrize(
    "column", [pytest.param(column, marks=[pytest.mark.thorough] * (column > 3)) for column in range(2, 8)]
)
def test_the_lines_that_each_profile_reads_are_counted(prepare: Prepare, column: int) -> None:
    head, *stated = table("How many of these lines each profile reads")
    reader = Reader(settings=prepare(head[column].strip("`")))
    counted = {}
    for picture in PICTURES:
        labels = [label.text for label in read_labels(picture.with_suffix(".csv"))]
        counted[picture.stem] = (len(labels), len(set(labels) & set(read(reader, picture))))
    assert {row[0]: (int(row[1]), int(row[column])) for row in stated} == counted


@pytest.mark.parametrize(("column", "profile"), [(2, "ppocr-v6-tiny"), (3, "ppocr-v6-small")])
def test_letters_that_a_dictionary_lacks(prepare: Prepare, column: int, profile: str) -> None:
    known = set("".join(characters_of(prepare(profile))))
    head, *stated = table("What no profile reads")
    assert head[column] == f"missing in `{profile}`"
    for row in stated:
        letters = row[1].split()
        assert [letter for letter in letters if letter not in known] == row[column].split(), row[0]
    # Korean, Arabic, Hebrew, Cyrillic, Thai, Devanagari
    assert not re.search(r"[\uac00-\ud7a3\u0590-\u06ff\u0400-\u04ff\u0e00-\u0e7f\u0900-\u097f]", "".join(known))


@pytest.fixture
def recognizer(prepare: Prepare, tmp_path: Path) -> Path:
    """The one model of the page's table that a package has, under its name there."""
    models = prepare("ppocr-v5-mobile").models
    path = tmp_path / "ch_PP-OCRv5_rec_mobile.onnx"
    shutil.copy(models.profile_directory("rec") / "inference.onnx", path)
    published = {row[1].strip("`"): row[2].strip("`") for row in table("Adding a language")[1:]}
    assert hashlib.sha256(path.read_bytes()).hexdigest() == published[path.name]
    return path


@pytest.mark.parametrize("profile", ["ppocr-v6-tiny", "ppocr-v6"])
def test_a_recogniser_in_a_folder_of_its_own_reads_what_the_profile_does_not(
    prepare: Prepare, recognizer: Path, tmp_path: Path, profile: str
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(recognizer, folder / "inference.onnx")
    reader = Reader(settings=prepare(profile, rec_model_dir=str(folder)))
    assert "reread" not in reader.roles
    assert read(reader, DOCS / "languages" / "japanese.png") == [
        label.text for label in read_labels(DOCS / "languages" / "japanese.csv")
    ]


def test_a_profile_with_a_recogniser_of_ones_own_is_fetched_checked_and_read_with(
    prepare: Prepare, recognizer: Path, tmp_path: Path
) -> None:
    packaged = Path(ppocr_serving.models.__file__).parent / "profiles" / "ppocr-v6-tiny.toml"
    (shown,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    digest = hashlib.sha256(recognizer.read_bytes()).hexdigest()
    text = packaged.read_text(encoding="utf-8").replace('name = "ppocr-v6-tiny"', 'name = "own"')
    text = text.partition("[rec]\n")[0] + shown.replace("korean_PP-OCRv5_rec_mobile.onnx", recognizer.name)
    profile = tmp_path / "own.toml"
    profile.write_text(re.sub(r'(?<=\nsha256 = ")\w+(?="\n\Z)', digest, text), encoding="utf-8")

    models, given = prepare("ppocr-v6-tiny").models, tmp_path / "others.zip"
    with zipfile.ZipFile(given, "w") as others:
        for role in ("det", "cls"):
            for file in models.profile.alternatives(role)[-1]:
                others.write(models.profile_directory(role) / file.path.name, file.member)
    refused = tmp_path / "refused.toml"
    refused.write_text(profile.read_text(encoding="utf-8").replace(digest, "0" * 64), encoding="utf-8")
    with pytest.raises(DownloadError, match=r"its SHA-256, \w+, is not that of a single file of profile own"):
        fetch_profile(load_profile(str(refused)), tmp_path / "fetched", [str(recognizer), str(given)])
    assert fetch_profile(load_profile(str(profile)), tmp_path / "fetched", [str(recognizer), str(given)])

    variables = {"PPOCR_PROFILE": str(profile), "PPOCR_MODEL_DIR": str(tmp_path / "fetched"), "PPOCR_PRECISION": "f32"}
    reader = Reader(settings=load_settings(environ=variables))
    assert "コーヒーとケーキのセット" in read(reader, DOCS / "languages" / "japanese.png")
