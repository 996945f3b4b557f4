"""The plugin of OCRmyPDF, by the real `ocrmypdf` on pages whose text and places are known."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from ppocr_serving.integrations.tesseract_languages import tesseract_names
from ppocr_serving.models import load_profile, profile_names
from tests.drawing import Placed, draw_page, rotate
from tests.pdf_files import pdf_of_pictures
from tests.served.server import Served

PLUGIN = "ppocr_serving.integrations.ocrmypdf_plugin"
DPI = 150
LINES = (
    Placed("The quick brown fox jumps", 100, 150, 44),
    Placed("over 42 lazy dogs", 100, 260, 44),
    Placed("图中的文字在这里", 100, 400, 48),
    Placed("Zweite Zeile der Seite", 100, 520, 44),
)
WORD = re.compile(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">([^<]*)</word>')


class Word(NamedTuple):
    """A word and its place on the page, in pixels of the picture."""

    text: str
    left: float
    middle: float


def ocrmypdf(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("ocrmypdf")), "--plugin", PLUGIN, "--quiet", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def words_of(file: Path) -> list[list[Word]]:
    """Return the words of each page, as Poppler finds them."""
    done = subprocess.run(["pdftotext", "-bbox", str(file), "-"], capture_output=True, encoding="utf-8", check=True)
    assert done.stderr == ""
    scale = DPI / 72
    return [
        [
            Word(text, float(left) * scale, (float(top) + float(bottom)) / 2 * scale)
            for left, top, _, bottom, text in WORD.findall(page)
        ]
        for page in done.stdout.split("<page ")[1:]
    ]


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> list[list[Word]]:
    """The words of pages that were upright, on their sides, upside down, and tilted."""
    folder = tmp_path_factory.mktemp("ocrmypdf")
    page = draw_page(LINES, 1240, 1754)
    turned = [np.ascontiguousarray(np.rot90(page, turns)) for turns in (1, 2, 3)]
    (folder / "in.pdf").write_bytes(pdf_of_pictures(page, *turned, rotate(page, 3), dpi=DPI))
    done = ocrmypdf(
        "--rotate-pages", "--deskew", "-l", "chi_sim+deu", "--sidecar", folder / "out.txt", "--jobs", "2",
        folder / "in.pdf", folder / "out.pdf",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (folder / "out.txt").read_text(encoding="utf-8").count("图中的文字在这里") == 5
    return words_of(folder / "out.pdf")


@pytest.mark.parametrize("page", range(5))
def test_the_words_of_a_page_are_found(searchable: list[list[Word]], page: int) -> None:
    assert [word.text for word in searchable[page]] == [word for line in LINES for word in line.text.split()]


@pytest.mark.parametrize("page", range(4))
def test_words_stand_where_the_picture_has_them(searchable: list[list[Word]], page: int) -> None:
    places = {word.text: word for word in searchable[page]}
    for line in LINES:
        first = places[line.text.split()[0]]
        assert first.left == pytest.approx(line.x, abs=12)
        assert first.middle == pytest.approx(line.y + line.size / 2, abs=20)


def test_a_tilted_page_is_made_level(searchable: list[list[Word]]) -> None:
    places = {word.text: word for word in searchable[4]}
    assert places["The"].middle == pytest.approx(places["jumps"].middle, abs=4)


def test_the_languages_of_all_profiles_have_tesseracts_names() -> None:
    for profile in profile_names():
        names = tesseract_names(load_profile(profile).languages)
        assert {name for name in names if len(name) < 3} <= {"rm"}  # Tesseract has no Romansh
        assert "eng" in names


def test_processes_have_readers_of_their_own(tmp_path: Path) -> None:
    page = draw_page(LINES[:1], 900, 400)
    (tmp_path / "in.pdf").write_bytes(pdf_of_pictures(page, page, dpi=DPI))
    done = ocrmypdf("--no-use-threads", "--jobs", "2", tmp_path / "in.pdf", tmp_path / "out.pdf")
    assert done.returncode == 0, done.stderr
    assert [" ".join(word.text for word in words) for words in words_of(tmp_path / "out.pdf")] == [LINES[0].text] * 2


def test_a_server_reads_the_pages(tmp_path: Path, server: Served) -> None:
    (tmp_path / "in.pdf").write_bytes(pdf_of_pictures(draw_page(LINES[2:3], 900, 600), dpi=DPI))
    url = f"http://127.0.0.1:{server.port}"
    done = ocrmypdf("--ppocr-url", url, "-l", "chi_sim", tmp_path / "in.pdf", tmp_path / "out.pdf")
    assert done.returncode == 0, done.stderr
    assert [[word.text for word in words] for words in words_of(tmp_path / "out.pdf")] == [[LINES[2].text]]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["-l", "kor"], 3, "kor"),
        (["--ocr-engine", "tesseract"], 1, "leave out the plugin of ppocr-serving to use Tesseract"),
        (["--ppocr-url", "nowhere"], 1, "'nowhere' is not the address of a server; give it as http://127.0.0.1:9000"),
        (["--pdf-renderer", "sandwich"], 1, "--pdf-renderer sandwich: is made for Tesseract; leave it out"),
    ],
)
def test_what_it_cannot_do_is_refused(tmp_path: Path, arguments: list[str], status: int, message: str) -> None:
    ok, picture = cv2.imencode(".png", draw_page(LINES[:1], 900, 400))
    assert ok
    (tmp_path / "in.png").write_bytes(picture.tobytes())
    done = ocrmypdf("--image-dpi", str(DPI), *arguments, tmp_path / "in.png", tmp_path / "out.pdf")
    assert done.returncode == status
    assert message in done.stderr
    assert not (tmp_path / "out.pdf").exists()
