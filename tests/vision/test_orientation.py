"""Pages that lie on their side or upside down, with the real models."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving import Page, Reader, ReadOptions
from ppocr_serving.engines import Runtime
from ppocr_serving.settings import Settings, load_settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.orientation import set_upright, turn_boxes, turn_picture
from ppocr_serving.vision.pictures import BgrImage, decode_picture
from tests.drawing import Placed, draw_downwards, draw_line, draw_page, font_for
from tests.matching import edit_similarity, without_spaces
from tests.services import POOL

ANGLES = (0, 90, 180, 270)
LINES = [
    Placed("Departures today", 60, 50, 36),
    Placed("Platform 12", 620, 52, 36),
    Placed("欢迎光临图书馆阅览室", 60, 150, 36),
    Placed("6886", 620, 150, 36),
    Placed("Tickets from the machine", 60, 250, 36),
]
PAGE = draw_page(LINES, 900, 340)
COLUMNS = (
    "子曰學而時習之不亦說乎有",
    "朋自遠方來不亦樂乎人不知",
    "而不慍不亦君子乎有子曰其",
    "為人也孝弟而好犯上者鮮矣",
)

Read = Callable[[BgrImage], Page]


@pytest.fixture(scope="module")
def reader(settings: Settings) -> Reader:
    return Reader(settings=settings, pool=POOL)


@pytest.fixture(scope="module")
def read(reader: Reader) -> Read:
    return lambda image: reader.pages([image])[0]


def laid(image: BgrImage, angle: int) -> BgrImage:
    """Return a picture that has to be turned by `angle` to be upright."""
    return turn_picture(image, -angle % 360)


def columns() -> BgrImage:
    """Draw a page in columns of upright letters."""
    image = np.concatenate([draw_downwards(column, size=36, margin=20) for column in reversed(COLUMNS)], axis=1)
    return np.ascontiguousarray(image)


def outline(page: Page) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    return [(without_spaces(line.text), line.box) for line in page.lines]


# ---- turning


@given(st.sampled_from(ANGLES), st.integers(1, 40), st.integers(1, 40), st.data())
def test_boxes_turn_as_their_picture_does(angle: int, width: int, height: int, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[y, x] = 255
    box = np.full((1, 4, 2), (x, y), dtype=np.float32)
    turned, moved = turn_picture(image, angle), turn_boxes(box, angle, width, height)
    column, row = moved[0, 0].astype(int).tolist()
    assert turned[row, column].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(turn_boxes(moved, -angle % 360, *(turned.shape[1], turned.shape[0])), box)


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("size", [18, 36, 60])
def test_the_letters_of_a_column_are_set_upright(reader: Reader, size: int) -> None:
    column = draw_downwards(COLUMNS[0], size=size, margin=round(size * 0.12))
    lying = np.ascontiguousarray(np.rot90(column))
    scaled = cv2.resize(lying, (round(lying.shape[1] * 48 / lying.shape[0]), 48))
    (text,) = reader.recognize([set_upright(scaled)])
    assert sum(letter in COLUMNS[0] for letter in text.text) >= 10, text
    assert len(text.text) in range(11, 14)


# ---- pages


@pytest.mark.parametrize("angle", ANGLES)
def test_a_page_is_read_as_if_it_were_upright(read: Read, angle: int) -> None:
    picture = laid(PAGE, angle)
    page = read(picture)
    assert page.angle == angle
    assert (page.width, page.height) == (picture.shape[1], picture.shape[0])
    assert [text for text, _ in outline(page)] == [without_spaces(line.text) for line in LINES]


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("angle", ANGLES)
def test_boxes_refer_to_the_picture_as_sent_and_begin_at_the_texts_top_left(read: Read, angle: int) -> None:
    page = read(laid(PAGE, angle))
    boxes = np.array([line.box for line in page.lines], dtype=np.float32)
    upright = turn_boxes(boxes, angle, page.width, page.height)
    for (top_left, top_right, bottom_right, bottom_left), drawn in zip(upright, LINES, strict=True):
        assert np.abs(top_left - [drawn.x, drawn.y]).max() < drawn.size / 2
        assert top_left[0] < top_right[0]
        assert bottom_left[0] < bottom_right[0]
        assert top_left[1] < bottom_left[1] < drawn.y + 1.5 * drawn.size
    assert (boxes >= 0).all()
    assert (boxes < [page.width, page.height]).all()


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("angle", ANGLES)
def test_boxes_of_words_turn_with_the_page(reader: Reader, angle: int) -> None:
    options = ReadOptions(words=True)
    (upright,), (page,) = reader.pages([PAGE], options), reader.pages([laid(PAGE, angle)], options)
    assert page.angle == angle
    expected = [word for line in upright.lines for word in line.words]
    words = [word for line in page.lines for word in line.words]
    assert [word.text for word in words] == [word.text for word in expected]
    boxes = np.array([word.box for word in words], dtype=np.float32)
    turned = turn_boxes(boxes, angle, page.width, page.height)
    # The detector sees other pixels in a page on its side, so boxes differ by a few.
    assert np.abs(turned - np.array([word.box for word in expected])).max() < LINES[0].size / 3


@pytest.mark.thorough_with_paddle
def test_each_picture_of_a_call_has_its_own_angle(reader: Reader, read: Read) -> None:
    blank = np.full((200, 300, 3), 255, dtype=np.uint8)
    pictures = [laid(PAGE, 180), PAGE, blank, laid(PAGE, 90), columns(), laid(PAGE, 270), draw_line("Exit 24")]
    together = reader.pages(iter(pictures))
    assert [page.angle for page in together] == [180, 0, 0, 90, 0, 270, 0]
    assert [outline(page) for page in together] == [outline(read(picture)) for picture in pictures]


@pytest.mark.thorough_with_paddle
def test_an_upright_page_that_reads_well_costs_nothing_beyond_reading_it(reader: Reader) -> None:
    stages: dict[bool, list[str]] = {}
    for orientation in (False, True):
        begun = stages.setdefault(orientation, [])
        reader.pages([PAGE], ReadOptions(orientation=orientation), Stopwatch(begun.append))
    assert sorted(stages[True]) == sorted(stages[False])


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("angle", ANGLES)
def test_a_page_stays_as_it_lies_without_the_option(reader: Reader, angle: int) -> None:
    (page,) = reader.pages([laid(PAGE, angle)], ReadOptions(orientation=False))
    assert page.angle == 0
    assert not angle or outline(page) != outline(reader.pages([laid(PAGE, angle)])[0])


# ---- what must not be turned


def test_a_page_in_columns_of_upright_letters_is_not_turned(reader: Reader, read: Read) -> None:
    page = read(columns())
    assert page.angle == 0
    # PP-OCRv4 takes some letters for others.
    for column in COLUMNS:
        assert max(edit_similarity(text, column) for text, _ in outline(page)) > 0.8
    assert page == reader.pages([columns()], ReadOptions(orientation=False))[0]


@pytest.mark.thorough_with_paddle
def test_columns_of_kana_which_read_badly_are_not_turned(read: Read) -> None:
    texts = ("吾輩は猫である名前はまだ無い", "どこで生れたかとんと見当がつ", "かぬ何でも薄暗いじめじめした")
    font_for(texts[0], 30)  # names the missing package
    image = np.concatenate([draw_downwards(text, size=30, margin=18) for text in reversed(texts)], axis=1)
    assert read(np.ascontiguousarray(image)).angle == 0


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_lines_stay_as_they_are(read: Read, count: int, angle: int) -> None:
    picture = laid(draw_page([LINES[0], LINES[2]][:count], 600, 260), angle)
    page = read(picture)
    assert page.angle == 0
    # Each by itself is still read, whichever way it runs.
    assert {text for text, _ in outline(page)} == {without_spaces(line.text) for line in (LINES[0], LINES[2])[:count]}


# ---- real pictures


SCANS = ("receipts/112.jpg", "receipts/136.jpg", "pages/ja_123_scan.jpg")
ALWAYS_TURNED = dict(zip(SCANS, ANGLES[1:], strict=True))


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize(
    ("name", "angle"),
    [
        pytest.param(name, angle, marks=[pytest.mark.thorough] * (ALWAYS_TURNED[name] != angle))
        for name in SCANS
        for angle in ANGLES
    ],
)
def test_real_pages_are_turned(read: Read, shared_data: Path, name: str, angle: int) -> None:
    image = decode_picture((shared_data / name).read_bytes(), 100_000_000)
    assert read(laid(image, angle)).angle == angle


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.thorough)])
def test_no_upright_picture_is_turned(read: Read, shared_data: Path, step: int) -> None:
    files = sorted((shared_data / "images").iterdir())[::step]
    assert files
    for file in files:
        assert read(decode_picture(file.read_bytes(), 100_000_000)).angle == 0, file


# ---- the setting


def test_the_compatible_mode_leaves_pictures_as_they_lie_unless_told_otherwise() -> None:
    assert load_settings(environ={}).reading.orientation
    mode = {"PPOCR_COMPATIBLE": "true", "PPOCR_PROFILE": "ppocr-v4-mobile", "PPOCR_ENGINE": Runtime.OPENVINO.value}
    assert not load_settings(environ=mode).reading.orientation
    assert load_settings(environ={**mode, "PPOCR_ORIENTATION": "true"}).reading.orientation
    assert load_settings(environ={"PPOCR_COMPATIBLE": "false"}).reading.orientation
