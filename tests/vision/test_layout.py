"""Reading order and paragraphs, of the boxes of typeset pages and of any boxes."""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.vision import columns as cutting
from ppocr_serving.vision.geometry import BoxArray, reading_order
from ppocr_serving.vision.layout import find_layout
from tests.typesetting import TypesetLine, boxes_of, column, tilt
from tests.vision.page_layouts import PAGES
from tests.vision.test_geometry import rectangle

COLUMNS = [name for name in PAGES if "columns" in name]
IN_ROWS = ("one column", "table of 4 x 5 cells", "table with closely set rows", "receipt")


def paragraphs_of(boxes: BoxArray) -> list[list[int]]:
    """Return the indices of the lines of each paragraph, in reading order; check that the layout has each line once."""
    layout = find_layout(boxes)
    order = layout.order.tolist()
    assert sorted(order) == list(range(len(boxes)))
    numbers = layout.paragraphs[layout.order]
    assert (np.diff(numbers, prepend=-1) <= 1).all()
    assert (np.diff(numbers) >= 0).all()
    return [[index for index in order if layout.paragraphs[index] == number] for number in np.unique(numbers).tolist()]


def shuffled(boxes: BoxArray, seed: int) -> tuple[BoxArray, list[int]]:
    """Return boxes in another order, and where each of them was."""
    places = np.random.default_rng(seed).permutation(len(boxes))
    return boxes[places], places.tolist()


def expected_paragraphs(name: str) -> list[list[int]]:
    numbers = iter(range(len(PAGES[name].lines)))
    return [[next(numbers) for _ in paragraph] for paragraph in PAGES[name].paragraphs]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("degrees", [0, 1, -2])
def test_pages_are_read_in_order_and_in_paragraphs(name: str, degrees: float) -> None:
    boxes, places = shuffled(tilt(boxes_of(PAGES[name].lines), degrees), seed=7)
    found = [[places[index] for index in paragraph] for paragraph in paragraphs_of(boxes)]
    assert found == expected_paragraphs(name)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("degrees", [3, 5, 7, -3, -5, -7])
def test_columns_of_slanted_pages_are_read_in_order(name: str, degrees: float) -> None:
    boxes, places = shuffled(tilt(boxes_of(PAGES[name].lines), degrees), seed=3)
    assert [places[index] for index in find_layout(boxes).order] == list(range(len(boxes)))


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("factor", [0.4, 3])
def test_the_order_does_not_depend_on_the_scale(name: str, factor: float) -> None:
    boxes = boxes_of(PAGES[name].lines) * np.float32(factor)
    assert find_layout(boxes).order.tolist() == list(range(len(boxes)))


@pytest.mark.parametrize("name", ["two columns", "receipt"])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_corners_that_begin_at_the_texts_top_left_say_how_a_page_is_turned(name: str, quarters: int) -> None:
    boxes = boxes_of(PAGES[name].lines)
    for _ in range(quarters):
        boxes = np.stack([-boxes[:, :, 1], boxes[:, :, 0]], axis=2)
    assert find_layout(boxes).order.tolist() == list(range(len(boxes)))


def test_rows_mix_columns() -> None:
    boxes = boxes_of(PAGES["two columns"].lines)
    assert reading_order(boxes).tolist() != list(range(len(boxes)))


@pytest.mark.parametrize("name", IN_ROWS)
def test_pages_without_columns_are_read_as_rows_are(name: str) -> None:
    boxes = boxes_of(PAGES[name].lines)
    assert find_layout(boxes).order.tolist() == reading_order(boxes).tolist()


def test_a_numbered_list_in_a_column_keeps_its_numbers() -> None:
    lines = []
    for number in range(8):
        top = 46 + 36 * number
        lines += [TypesetLine(f"{number + 1}.", 60, top + 24, 24), column(31 * number, 2, 110, top, 380, 24)[0]]
    boxes = boxes_of(lines + column(200, 8, 540, 46, 400, 24))
    assert find_layout(boxes).order.tolist() == list(range(len(boxes)))


def test_a_price_stays_in_its_row_however_long_the_receipt() -> None:
    random = Random(4)
    lines = []
    for row in range(60):
        lines.append(TypesetLine("Item " * random.randint(1, 4), 40, 60 + 30 * row, 20))
        lines.append(TypesetLine(f"{random.randint(1, 400)}.00", 400, 60 + 30 * row, 20))
    assert find_layout(boxes_of(lines)).order.tolist() == list(range(120))


# ---- paragraphs


def test_an_indented_line_begins_a_paragraph() -> None:
    boxes = boxes_of(
        [*column(0, 4, 60, 50, 500, 24, indent=True), *column(31, 3, 60, 50 + 4 * 36, 500, 24, indent=True)]
    )
    assert paragraphs_of(boxes) == [[0, 1, 2, 3], [4, 5, 6]]


def test_items_whose_other_lines_are_indented_are_paragraphs() -> None:
    lines = []
    for item in range(3):
        first, second = column(31 * item, 3, 90, 50 + item * 72, 500, 24)[:2]
        lines += [first._replace(text=f"- {first.text}", x=60.0), second._replace(text=second.text[:20])]
    assert paragraphs_of(boxes_of(lines)) == [[0, 1], [2, 3], [4, 5]]


def test_a_heading_is_a_paragraph_for_its_height() -> None:
    boxes = boxes_of([TypesetLine("Winter market", 60, 80, 36), *column(0, 3, 60, 100, 500, 24)])
    assert paragraphs_of(boxes) == [[0], [1, 2, 3]]


def test_centred_lines_are_not_indented() -> None:
    lengths = (300, 180, 240)
    boxes = np.array([rectangle(300, 60 + 34 * row, length, 28) for row, length in enumerate(lengths)], np.float32)
    assert paragraphs_of(boxes) == [[0, 1, 2]]


# ---- any boxes


def test_no_boxes_have_a_layout() -> None:
    layout = find_layout(np.zeros((0, 4, 2), dtype=np.float32))
    assert (layout.order.shape, layout.paragraphs.shape) == ((0,), (0,))


PLACES = st.tuples(
    st.integers(0, 400),
    st.integers(0, 400),
    st.integers(0, 200),
    st.integers(0, 80),
    st.sampled_from([0, 0, 0, 2, 90, 200]),
)


@given(st.lists(PLACES, max_size=40), st.randoms(use_true_random=False))
def test_any_boxes_have_one_layout(places: list[tuple[int, int, int, int, int]], random: Random) -> None:
    boxes = np.array([rectangle(*place) for place in places], dtype=np.float32).reshape(-1, 4, 2)
    boxes = np.unique(np.round(boxes), axis=0)
    paragraphs = paragraphs_of(boxes)
    order = random.sample(range(len(boxes)), len(boxes))
    again = [[order[index] for index in paragraph] for paragraph in paragraphs_of(boxes[order])]
    assert again == paragraphs


@given(
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(20, 200),
    st.integers(8, 30),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=20),
)
def test_any_grid_with_anything_on_it_has_each_line_once(
    columns: int, rows: int, width: int, height: int, extra: list[tuple[int, int]]
) -> None:
    grid = [rectangle(x * 220 + 110, y * 32 + 20, width, height) for y in range(rows) for x in range(columns)]
    paragraphs_of(np.array([*grid, *(rectangle(*place, 90, 18) for place in extra)], dtype=np.float32))


def test_a_thousand_boxes_in_steps_end() -> None:
    # Each pair of them might be two columns.
    boxes = np.array([rectangle(40 * step, 40 * step, 30, 25) for step in range(1000)], dtype=np.float32)
    assert [index for paragraph in paragraphs_of(boxes) for index in paragraph] == list(range(1000))


def test_columns_are_looked_for_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    # Groups of three rows in four ragged columns, as far apart as groups of a page that are still read together.
    boxes = np.array(
        [
            rectangle(260 * column + 100, 30 * row + 22 * (row // 3) + 20, 200 if row % 3 == 0 else 40 + row % 7, 20)
            for row in range(250)
            for column in range(4)
        ],
        dtype=np.float32,
    )
    looked_at = 0
    find_columns = cutting._columns

    def count(rows: Sequence[cutting.Row], *rest: Any) -> list[cutting.Row]:
        nonlocal looked_at
        looked_at += sum(map(len, rows))
        return find_columns(rows, *rest)

    monkeypatch.setattr(cutting, "_columns", count)
    paragraphs_of(boxes)
    assert len(boxes) < looked_at <= cutting._MAX_EFFORT * len(boxes)
