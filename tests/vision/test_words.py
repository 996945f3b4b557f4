"""Words of lines: which they are, and where they stand in the picture."""

from statistics import fmean

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.words import Kind, draw, fit, kinds
from ppocr_serving import Reader, ReadOptions, Word
from ppocr_serving.engines import Runtime
from ppocr_serving.outputs.shapes import angle_of
from ppocr_serving.vision.geometry import crop_quadrangle
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.words import Character, Span, Spans, find_words, word_boxes
from tests.conftest import settings_for
from tests.drawing import BLACK, WHITE, Colour, Placed, draw_line, draw_page, rotate
from tests.services import POOL

WIDTH = 640
FIRST, SECOND = (ReadOptions(words=True, reread_score=score) for score in (0.0, 1.0))


@pytest.fixture(scope="module")
def reader() -> Reader:
    """The default reader, which has two recognisers."""
    return Reader(settings=settings_for(Runtime.OPENVINO), pool=POOL)


def bars(*ink: tuple[int, int], width: int = 200, colours: tuple[Colour, Colour] = (BLACK, WHITE)) -> BgrImage:
    """Draw a line with a bar of ink from each column to another."""
    line = np.empty((48, width, 3), np.uint8)
    line[:], foreground = colours[1], colours[0]
    for start, end in ink:
        line[10:38, start:end] = foreground
    return line


def words_of(line: BgrImage, *characters: tuple[str, float]) -> list[tuple[str, int, int]]:
    """Return the words of a line, and between which columns they are, given where the characters were seen."""
    found = find_words(line, WIDTH, [Character(text, 0.5, column / WIDTH) for text, column in characters])
    return [(word.text, round(word.start * line.shape[1]), round(word.end * line.shape[1])) for word in found]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" ", []),
        ("Total: 1,234.50 €", ["Total:", "1,234.50", "€"]),
        (" a  b ", ["a", "b"]),
        ("订单4711，OK", ["订", "单", "4711", "，", "OK"]),
        ("コーヒー２杯、々〇", ["コ", "ー", "ヒ", "ー", "２", "杯", "、", "々", "〇"]),
        ("ｶﾅ　𠮷野家", ["ｶ", "ﾅ", "𠮷", "野", "家"]),
        ("모든 인간은", ["모든", "인간은"]),
        ("naïve–ÀÉ", ["naïve–ÀÉ"]),
    ],
)
def test_words_are_what_spaces_divide_and_characters_of_scripts_without_spaces(text: str, words: list[str]) -> None:
    seen = [Character(character, 0.5, 8 * index / WIDTH) for index, character in enumerate(text)]
    assert [word.text for word in find_words(bars(), WIDTH, seen)] == words


def test_a_word_has_the_mean_confidence_of_its_characters() -> None:
    seen = [Character("a", 0.5, 0.1), Character("b", 1.0, 0.2), Character(" ", 0.0, 0.3), Character("c", 0.25, 0.4)]
    assert [word.confidence for word in find_words(bars(), WIDTH, seen)] == [0.75, 0.25]


def test_an_empty_entry_of_a_dictionary_belongs_to_its_word() -> None:
    line = bars((10, 30), (34, 50))
    assert words_of(line, ("a", 20), ("", 32), ("b", 44)) == [("ab", 10, 50)]


def test_the_parts_of_a_split_word_are_joined_even_if_both_are_empty_entries() -> None:
    empty, part = Span("", 0.9, 0.0, 0.5), Span("ab", 0.5, 0.5, 1.0)
    assert empty.joined_with(part) == Span("ab", 0.5, 0.0, 1.0)
    assert empty.joined_with(empty._replace(start=0.5, end=1.0)) == Span("", 0.0, 0.0, 1.0)


@pytest.mark.parametrize("colours", [(BLACK, WHITE), (WHITE, BLACK), ((120, 120, 120), (160, 160, 160))])
def test_words_begin_and_end_with_their_ink(colours: tuple[Colour, Colour]) -> None:
    line = bars((10, 30), (34, 50), (70, 90), (96, 120), colours=colours)
    seen = (("a", 20), ("b", 44), (" ", 60), ("c", 84), ("d", 100))
    assert words_of(line, *seen) == [("ab", 10, 50), ("cd", 70, 120)]


def test_words_part_at_the_widest_gap_between_their_characters() -> None:
    # The second bar is the rest of the first word's last letter.
    line = bars((10, 30), (32, 40), (50, 90))
    assert words_of(line, ("n", 20), (" ", 44), ("m", 70)) == [("n", 10, 40), ("m", 50, 90)]


def test_words_without_a_gap_part_in_the_middle() -> None:
    assert words_of(bars((10, 90)), ("a", 30), (" ", 50), ("b", 70)) == [("a", 10, 50), ("b", 50, 90)]


def test_an_underline_does_not_fill_the_gaps() -> None:
    line = bars((10, 50), (70, 120))
    line[42:44, 5:195] = 0
    assert words_of(line, ("a", 30), (" ", 60), ("b", 100)) == [("a", 10, 50), ("b", 70, 120)]


def test_characters_part_at_the_gap_near_the_middle_and_not_at_one_inside_a_character() -> None:
    # Each character has two parts, as 川 has three; the gaps inside are as wide as those between.
    line = bars((2, 16), (22, 38), (42, 56), (62, 78), (82, 96), (102, 118))
    assert words_of(line, ("八", 20), ("八", 60), ("八", 100)) == [("八", 2, 38), ("八", 42, 78), ("八", 82, 118)]


def test_a_character_seen_too_early_stands_where_its_neighbours_say() -> None:
    line = bars(*((40 * index, 40 * index + 36) for index in range(5)))
    seen = [("字", 40 * index + 18.0) for index in range(5)]
    seen[2] = ("字", seen[2][1] - 7)
    assert words_of(line, *seen) == [("字", 40 * index, 40 * index + 36) for index in range(5)]


@given(st.lists(st.tuples(st.sampled_from("ab 字"), st.floats(0, 1)), max_size=8), st.integers(1, 300))
def test_words_lie_in_their_line_one_after_the_other(seen: list[tuple[str, float]], width: int) -> None:
    places = sorted(place for _, place in seen)
    line = np.random.default_rng(width).integers(0, 256, (48, width, 3), np.uint8)
    middles = [place * width / WIDTH for place in places]
    words = find_words(line, WIDTH, [Character(text, 0.5, at) for (text, _), at in zip(seen, middles, strict=True)])
    borders = [border for word in words for border in (word.start, word.end)]
    assert borders == sorted(borders)
    assert all(0 <= border <= 1 for border in borders)


def box(*corners: tuple[int, int]) -> npt.NDArray[np.float32]:
    return np.array(corners, np.float32)


UPRIGHT = box((100, 50), (300, 50), (300, 90), (100, 90))
WORD = Spans((Span("a", 0.5, 0.25, 0.5),))


def test_words_are_as_high_as_their_line() -> None:
    assert word_boxes(WORD, UPRIGHT, (200, 400)) == (Word("a", 0.5, ((150, 50), (200, 50), (200, 90), (150, 90))),)


def test_words_of_a_line_that_runs_downwards() -> None:
    (word,) = word_boxes(WORD, box((50, 100), (90, 100), (90, 300), (50, 300)), (400, 200))
    assert word.box == ((50, 150), (90, 150), (90, 200), (50, 200))


def test_words_of_a_line_that_was_rotated_before_it_was_read() -> None:
    (word,) = word_boxes(WORD.upside_down(), UPRIGHT, (200, 400))
    assert word.box == ((200, 50), (250, 50), (250, 90), (200, 90))


def test_the_strip_around_a_line_is_not_part_of_it() -> None:
    # 4 pixels on each side, and 2 where the picture ends.
    middle, everything = word_boxes(Spans((Span("a", 0.5, 0.5, 1), Span("b", 0.5, 0, 1)), 0.1), UPRIGHT, (200, 303))
    assert middle.box == ((199, 50), (300, 50), (300, 90), (199, 90))
    assert everything.box == tuple((int(x), int(y)) for x, y in UPRIGHT)


def test_words_of_a_crop_that_was_drawn_out_at_one_end() -> None:
    picture = np.full((300, 900, 3), 255, np.uint8)
    picture[130:160, 440:460] = 0
    uneven = box((50, 120), (850, 130), (850, 160), (50, 180))
    line = crop_quadrangle(picture, uneven)
    _, start, end = words_of(line, ("a", 0))[0]
    assert abs((start + end) / 2 - line.shape[1] / 2) > 20  # the middle of the picture is not that of the crop
    (word,) = word_boxes(Spans((Span("a", 0.5, start / line.shape[1], end / line.shape[1]),)), uneven, picture.shape)
    assert [x for x, _ in word.box] == pytest.approx([440, 460, 460, 440], abs=2)


CORNERS = st.tuples(st.integers(0, 200), st.integers(0, 200))


@given(CORNERS, CORNERS, CORNERS, CORNERS, st.floats(0, 1), st.floats(0, 1), st.sampled_from([0, 0.1]))
def test_words_lie_in_the_rectangle_around_their_line(
    first: tuple[int, int],
    second: tuple[int, int],
    third: tuple[int, int],
    fourth: tuple[int, int],
    start: float,
    end: float,
    margin: float,
) -> None:
    line = box(first, second, third, fourth)
    assume(len({first, second, third, fourth}) == 4)  # the detector finds no other line
    for word in word_boxes(Spans((Span("a", 0.5, min(start, end), max(start, end)),), margin), line, (201, 201)):
        assert (np.array(word.box) >= line.min(axis=0)).all()
        assert (np.array(word.box) <= line.max(axis=0)).all()


def positions(reader: Reader, image: BgrImage, options: ReadOptions) -> list[tuple[str, tuple[int, int]]]:
    """Return each word of the only line with the left and right end of its box."""
    (line,) = reader.read(image, options).lines
    return [(word.text, (min(x for x, _ in word.box), max(x for x, _ in word.box))) for word in line.words]


def test_lines_have_words_only_if_requested_and_read_the_same(reader: Reader) -> None:
    page = draw_page([Placed("Platform 9", 50, 60), Placed("开往北京", 50, 160)], 500, 300)
    without, with_words = reader.read(page).lines, reader.read(page, ReadOptions(words=True)).lines
    assert [(line.text, line.confidence, line.box) for line in without] == [
        (line.text, line.confidence, line.box) for line in with_words
    ]
    assert [line.words for line in without] == [(), ()]
    assert [[word.text for word in line.words] for line in with_words] == [["Platform", "9"], list("开往北京")]


@pytest.mark.parametrize("options", [FIRST, SECOND])
def test_words_of_an_upside_down_line_are_in_the_order_of_the_text(reader: Reader, options: ReadOptions) -> None:
    image = draw_line("Departures and arrivals", margin=100)
    upright, turned = positions(reader, image, options), positions(reader, rotate(image, 180), options)
    assert [text for text, _ in turned] == [text for text, _ in upright] == ["Departures", "and", "arrivals"]
    for (_, (left, right)), (_, (turned_left, turned_right)) in zip(upright, turned, strict=True):
        assert (image.shape[1] - right, image.shape[1] - left) == pytest.approx((turned_left, turned_right), abs=6)


def test_boxes_of_an_upside_down_line_begin_at_its_own_start(reader: Reader) -> None:
    image = draw_page([Placed("Departures today", 60, 50, 36), Placed("No smoking please", 60, 250, 36)], 900, 320)
    image[148:192, 50:410] = rotate(draw_page([Placed("Delayed trains", 5, 4, 36)], 360, 44), 180)
    first, turned, last = reader.read(image, ReadOptions(words=True)).lines
    assert turned.text.replace(" ", "") == "Delayedtrains"
    assert [round(angle_of(line.box), -1) for line in (first, turned, last)] == [0, 180, 0]
    assert [round(angle_of(word.box), -1) for word in turned.words] == [180] * len(turned.words)
    start, end = turned.words[0].box[0], turned.words[-1].box[1]
    assert start[0] > end[0]
    # At the doors of PaddleOCR's contract they begin where its detector begins.
    (page,) = reader.pages([image], ReadOptions(words=True), text_corners=False)
    boxes = [line.box for line in page.lines]
    assert boxes == [first.box, turned.box[2:] + turned.box[:2], last.box]
    assert [word.box[2:] + word.box[:2] for word in page.lines[1].words] == [word.box for word in turned.words]


@pytest.mark.parametrize(("quarters", "angle"), [(1, -90), (3, 90)])
def test_boxes_of_a_line_on_its_side_begin_at_its_own_start(reader: Reader, quarters: int, angle: int) -> None:
    image = draw_page([Placed("Departures today", 60, 50, 36), Placed("No smoking please", 60, 350, 36)], 600, 420)
    image[20:400, 500:560] = np.rot90(draw_page([Placed("Delayed trains", 40, 12, 36)], 380, 60), quarters)
    lines = {line.text.replace(" ", ""): line for line in reader.read(image, ReadOptions(words=True)).lines}
    turned = lines["Delayedtrains"]
    assert [round(angle_of(line.box), -1) for line in lines.values()].count(0) == 2
    assert [round(angle_of(box)) for box in (turned.box, *(word.box for word in turned.words))] == [
        pytest.approx(angle, abs=3)
    ] * (1 + len(turned.words))
    start, end = turned.words[0].box[0], turned.words[-1].box[1]
    assert (start[1] < end[1]) == (angle > 0)
    # At the doors of PaddleOCR's contract they begin where its detector begins.
    (page,) = reader.pages([image], text_corners=False)
    box = next(line.box for line in page.lines if line.text == turned.text)
    assert set(box) == set(turned.box)
    assert box[0] == min(box, key=sum)


@pytest.mark.parametrize("options", [FIRST, SECOND])
def test_words_of_a_line_longer_than_the_recogniser_takes(reader: Reader, options: ReadOptions) -> None:
    text = " ".join(f"{number} platform" for number in range(100, 124))
    image = draw_line(text, size=12, margin=10)
    (line,) = reader.read(image, options).lines
    middles = [word.box[0][0] + word.box[1][0] for word in line.words]
    assert middles == sorted(middles)
    last = next(word for word in reversed(line.words) if word.text == "platform")
    assert last.box[1][0] == pytest.approx(image.shape[1] - 10, abs=8)


SOME_KINDS = [kind for kind in kinds() if kind.name in ("16 pixels", "40 pixels", "slanted by 5°", "underlined")]


SCRIPTS = (("Latin", FIRST), ("Latin", SECOND), ("Chinese", FIRST), ("Chinese", SECOND), ("Japanese", SECOND))


@pytest.mark.parametrize(
    ("script", "options", "kind"),
    [
        # Each script and each kind is among those that always run.
        pytest.param(*script, kind, id=kind.name, marks=[pytest.mark.thorough] * ((row - column) % 4 != 0))
        for row, script in enumerate(SCRIPTS)
        for column, kind in enumerate(SOME_KINDS)
    ],
)
def test_boxes_of_drawn_words_fit(reader: Reader, script: str, options: ReadOptions, kind: Kind) -> None:
    fits = [fit(page, reader.read(page.image, options).lines) for page in draw(script, kind)]
    assert fmean(iou for page in fits for iou in page.along) > 0.88


def test_a_box_in_the_wrong_place_does_not_fit(reader: Reader) -> None:
    page = next(draw("Chinese", Kind("level")))
    lines = reader.read(np.roll(page.image, 20, axis=1), FIRST).lines
    assert fmean(fit(page, lines).along) < 0.5
    assert fmean(fit(page, ()).along) == 0
