"""Quadrangles: corner order, reading order, crops."""

import itertools
import math
from collections.abc import Callable
from random import Random

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ppocr_serving.vision.geometry import (
    ROW_TOLERANCE,
    TURN_RATIO,
    BoxArray,
    crop_quadrangle,
    order_clockwise,
    paddleocr_order,
    reading_order,
    widen,
)

PICTURE = np.random.default_rng(5).integers(0, 256, (60, 90, 3), dtype=np.uint8)


def rectangle(x: float, y: float, width: float, height: float, degrees: float = 0) -> npt.NDArray[np.float32]:
    """Return a rectangle around (x, y), turned clockwise; its corners run clockwise from the former top left."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    corners = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    placed: npt.NDArray[np.float32] = (corners @ turn + [x, y]).astype(np.float32)
    return placed


def signed_area(corners: npt.NDArray[np.float32]) -> float:
    """Positive where the corners run clockwise as seen, with y down (shoelace formula)."""
    x, y = corners[:, 0].astype(float), corners[:, 1].astype(float)
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


@given(
    st.floats(-44, 44),
    st.integers(20, 400),
    st.integers(8, 100),
    st.permutations(range(4)),
)
def test_corners_of_text_run_clockwise_from_its_top_left(
    degrees: float, width: int, height: int, order: list[int]
) -> None:
    assume(width > 1.2 * height)
    corners = rectangle(500, 500, width, height, degrees)
    np.testing.assert_array_equal(order_clockwise(corners[np.newaxis, order]), corners[np.newaxis])


@given(hnp.arrays(np.float32, (4, 2), elements=st.integers(-1000, 1000).map(float)))
def test_ordering_keeps_the_corners(points: npt.NDArray[np.float32]) -> None:
    (ordered,) = order_clockwise(points[np.newaxis])
    assert sorted(map(tuple, ordered.tolist())) == sorted(map(tuple, points.tolist()))
    sums = ordered.sum(axis=1)
    assert sums[0] == sums.min()


@given(st.floats(0, 360), st.integers(10, 200), st.integers(10, 200), st.permutations(range(4)))
def test_rectangles_at_any_angle_run_clockwise(degrees: float, width: int, height: int, order: list[int]) -> None:
    (ordered,) = order_clockwise(rectangle(500, 500, width, height, degrees)[np.newaxis, order])
    assert signed_area(ordered) == pytest.approx(width * height, rel=1e-3)


@given(st.sampled_from([45, 135, 225, 315]), st.floats(-1, 1), st.integers(20, 200), st.integers(10, 20))
def test_the_sides_of_rounded_rectangles_do_not_cross(diagonal: int, turn: float, width: int, height: int) -> None:
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):  # two corners may have the same x + y, or a pixel more or less
        corners = np.round(rectangle(500, 500, width, height, diagonal + turn))
        (ordered,) = order_clockwise(corners[np.newaxis, order])
        assert signed_area(ordered) == pytest.approx(signed_area(corners))


def boxes_at(corners: list[tuple[int, int]]) -> npt.NDArray[np.float32]:
    """Boxes of 30 x 12 pixels with the given top left corners."""
    return np.array([rectangle(x + 15, y + 6, 30, 12) for x, y in corners], dtype=np.float32).reshape(-1, 4, 2)


def slow_paddleocr_order(corners: list[tuple[int, int]]) -> list[int]:
    """Apply the rule by insertion: from the top, each box moves left past boxes of its row that are further right."""
    order = sorted(range(len(corners)), key=lambda index: (corners[index][1], corners[index][0]))
    for end in range(1, len(order)):
        for place in range(end, 0, -1):
            (left_x, left_y), (right_x, right_y) = corners[order[place - 1]], corners[order[place]]
            if not (abs(left_y - right_y) < ROW_TOLERANCE and right_x < left_x):
                break
            order[place - 1], order[place] = order[place], order[place - 1]
    return order


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=14))
def test_paddleocrs_order_agrees_with_its_rule(corners: list[tuple[int, int]]) -> None:
    order = paddleocr_order(boxes_at(corners)).tolist()
    assert sorted(order) == list(range(len(corners)))
    assert [corners[index] for index in order] == [corners[index] for index in slow_paddleocr_order(corners)]


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_paddleocrs_order_is_row_by_row_where_rows_are_far_apart(row_lengths: list[int], random: object) -> None:
    corners = [(column * 40, row * 40) for row, length in enumerate(row_lengths) for column in range(length)]
    # Within a row the tops wobble by less than the tolerance.
    shuffled = [(x, y + (x * 7 + y) % ROW_TOLERANCE) for x, y in corners]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ordered = [shuffled[index] for index in paddleocr_order(boxes_at(shuffled))]
    assert [(x, y // 40) for x, y in ordered] == [(x, y // 40) for x, y in corners]


@pytest.mark.parametrize(("step", "order"), [(ROW_TOLERANCE - 1, [1, 0]), (ROW_TOLERANCE, [0, 1])])
def test_paddleocrs_row_tolerance_is_exclusive(step: int, order: list[int]) -> None:
    assert paddleocr_order(boxes_at([(100, 0), (0, step)])).tolist() == order


@pytest.mark.parametrize("order", [reading_order, paddleocr_order])
def test_the_order_of_no_boxes_is_empty(order: Callable[[BoxArray], npt.NDArray[np.intp]]) -> None:
    assert order(np.zeros((0, 4, 2), dtype=np.float32)).shape == (0,)


# ---- reading order


def table(rows: int, columns: int, height: float) -> BoxArray:
    """Cells in reading order: words of one height and several widths, a line apart."""
    cells = itertools.product(range(rows), range(columns))
    return np.array(
        [
            rectangle((5 * column + 2) * height, (1.4 * row + 1) * height, (1.5 + (row + column) % 3) * height, height)
            for row, column in cells
        ],
        dtype=np.float32,
    )


@given(
    st.integers(10, 30),
    st.integers(1, 5),
    st.floats(8, 100),
    st.floats(-8, 8),
    st.randoms(use_true_random=False),
)
def test_rows_of_any_size_on_a_tilted_page_are_read_row_by_row(
    rows: int, columns: int, height: float, degrees: float, random: Random
) -> None:
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    # Boxes are whole pixels, and of lines with ascenders alone or descenders alone, neither top nor bottom is that of
    # the row.
    boxes = np.round(table(rows, columns, height) @ turn).astype(np.float32)
    wobble = [random.randint(-int(0.06 * height), int(0.06 * height)) for _ in boxes]
    boxes[:, :, 1] += np.array(wobble, dtype=np.float32)[:, np.newaxis]
    shuffled = random.sample(range(len(boxes)), len(boxes))
    assert [shuffled[index] for index in reading_order(boxes[shuffled])] == list(range(len(boxes)))


def test_a_column_that_is_half_a_line_lower_is_rows_of_its_own() -> None:
    # As in a table whose cells are centred: three lines beside two.
    left = [rectangle(100, y, 120, 20) for y in (50, 74, 98)]
    right = [rectangle(400, y, 120, 20) for y in (62, 86)]
    boxes = np.array([*left, *right], dtype=np.float32)
    assert reading_order(boxes).tolist() == [0, 3, 1, 4, 2]


def test_what_stands_below_is_not_in_the_row_of_a_tall_box_beside_it() -> None:
    logo = rectangle(40, 50, 60, 80)
    lines = [rectangle(200, y, 200, 20) for y in (45, 66)]
    assert reading_order(np.array([lines[1], logo, lines[0]], dtype=np.float32)).tolist() in ([2, 1, 0], [1, 2, 0])
    # Even if both middles are within the tolerance of the box beside them.
    near = [rectangle(200, y, 200, 12) for y in (49, 51)]
    assert reading_order(np.array([near[1], near[0]], dtype=np.float32)).tolist() == [1, 0]


def test_two_words_do_not_say_that_a_page_is_tilted() -> None:
    # As a detector found them: each seems to go down by a degree, which over their distance is a quarter of a line.
    right = [(644, 62), (814, 65), (813, 142), (642, 139)]
    left = [(64, 79), (286, 82), (285, 156), (63, 153)]
    assert reading_order(np.array([right, left], dtype=np.float32)).tolist() == [1, 0]


def test_a_row_may_be_bent() -> None:
    # A receipt that is not flat: its ends are more than half a line lower than its middle.
    offsets = [15, 10, 5, 0, 5, 10, 15]
    boxes = [rectangle(60 + 90 * column, y + offset, 70, 24) for y in (50, 90) for column, offset in enumerate(offsets)]
    shuffled = np.random.default_rng(3).permutation(len(boxes)).tolist()
    ordered = reading_order(np.array(boxes, dtype=np.float32)[shuffled])
    assert [shuffled[index] for index in ordered] == list(range(len(boxes)))


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 400), st.integers(1, 200), st.integers(1, 80), st.floats(0, 360)),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_any_boxes_have_one_order(places: list[tuple[int, int, int, int, float]], random: Random) -> None:
    boxes = np.array([rectangle(*place) for place in places], dtype=np.float32).reshape(-1, 4, 2)
    boxes = np.unique(np.round(boxes), axis=0)
    order = reading_order(boxes).tolist()
    assert sorted(order) == list(range(len(boxes)))
    shuffled = random.sample(range(len(boxes)), len(boxes))
    assert [shuffled[index] for index in reading_order(boxes[shuffled])] == order


# ---- crops


@given(st.integers(0, 60), st.integers(0, 40), st.integers(1, 30), st.integers(1, 20))
def test_an_upright_crop_is_a_slice(x: int, y: int, width: int, height: int) -> None:
    box = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float32)
    expected = PICTURE[y : y + height, x : x + width]
    if height >= TURN_RATIO * width:
        expected = np.rot90(expected)
    np.testing.assert_array_equal(crop_quadrangle(PICTURE, box), expected)


@given(hnp.arrays(np.float32, (4, 2), elements=st.integers(-20, 120).map(float)))
def test_crops_of_any_quadrangle_have_the_size_of_its_sides(box: npt.NDArray[np.float32]) -> None:
    # Collinear or coincident corners have no perspective: any picture of the right size will do.
    top, right, bottom, left = (math.dist(box[start], box[(start + 1) % 4]) for start in range(4))
    width, height = max(1, int(max(top, bottom))), max(1, int(max(left, right)))
    expected = (width, height) if height >= TURN_RATIO * width else (height, width)
    crop = crop_quadrangle(PICTURE, box)
    assert crop.dtype == np.uint8
    assert crop.shape == (*expected, 3)


@pytest.mark.parametrize(("width", "height", "turned"), [(20, 29, False), (20, 30, True), (10, 40, True)])
def test_tall_crops_are_turned_counter_clockwise(width: int, height: int, turned: bool) -> None:
    picture = np.zeros((60, 60, 3), dtype=np.uint8)
    picture[: height // 3, :width] = 255  # white at the top: at the left once turned
    crop = crop_quadrangle(picture, np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32))
    assert crop.shape[:2] == ((width, height) if turned else (height, width))
    assert crop[2, 2].tolist() == [255] * 3
    assert crop[-3, 2].tolist() == ([255] * 3 if turned else [0] * 3)
    assert crop[2, -3].tolist() == ([0] * 3 if turned else [255] * 3)


@pytest.mark.parametrize("degrees", [-40, -12, 7, 33])
def test_a_slanted_crop_is_straightened(degrees: float) -> None:
    y, x = np.mgrid[0:300, 0:300]
    box = rectangle(150, 150, 120, 40, degrees)
    angle = math.radians(degrees)
    along = (x - 150) * math.cos(angle) + (y - 150) * math.sin(angle)
    across = -(x - 150) * math.sin(angle) + (y - 150) * math.cos(angle)
    picture = np.stack([along + 128, across + 128, np.zeros_like(along)], axis=2).clip(0, 255).astype(np.uint8)
    crop = crop_quadrangle(picture, box).astype(int)
    assert abs(crop.shape[1] - 120) <= 1
    assert abs(crop.shape[0] - 40) <= 1
    # The first channel grows along the text and the second across it, by one per pixel.
    np.testing.assert_allclose(
        crop[5:-5, 5:-5, 0], np.arange(68, 68 + crop.shape[1])[None, 5:-5].repeat(crop.shape[0] - 10, 0), atol=3
    )
    np.testing.assert_allclose(
        crop[5:-5, 5:-5, 1], np.arange(108, 108 + crop.shape[0])[5:-5, None].repeat(crop.shape[1] - 10, 1), atol=3
    )


def test_a_crop_beyond_the_picture_repeats_its_edge() -> None:
    picture = np.full((20, 20, 3), 90, dtype=np.uint8)
    crop = crop_quadrangle(picture, np.array([[-10, -5], [30, -5], [30, 25], [-10, 25]], dtype=np.float32))
    assert (crop == 90).all()


def test_cropping_does_not_modify_the_picture() -> None:
    before = PICTURE.copy()
    crop = np.ascontiguousarray(crop_quadrangle(PICTURE, rectangle(40, 30, 30, 20)))
    cv2.rectangle(crop, (0, 0), (10, 10), (0, 0, 0), -1)
    np.testing.assert_array_equal(PICTURE, before)


@pytest.mark.parametrize(
    ("start", "rows", "columns"),
    [
        (0, slice(10, 40), slice(10, 40)),
        (1, slice(10, 40), slice(11, 41)),
        (2, slice(11, 41), slice(11, 41)),
        (3, slice(11, 41), slice(10, 40)),
    ],
)
def test_the_crop_starts_with_the_pixel_of_its_first_corner(start: int, rows: slice, columns: slice) -> None:
    # A square: none of these crops is turned for its height.
    box = np.array([[10, 10], [40, 10], [40, 40], [10, 40]], dtype=np.float32)
    crop = crop_quadrangle(PICTURE, np.roll(box, -start, axis=0))
    np.testing.assert_array_equal(crop, np.rot90(PICTURE[rows, columns], start))


# ---- widen


def test_a_strip_around_a_box_has_its_share_of_the_lower_side() -> None:
    box = rectangle(45, 30, 40, 20)
    assert widen(box, 0.1, PICTURE.shape).tolist() == [[23, 18], [67, 18], [67, 42], [23, 42]]
    assert widen(box, 0, PICTURE.shape) is box


def test_a_strip_runs_along_a_turned_box() -> None:
    wider = widen(rectangle(45, 30, 30, 10, degrees=90), 0.2, PICTURE.shape)
    assert wider.tolist() == rectangle(45, 30, 34, 14, degrees=90).tolist()


def test_a_strip_ends_at_the_edge_of_the_picture() -> None:
    wider = widen(rectangle(10, 10, 20, 20), 0.5, PICTURE.shape)
    assert wider.tolist() == [[0, 0], [30, 0], [30, 30], [0, 30]]


@given(st.integers(0, 80), st.integers(0, 50), st.floats(0, 1))
def test_a_box_without_an_area_stays_within_the_picture(x: int, y: int, margin: float) -> None:
    wider = widen(np.full((4, 2), (x, y), dtype=np.float32), margin, PICTURE.shape)
    assert wider.tolist() == [[x, y]] * 4
