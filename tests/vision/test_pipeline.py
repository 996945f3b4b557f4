"""The full pipeline from pixels to text, with the real models, on drawn pictures of known text."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppocr_serving.settings import Settings
from ppocr_serving.timing import STAGES, Stopwatch
from ppocr_serving.vision.geometry import crop_quadrangle
from ppocr_serving.vision.pictures import BgrImage, decode_picture
from tests.drawing import (
    BLACK,
    WHITE,
    Placed,
    add_noise,
    draw_downwards,
    draw_line,
    draw_page,
    rotate,
    shrink,
)
from tests.flat_settings import with_values
from tests.matching import edit_similarity, without_spaces
from tests.services import Service, create_service

LATIN = "The quick brown fox"
CHINESE = "欢迎光临图书馆阅览室"
TEXTS = pytest.mark.parametrize("text", [LATIN, CHINESE])

Reader = Callable[[BgrImage], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def read(services: dict[str, Service]) -> Reader:
    return lambda image: services["ocr_system"].run([image], Stopwatch())[0]


def text_of(lines: Sequence[dict[str, Any]]) -> str:
    """Return all text in order, without spaces, which the models do not read reliably."""
    return without_spaces("".join(line["text"] for line in lines))


@pytest.mark.thorough_with_paddle
@TEXTS
@pytest.mark.parametrize(
    "degrees",
    [
        0,
        -10,
        5,
        45,
        90,
        *(pytest.param(degrees, marks=pytest.mark.thorough) for degrees in (-2, 15, 30, -45, -90, 180, 135)),
    ],
)
def test_text_is_read_at_any_angle(read: Reader, text: str, degrees: float) -> None:
    lines = read(rotate(draw_line(text, margin=100), degrees))
    assert [without_spaces(line["text"]) for line in lines] == [without_spaces(text)]
    assert lines[0]["confidence"] > 0.9


@pytest.mark.thorough_with_paddle
@TEXTS
@pytest.mark.parametrize("size", [10, 12, 16, 24, 64])
def test_small_and_large_text_is_read(read: Reader, text: str, size: int) -> None:
    assert text_of(read(draw_page([Placed(text, 100, 100, size)], 900, 400))) == without_spaces(text)


def test_text_that_fills_the_picture_is_read(read: Reader) -> None:
    assert text_of(read(draw_line(CHINESE, size=200, margin=100))) == CHINESE


@pytest.mark.thorough_with_paddle
@TEXTS
@pytest.mark.parametrize("size", [12, 16, 24])
def test_a_tightly_cropped_line_is_read(read: Reader, text: str, size: int) -> None:
    assert text_of(read(draw_line(text, size=size, margin=size // 2))) == without_spaces(text)


@pytest.mark.thorough_with_paddle
@TEXTS
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        pytest.param((150, 150, 150), (180, 180, 180), id="30 grey levels apart"),
        pytest.param((110, 110, 110), (125, 125, 125), id="15 grey levels apart"),
        pytest.param(WHITE, (20, 20, 60), id="light on dark"),
        pytest.param((200, 0, 0), (255, 240, 120), id="red on yellow"),
    ],
)
def test_faint_and_coloured_text_is_read(
    read: Reader, text: str, ink: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    assert text_of(read(draw_line(text, ink=ink, paper=paper))) == without_spaces(text)


@pytest.mark.thorough_with_paddle
@TEXTS
@pytest.mark.parametrize("deviation", [20, 40, 60])
def test_noisy_text_is_read(read: Reader, text: str, deviation: float) -> None:
    got = text_of(read(add_noise(draw_line(text, margin=100), deviation, seed=1)))
    # Noise of 40 grey levels or more may cost a letter: one in ten of the shorter text.
    expected = 1.0 if deviation < 40 else 0.9
    assert edit_similarity(got, without_spaces(text)) >= expected


@pytest.mark.thorough_with_paddle
@TEXTS
def test_blurred_text_is_read(read: Reader, text: str) -> None:
    blurred = np.kron(shrink(draw_line(text, size=40, margin=100), 3), np.ones((3, 3, 1), dtype=np.uint8))
    assert edit_similarity(text_of(read(blurred)), without_spaces(text)) >= 0.9


@pytest.mark.parametrize("text", ["山重水复疑无路", "欢迎光临图书馆"])
def test_vertical_chinese_is_read(read: Reader, text: str) -> None:
    assert text_of(read(draw_downwards(text))) == text


def test_several_lines_come_in_reading_order_at_their_positions(read: Reader) -> None:
    placed = [
        Placed("Monday 15 March", 60, 50, 36),
        Placed("星期一", 620, 52, 36),
        Placed("Open from nine to five", 60, 160, 30),
        Placed("请保持安静", 60, 260, 48),
        Placed("No smoking", 520, 264, 40),
    ]
    lines = read(draw_page(placed, 900, 400))
    assert [without_spaces(line["text"]) for line in lines] == [without_spaces(line.text) for line in placed]
    for line, drawn in zip(lines, placed, strict=True):
        (left, top), (right, _), (_, bottom), _ = line["text_region"]
        assert left < right
        assert top < bottom
        # Boxes are grown by a few tenths of the text's height.
        assert abs(left - drawn.x) < drawn.size
        assert abs(top - drawn.y) < drawn.size


def test_regions_are_integers_inside_the_picture(read: Reader) -> None:
    image = draw_line(LATIN, margin=1)
    (line,) = read(image)
    assert all(type(value) is int for corner in line["text_region"] for value in corner)
    corners = np.array(line["text_region"])
    assert corners.shape == (4, 2)
    assert (corners >= 0).all()
    assert (corners < [image.shape[1], image.shape[0]]).all()


def test_every_picture_gets_its_own_answer(services: dict[str, Service], read: Reader) -> None:
    blank = np.full((300, 400, 3), 255, dtype=np.uint8)
    images = [draw_line(LATIN), blank, draw_line(CHINESE), draw_downwards("欢迎光临"), blank, draw_line("Exit 24")]
    together = services["ocr_system"].run(iter(images), Stopwatch())
    assert [text_of(lines) for lines in together] == ["Thequickbrownfox", "", CHINESE, "欢迎光临", "", "Exit24"]
    for lines, image in zip(together, images, strict=True):
        alone = read(image)
        assert [line["text_region"] for line in lines] == [line["text_region"] for line in alone]
        for line, other in zip(lines, alone, strict=True):
            assert line["text"] == other["text"]
            # Wider companions in a batch mean more padding, which changes the network's answer slightly.
            assert line["confidence"] == pytest.approx(other["confidence"], abs=0.1)


def test_no_pictures_give_no_answers(services: dict[str, Service]) -> None:
    assert services["ocr_system"].run([], Stopwatch()) == []


def test_pictures_are_consumed_one_by_one(services: dict[str, Service]) -> None:
    events: list[str] = []

    def images() -> Any:
        for number in range(3):
            watch_seen = sorted(watch.seconds)
            events.append(f"{number}: {'det_decode' in watch_seen}")
            yield draw_line(LATIN)

    watch = Stopwatch()
    services["ocr_system"].run(images(), watch)
    assert events == ["0: False", "1: True", "2: True"]


def test_the_stopwatch_records_every_stage_of_reading(services: dict[str, Service], settings: Settings) -> None:
    watch = Stopwatch()
    # Upright lines that read well are not classified.
    services["ocr_system"].run([rotate(draw_line(LATIN), 180)], watch)
    others = ["fetch", "decode", "encode"]
    if settings.models.profile.reread is None:
        others += ["reread_prepare", "reread_engine", "reread_decode"]
    assert list(watch.seconds) == [stage for stage in STAGES if stage not in others]
    assert all(seconds > 0 for seconds in watch.seconds.values())


def test_lines_below_drop_score_are_left_out(read: Reader, settings: Settings) -> None:
    image = draw_line(LATIN)
    (line,) = read(image)
    assert 0.5 < line["confidence"] < 1
    strict = create_service("ocr_system", with_values(settings, drop_score=1.0))
    assert strict.run([image], Stopwatch()) == [[]]


# ---- lines that are upside down


@pytest.fixture(scope="module")
def unclassified(settings: Settings) -> Reader:
    """Read pictures as they lie, without the angle classifier."""
    service = create_service("ocr_system", with_values(settings, use_angle_cls=False, orientation=False))
    return lambda image: service.run([image], Stopwatch())[0]


@pytest.fixture(scope="module")
def unturned(settings: Settings) -> Reader:
    """Read pictures as they lie; single lines are turned."""
    service = create_service("ocr_system", with_values(settings, orientation=False))
    return lambda image: service.run([image], Stopwatch())[0]


def test_upside_down_text_is_garbled_without_the_angle_classifier(unclassified: Reader) -> None:
    image = rotate(draw_line(CHINESE, ink=BLACK, margin=60), 180)
    assert text_of(unclassified(image)) != CHINESE


# Upside down, the second of each row is another number that reads equally well.
UPSIDE_DOWN = ("9889", "8998", "80:90")
ROWS = [
    [Placed("Departures today", 60, 50, 36), Placed("6886", 620, 50, 40)],
    [Placed(CHINESE, 60, 150, 36), Placed("8668", 620, 150, 40)],
    [Placed("Total 12.50", 60, 250, 36), Placed("06:08", 620, 250, 40)],
]


def test_an_upside_down_page_is_read(read: Reader, unclassified: Reader, unturned: Reader) -> None:
    page = rotate(draw_page([line for row in ROWS for line in row], 900, 320), 180)
    misread = {line["text"]: line["confidence"] for line in unclassified(page)}
    # The confidence does not show that these lines are upside down.
    assert all(misread.get(text, 0) > 0.9 for text in UPSIDE_DOWN), misread
    expected = [without_spaces(line.text) for row in ROWS[::-1] for line in row[::-1]]
    assert [without_spaces(line["text"]) for line in unturned(page)] == expected
    # Once the page itself is turned, they come in the order in which they are read.
    assert [without_spaces(line["text"]) for line in read(page)] == expected[::-1]


@pytest.mark.thorough_with_paddle
def test_one_upside_down_line_leaves_the_others_as_they_are(read: Reader) -> None:
    upright = [Placed("Departures today", 60, 50, 36), Placed("No smoking please", 60, 250, 36)]
    upright += [Placed("6109", 620, 50, 40), Placed("1960", 620, 250, 40)]
    page = draw_page(upright, 900, 320)
    page[148:192, 50:410] = rotate(draw_page([Placed(CHINESE, 5, 4, 36)], 360, 44), 180)
    assert [without_spaces(line["text"]) for line in read(page)] == [
        "Departurestoday", "6109", CHINESE, "Nosmokingplease", "1960",
    ]  # fmt: skip


@pytest.mark.thorough_with_paddle
def test_each_picture_is_turned_independently(services: dict[str, Service]) -> None:
    pages = [draw_page(row, 900, 320) for row in ROWS]
    pages[1] = rotate(pages[1], 180)
    answers = services["ocr_system"].run(pages, Stopwatch())
    assert [[without_spaces(line["text"]) for line in lines] for lines in answers] == [
        ["Departurestoday", "6886"], ["8668", CHINESE], ["Total12.50", "06:08"],
    ]  # fmt: skip


def test_lines_that_read_well_are_not_classified(services: dict[str, Service]) -> None:
    watch = Stopwatch()
    services["ocr_system"].run([draw_page([line for row in ROWS for line in row], 900, 320)], watch)
    assert "rec_engine" in watch.seconds
    assert "cls_engine" not in watch.seconds


@pytest.mark.thorough_with_paddle
def test_upright_lines_that_the_classifier_would_turn_stay_upright(
    services: dict[str, Service], read: Reader, unclassified: Reader, shared_data: Path
) -> None:
    tempting = 0
    for name in ("008", "048", "112"):
        image = decode_picture((shared_data / "receipts" / f"{name}.jpg").read_bytes(), 100_000_000)
        lines = unclassified(image)
        crops = [crop_quadrangle(image, np.array(line["text_region"], dtype=np.float32)) for line in lines]
        angles = services["ocr_cls"].run(crops, Stopwatch())[0]
        tempting += sum(angle["angle"] == "180" and angle["confidence"] > 0.9 for angle in angles)
        assert read(image) == lines
    assert tempting >= 4


@pytest.mark.thorough_with_paddle
def test_pictures_are_read_in_portions(services: dict[str, Service], monkeypatch: pytest.MonkeyPatch) -> None:
    images = [draw_page([Placed(f"Gate {number}", 40, 40), Placed("出口", 40, 120)], 320, 224) for number in range(5)]
    together = services["ocr_system"].run(images, Stopwatch())
    monkeypatch.setattr("ppocr_serving.vision.pipeline._PORTION_LINES", 3)
    begun: list[str] = []
    in_portions = services["ocr_system"].run(images, Stopwatch(begun.append))
    assert [[line["text"] for line in lines] for lines in in_portions] == [
        [line["text"] for line in lines] for lines in together
    ]
    first_read = begun.index("rec_engine")
    assert "det_engine" in begun[first_read:]  # some are read before the last one is looked at
