"""Detection: the network's input, and the boxes decoded from its probability map."""

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.engines import Engine, Float32Array
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.detection import DetectionOptions, TextDetector, closer_size, decode, prepare
from ppocr_serving.vision.geometry import BoxArray, order_clockwise, reading_order
from ppocr_serving.vision.pictures import BgrImage
from tests.drawing import Placed, draw_page
from tests.matching import match_quadrangles
from tests.services import Service

DEFAULTS = DetectionOptions()
MEAN = np.array([0.485, 0.456, 0.406])
DEVIATION = np.array([0.229, 0.224, 0.225])


def blank(height: int, width: int) -> BgrImage:
    return np.full((height, width, 3), 255, dtype=np.uint8)


def rotated(x: float, y: float, width: float, height: float, degrees: float) -> npt.NDArray[np.float32]:
    corners: npt.NDArray[np.float32] = cv2.boxPoints(((x, y), (width, height), degrees))
    return corners


def probability_map(shape: tuple[int, int], *polygons: npt.NDArray[np.float32], value: float = 0.9) -> Float32Array:
    """Return a map that is `value` inside the polygons and 0 outside."""
    drawn = np.zeros(shape, dtype=np.float32)
    for polygon in polygons:
        cv2.fillPoly(drawn, [np.round(polygon).astype(np.int32)], (value,))
    return drawn


def decode_map(drawn: Float32Array, options: DetectionOptions = DEFAULTS) -> BoxArray:
    """Return the boxes in a picture of the same size as the map."""
    return decode(drawn, drawn.shape[0], drawn.shape[1], options)


# ---- prepare


@given(st.integers(1, 300), st.integers(1, 3000), st.sampled_from(["max", "min"]), st.sampled_from([64, 320]))
def test_sides_are_multiples_of_32(height: int, width: int, limit_type: str, limit: int) -> None:
    options = DetectionOptions(limit_side_len=limit, limit_type="max" if limit_type == "max" else "min")
    tensor = prepare(blank(height, width), options)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert tensor.shape[:2] == (1, 3)
    assert all(side >= 32 and side % 32 == 0 for side in tensor.shape[2:])


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (960, 640, (960, 640)),
        (700, 500, (704, 512)),  # each side to the nearest multiple of 32
        (720, 1280, (544, 960)),  # 540 x 960
        (2000, 1000, (960, 480)),
        (1920, 1920, (960, 960)),
        (64, 64, (64, 64)),
        (100, 200, (96, 192)),
    ],
)
def test_large_pictures_are_shrunk_and_others_only_rounded(height: int, width: int, expected: tuple[int, int]) -> None:
    assert prepare(blank(height, width), DEFAULTS).shape[2:] == expected


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (48, 192, (64, 256)),  # up to 64 pixels ...
        (40, 400, (64, 640)),
        (400, 40, (640, 64)),
        (16, 200, (64, 800)),
        (10, 200, (32, 800)),  # ... at up to four times the size ...
        (30, 8000, (64, 15680)),  # ... and to no more pixels than 960 x 960: sqrt(960² / (30 * 8000)) = 1.96
        (200, 6000, (64, 1920)),  # shrunk, but less than to 960
        (63, 900, (64, 928)),
    ],
)
def test_small_pictures_and_strips_are_enlarged(height: int, width: int, expected: tuple[int, int]) -> None:
    tensor = prepare(blank(height, width), DEFAULTS)
    assert tensor.shape[2:] == expected


@given(st.integers(1, 400), st.integers(1, 10_000))
def test_enlargement_is_limited(height: int, width: int) -> None:
    size = prepare(blank(height, width), DEFAULTS).shape[2:]
    # Four times, or 64 pixels.
    assert size[0] <= max(4 * height + 16, 64)
    assert size[1] <= max(4 * width + 16, 64)
    assert size[0] * size[1] <= 1.6 * 960 * 960


@pytest.mark.parametrize(("height", "width", "expected"), [(100, 300, (320, 960)), (500, 320, (512, 320))])
def test_the_limit_can_be_a_minimum(height: int, width: int, expected: tuple[int, int]) -> None:
    options = DetectionOptions(limit_side_len=320, limit_type="min")
    assert prepare(blank(height, width), options).shape[2:] == expected


def test_a_minimum_does_not_make_strips_huge() -> None:
    options = DetectionOptions(limit_side_len=960, limit_type="min")
    assert prepare(blank(2, 3000), options).nbytes < 100e6
    assert prepare(blank(500, 5000), options).shape[2:] == (384, 4000)
    assert prepare(blank(100, 100), options).shape[2:] == (960, 960)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_values_are_normalised_per_channel(value: int) -> None:
    tensor = prepare(np.full((64, 96, 3), value, dtype=np.uint8), DEFAULTS)
    expected = np.broadcast_to(((value / 255 - MEAN) / DEVIATION)[:, None, None], (3, 64, 96))
    np.testing.assert_allclose(tensor[0], expected, atol=1e-5)


def test_channels_stay_blue_green_red() -> None:
    image = np.zeros((64, 64, 3), dtype=np.uint8)
    image[:] = (255, 0, 51)
    np.testing.assert_allclose(prepare(image, DEFAULTS)[0, :, 5, 5], ([1, 0, 0.2] - MEAN) / DEVIATION, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (20, 30), (5, 40), (31, 32)])
def test_the_smallest_pictures_are_padded_with_black(shape: tuple[int, int]) -> None:
    # Up to the size from which pictures are enlarged as usual.
    height, width = max(32, shape[0]), max(32, shape[1])
    padded = np.zeros((height, width, 3), dtype=np.uint8)
    padded[: shape[0], : shape[1]] = 255
    np.testing.assert_array_equal(prepare(blank(*shape), DEFAULTS), prepare(padded, DEFAULTS))


def test_preparing_does_not_modify_the_picture() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    before = image.copy()
    prepare(image, DEFAULTS)
    np.testing.assert_array_equal(image, before)


# ---- decode


@given(
    st.floats(-40, 40),
    st.integers(80, 240),
    st.integers(20, 50),
    st.floats(1.0, 2.5),
)
def test_boxes_grow_by_area_times_ratio_over_perimeter(degrees: float, width: int, height: int, ratio: float) -> None:
    drawn = probability_map((600, 600), rotated(300, 300, width, height, degrees))
    (box,) = decode_map(drawn, DetectionOptions(unclip_ratio=ratio))
    # The drawn pixels differ from the given rectangle by up to a pixel on each side: the pixels count.
    shrunken = shapely.oriented_envelope(shapely.MultiPoint(np.argwhere(drawn)[:, ::-1]))
    distance = shrunken.area * ratio / shrunken.length
    # An offset with rounded corners spans the rectangle with mitred ones.
    expected = shrunken.buffer(distance, join_style="mitre")
    found = shapely.Polygon(box)
    assert found.intersection(expected).area / found.union(expected).area > 0.85
    corners = np.array(expected.exterior.coords)
    expected_sides = sorted(math.dist(corners[corner], corners[corner + 1]) for corner in range(4))
    sides = sorted(math.dist(box[corner], box[(corner + 1) % 4]) for corner in range(4))
    np.testing.assert_allclose(sides, expected_sides, atol=3)
    np.testing.assert_array_equal(box, order_clockwise(box[np.newaxis])[0])


rectangles = st.lists(
    st.builds(
        rotated,
        st.integers(-10, 330),
        st.integers(-10, 250),
        st.integers(1, 150),
        st.integers(1, 60),
        st.floats(0, 180),
    ),
    max_size=12,
)


@given(rectangles, st.integers(1, 900), st.integers(1, 900), st.booleans(), st.sampled_from(["fast", "slow"]))
def test_boxes_are_whole_pixels_inside_the_picture_in_reading_order(
    polygons: list[npt.NDArray[np.float32]], height: int, width: int, dilate: bool, mode: str
) -> None:
    options = DetectionOptions(use_dilation=dilate, score_mode="fast" if mode == "fast" else "slow")
    boxes = decode(probability_map((240, 320), *polygons), height, width, options)
    assert boxes.dtype == np.float32
    assert boxes.shape[1:] == (4, 2)
    assert (boxes == np.round(boxes)).all()
    assert (boxes >= 0).all()
    assert (boxes <= [width - 1, height - 1]).all()
    assert reading_order(boxes).tolist() == list(range(len(boxes)))


def test_boxes_are_scaled_to_the_picture() -> None:
    drawn = probability_map((160, 320), rotated(160, 80, 120, 30, 0))
    (small,) = decode(drawn, 160, 320, DEFAULTS)
    (large,) = decode(drawn, 480, 640, DEFAULTS)
    np.testing.assert_allclose(large, small * [2, 3], atol=3)


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_nothing_is_found_in_a_map_up_to_the_threshold(value: float) -> None:
    boxes = decode_map(np.full((96, 96), value, dtype=np.float32))
    assert boxes.shape == (0, 4, 2)
    assert boxes.dtype == np.float32


def test_a_map_that_is_all_text_is_one_box() -> None:
    (box,) = decode_map(np.ones((96, 160), dtype=np.float32))
    np.testing.assert_array_equal(box, [[0, 0], [159, 0], [159, 95], [0, 95]])


@pytest.mark.parametrize(("value", "count"), [(0.51, 1), (0.49, 0)])
def test_boxes_below_the_score_threshold_are_dropped(value: float, count: int) -> None:
    drawn = probability_map((200, 300), rotated(150, 100, 120, 30, 0), value=value)
    assert len(decode_map(drawn)) == count
    assert len(decode_map(drawn, DetectionOptions(box_thresh=0.45))) == 1


@pytest.mark.parametrize(("value", "count"), [(0.31, 1), (0.29, 0)])
def test_pixels_below_the_threshold_are_dropped(value: float, count: int) -> None:
    drawn = probability_map((200, 300), rotated(150, 100, 120, 30, 0), value=value)
    assert len(decode_map(drawn, DetectionOptions(box_thresh=0))) == count


def test_the_slow_score_counts_only_the_contour() -> None:
    # The corner of a frame: half of its bounding rectangle is empty, which the fast score includes.
    drawn = np.zeros((200, 300), dtype=np.float32)
    drawn[40:60, 40:240] = drawn[40:160, 40:60] = 0.9
    assert len(decode_map(drawn, DetectionOptions(score_mode="fast"))) == 0
    assert len(decode_map(drawn, DetectionOptions(score_mode="slow"))) == 1


def test_dilation_joins_regions_one_pixel_apart() -> None:
    drawn = probability_map((200, 300), rotated(150, 100, 120, 30, 0))
    drawn[:, 150] = 0
    assert len(decode_map(drawn)) == 2
    assert len(decode_map(drawn, DetectionOptions(use_dilation=True))) == 1


@pytest.mark.parametrize("size", [1, 2])
def test_specks_are_ignored(size: int) -> None:
    drawn = np.zeros((100, 100), dtype=np.float32)
    drawn[50 : 50 + size, 20:80] = 1
    assert len(decode_map(drawn)) == 0


def test_at_most_1000_boxes_are_returned() -> None:
    drawn = np.zeros((960, 960), dtype=np.float32)
    for top in range(2, 940, 16):
        for left in range(2, 930, 32):
            drawn[top : top + 6, left : left + 20] = 1
    assert len(decode_map(drawn)) == 1000


def test_decoding_does_not_modify_the_map() -> None:
    drawn = probability_map((200, 300), rotated(150, 100, 120, 30, 10))
    before = drawn.copy()
    decode_map(drawn, DetectionOptions(use_dilation=True))
    np.testing.assert_array_equal(drawn, before)


# ---- with the real network


@pytest.fixture(scope="module")
def detector(services: dict[str, Service]) -> TextDetector:
    return TextDetector(services["ocr_det"].engines[0])


class _Recorder:
    """An engine that remembers the shapes of its inputs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.load = engine.load
        self.run = engine.run
        self.release_memory = engine.release_memory
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, inputs: Float32Array) -> Float32Array:
        self.shapes.append(inputs.shape[2:])
        return self._engine(inputs)


@pytest.fixture
def recorder(services: dict[str, Service]) -> _Recorder:
    return _Recorder(services["ocr_det"].engines[0])


CLOSER = DetectionOptions(closer_side_len=1600)


@pytest.mark.thorough_with_paddle
@pytest.mark.parametrize("shape", [(1, 1_000_000), (4, 1_000_000), (300_000, 2), (40, 60_000)])
def test_strips_stay_within_the_limit_of_pixels(recorder: _Recorder, shape: tuple[int, int]) -> None:
    image = blank(*shape)
    image[:1, :1] = image[-1:, -1:] = 0  # ink at both ends
    TextDetector(recorder)(image, CLOSER, Stopwatch())
    assert recorder.shapes
    assert max(height * width for height, width in recorder.shapes) <= 6_000_000  # 4 million before sides are rounded


@pytest.mark.thorough_with_paddle
def test_pictures_within_pictures_are_looked_at_a_few_times(recorder: _Recorder) -> None:
    image = blank(6000, 6000)
    for level in range(1, 12):  # each a rectangle in the middle of the one before, dark and light in turn
        edge = round(3000 * (1 - 1 / 1.3**level))
        image[edge:-edge, edge:-edge] = 255 * (level % 2 == 0)
    TextDetector(recorder)(image, CLOSER, Stopwatch())
    assert 1 < len(recorder.shapes) <= 9


@pytest.mark.parametrize("size", [12, 20, 40, 80])
def test_drawn_lines_are_found_where_they_are(detector: TextDetector, size: int) -> None:
    placed = [Placed("Departures today", 80, 60 + row * 3 * size, size) for row in range(3)]
    page = draw_page(placed, 900, 9 * size + 160)
    boxes = detector(page, DEFAULTS, Stopwatch())
    ink_rows = [
        np.argwhere((page[line.y - 2 : line.y + int(1.3 * size), :] < 128).any(axis=2)) + np.array([line.y - 2, 0])
        for line in placed
    ]
    drawn = []
    for ink in ink_rows:
        (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0)
        drawn.append([(left, top), (right, top), (right, bottom), (left, bottom)])
    pairs = match_quadrangles(drawn, list(boxes), min_iou=0.5)
    assert len(pairs) == len(boxes) == len(placed)
    assert all(pair.expected == pair.found for pair in pairs)


def test_the_stopwatch_records_the_stages(detector: TextDetector) -> None:
    watch = Stopwatch()
    detector(blank(64, 64), DEFAULTS, watch)
    assert list(watch.seconds) == ["det_prepare", "det_engine", "det_decode"]


# ---- the second look

CLOSER = DetectionOptions(closer_side_len=1600)


def lines_of(*heights: float) -> BoxArray:
    """Return boxes of those heights, 200 pixels wide, below each other."""
    return np.stack([rotated(120, 40 + 50 * row, 200, height, 0) for row, height in enumerate(heights)])


@pytest.mark.parametrize(
    ("shape", "heights", "scale", "expected"),
    [
        ((1600, 1200), (20, 20, 20), 0.6, (1600, 1216)),  # 12 pixels for the network, 20 at full size
        ((3200, 2400), (40, 40, 40), 0.3, (1600, 1216)),  # 12; 28 would take 2240
        ((1600, 1200), (27, 27, 27), 0.6, None),  # more than 16
        ((400, 300), (15, 30, 30), 1.0, (768, 576)),  # enlarged, as its smallest tenth needs it
        ((400, 300), (6, 6, 6), 1.0, (768, 576)),  # to twice its size at most
        ((1000, 800), (14, 14, 14), 0.96, None),  # was shrunk a little, and has hardly more to show
        ((1600, 1200), (), 0.6, None),
    ],
)
def test_a_second_look_is_as_close_as_small_lines_need(
    shape: tuple[int, int], heights: tuple[float, ...], scale: float, expected: tuple[int, int] | None
) -> None:
    boxes = lines_of(*heights) if heights else np.zeros((0, 4, 2), dtype=np.float32)
    assert closer_size(shape, boxes, scale, CLOSER) == expected
    assert closer_size(shape, boxes, scale, DEFAULTS) is None


def test_a_second_look_finds_small_lines(detector: TextDetector) -> None:
    words = [Placed(f"Invoice {row}", x, 20 + 18 * row, size=12) for row in range(20) for x in (30, 150, 270, 390)]
    page = draw_page(words, 1800, 2400)
    watch = Stopwatch()

    once, twice = (len(detector(page, options, watch)) for options in (DEFAULTS, CLOSER))

    assert once < twice == len(words)


def test_what_is_large_enough_is_looked_at_once(detector: TextDetector) -> None:
    page = draw_page([Placed("Departures", 30, 30)], 400, 120)
    once, twice = (detector(page, options, Stopwatch()).tolist() for options in (DEFAULTS, CLOSER))
    assert once == twice != []
