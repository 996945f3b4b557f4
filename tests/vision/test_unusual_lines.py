"""Lines that are unusual in direction, length, slant, size or colour, read by the default profile."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.labels import read_labels
from ppocr_serving.engines import Runtime
from ppocr_serving.reading.reader import Reader
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.recognition import NARROW_WIDTHS
from tests.conftest import models_of, settings_for
from tests.drawing import BLACK, WHITE, Colour, Placed, draw_downwards, draw_line, draw_page, font_for, rotate
from tests.matching import edit_similarity, without_spaces
from tests.services import POOL

Read = Callable[[BgrImage], list[str]]

LATIN = "The quick brown fox"
CHINESE = "欢迎光临图书馆阅览室"
WORDS = ("harbour", "boats", "sail", "slowly", "past", "the", "old", "wall", "and", "nobody", "knows", "where", "they")
LETTERS = "春天的早晨阳光照在窗前孩子们背着书包走上学路老人公园里打太极拳商店陆续开门"
BOTH = pytest.mark.parametrize("text", [LATIN, CHINESE])
COLOURS = pytest.mark.parametrize(("ink", "paper"), [(BLACK, WHITE), (WHITE, BLACK)], ids=["dark", "light"])


@pytest.fixture(scope="module")
def reader() -> Reader:
    settings = settings_for(Runtime.OPENVINO)
    assert models_of(settings)
    return Reader(settings=settings, pool=POOL)


@pytest.fixture(scope="module")
def read(reader: Reader) -> Read:
    return lambda image: [without_spaces(line.text) for line in reader.read(image).lines]


# ---- vertical


@pytest.mark.parametrize(
    "text",
    ["足元にご注意ください", "吾輩は猫である名前はまだ無い", "國立故宮博物院參觀須知", "案内所", "第12回大会", "HOTEL"],
)
@pytest.mark.parametrize("size", [20, 48])
def test_a_column_of_upright_letters_is_read(read: Read, text: str, size: int) -> None:
    assert read(draw_downwards(text, size, margin=100)) == [text]


def test_columns_next_to_one_another_are_read(read: Read) -> None:
    columns = ["床前明月光", "疑是地上霜", "舉頭望明月", "低頭思故鄉"]
    page = np.hstack([draw_downwards(column, 40, margin=20) for column in reversed(columns)])
    assert sorted(read(page)) == sorted(columns)


def test_the_columns_of_the_documentation_are_read_as_shown(reader: Reader) -> None:
    picture = Path(__file__).parents[2] / "docs" / "languages" / "vertical" / "columns.png"
    labels = [label.text for label in read_labels(picture.with_suffix(".csv"))]
    assert [line.text for line in reader.read(picture).lines] == labels
    shown = picture.parents[2].joinpath("languages.md").read_text(encoding="utf-8")
    assert "\n".join(["```text", *labels, "```"]) in shown


# ---- long


def long_text(count: int, *, chinese: bool) -> str:
    """Return `count` letters in an order that no language model can guess."""
    choose = random.Random(count)
    if chinese:
        return "".join(choose.choices(LETTERS, k=count))
    return " ".join(choose.choices(WORDS, k=count))[:count].strip()


@pytest.mark.parametrize("chinese", [False, True], ids=["Latin", "Chinese"])
@pytest.mark.parametrize("margin", [10, 20])
def test_a_line_of_600_letters_is_read(read: Read, chinese: bool, margin: int) -> None:
    text = long_text(600, chinese=chinese)
    (line,) = read(draw_line(text, margin=margin))
    assert edit_similarity(line, without_spaces(text)) >= 0.99


@pytest.mark.parametrize("chinese", [False, True], ids=["Latin", "Chinese"])
def test_a_line_three_times_as_long_as_the_input_is_split_between_letters(reader: Reader, chinese: bool) -> None:
    text = long_text(1200, chinese=chinese)
    crop = draw_line(text, margin=6)
    assert crop.shape[1] > 3 * NARROW_WIDTHS[-1]
    ((read, confidence, *_),) = reader.recognize([crop])
    assert edit_similarity(read, text) >= 0.99  # with the spaces, also where it was split
    assert confidence > 0.9


# ---- slanted


@BOTH
@pytest.mark.parametrize("degrees", [3, -7, 20, -25, 60, -80])
def test_a_slanted_line_is_read(read: Read, text: str, degrees: float) -> None:
    assert read(rotate(draw_line(text, margin=100), degrees)) == [without_spaces(text)]


@pytest.mark.parametrize("degrees", [2, -4, 8, -15])
def test_a_slanted_paragraph_is_read(read: Read, degrees: float) -> None:
    lines = ["The committee met on Monday in the town hall", "and decided to postpone the works", "until the spring"]
    page = draw_page([Placed(line, 60, 60 + 50 * row, 28) for row, line in enumerate(lines)], 900, 260)
    assert read(rotate(page, degrees)) == [without_spaces(line) for line in lines]


# ---- tiny


@BOTH
@pytest.mark.parametrize("size", [(900, 400), (1654, 2339), (2480, 3508)], ids=str)
def test_a_line_of_8_pixels_on_an_empty_page_is_read(read: Read, text: str, size: tuple[int, int]) -> None:
    width, height = size
    assert read(draw_page([Placed(text, width // 3, height // 3, 8)], width, height)) == [without_spaces(text)]


def test_a_paragraph_of_8_pixels_is_read(read: Read) -> None:
    lines = ["The committee met on Monday", "and decided to postpone the works", "until the spring"] * 3
    page = draw_page([Placed(line, 40, 40 + 14 * row, 8) for row, line in enumerate(lines)], 600, 300)
    assert edit_similarity("".join(read(page)), without_spaces("".join(lines))) >= 0.97


def test_boxes_of_tiny_text_refer_to_the_whole_page(reader: Reader) -> None:
    ((line,),) = [reader.read(draw_page([Placed(LATIN, 500, 800, 8)], 1654, 2339)).lines]
    (left, top), _, (right, bottom), _ = line.box
    drawn = font_for(LATIN, 8).getlength(LATIN)
    assert abs(left - 500) <= 4
    assert abs(right - 500 - drawn) <= 4
    assert 790 <= top < bottom <= 820


# ---- huge


def draw_huge(text: str, width: int, height: int, share: float) -> BgrImage:
    """Draw a text in the middle, as large as the given share of the page."""
    left, top, right, bottom = font_for(text, 100).getbbox(text, anchor="lt")
    size = int(100 * share * min(height / (bottom - top), width / (right - left)))
    left, top, right, bottom = (int(side) for side in font_for(text, size).getbbox(text, anchor="lt"))
    corner = Placed(text, (width - right - left) // 2, (height - bottom - top) // 2, size)
    return draw_page([corner], width, height)


@pytest.mark.parametrize("text", ["A", "R", "8", "龍", "Sale", "休息"])
@pytest.mark.parametrize("size", [(1200, 1000), (3000, 2400)], ids=str)
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_letter_as_high_as_the_page_is_read(read: Read, text: str, size: tuple[int, int], share: float) -> None:
    assert read(draw_huge(text, *size, share)) == [text]


def test_an_empty_page_stays_empty_and_large_words_stay_apart(read: Read) -> None:
    assert read(np.full((2339, 1654, 3), 255, dtype=np.uint8)) == []
    poster = draw_page([Placed("GRAND", 60, 60, 300), Placed("OPENING", 60, 600, 260)], 1500, 1000)
    assert read(poster) == ["GRAND", "OPENING"]


# ---- white on black


@BOTH
@COLOURS
@pytest.mark.parametrize("size", [12, 24, 60])
def test_light_text_is_read_as_dark_text_is(read: Read, text: str, size: int, ink: Colour, paper: Colour) -> None:
    assert read(draw_line(text, size=size, ink=ink, paper=paper)) == [without_spaces(text)]


def test_a_dark_band_on_a_light_page_is_read(read: Read) -> None:
    texts = ["Departures today", "No smoking please", CHINESE]
    page = draw_page([Placed(text, 60, 50 + 100 * row, 36) for row, text in enumerate(texts)], 900, 320)
    page[120:220] = 255 - page[120:220]
    assert read(page) == [without_spaces(text) for text in texts]
