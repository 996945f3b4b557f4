"""Quadrangles in pictures.

Coordinates are pixels, x to the right, y down, origin top left. The four corners of a quadrangle run clockwise (as
displayed) from the text's top left.
"""

import math
import statistics
from bisect import bisect_left, insort
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_serving.vision.pictures import BgrImage

__all__ = [
    "ROW_TOLERANCE",
    "TURN_RATIO",
    "BoxArray",
    "crop_quadrangle",
    "group_rows",
    "is_turned",
    "order_clockwise",
    "paddleocr_order",
    "page_slope",
    "reading_order",
    "widen",
]

BoxArray = npt.NDArray[np.float32]
"""(N, 4, 2) float32 quadrangles; N may be 0."""

ROW_TOLERANCE = 10
"""PaddleOCR's order: boxes whose top edges differ by less than this many pixels are in one row."""

_ROW_SHARE = 0.25  # of the lower box's height; docs/engineering.md has what others give
_MAX_STACKED = 0.5  # of the narrower box's width; what overlaps by more stands above or below, not beside
_LEVEL = 20.0  # heights of a line: a page is level unless boxes that are wider together say that it is not
_MAX_SLOPE = math.tan(math.radians(20))  # text that runs more steeply says nothing about how a page is tilted

TURN_RATIO = 1.5
"""A crop at least this many times as high as wide is text that runs downwards, and is rotated."""


def order_clockwise(boxes: BoxArray) -> BoxArray:
    """Order the corners of quadrangles clockwise from their top left, the corner with the smallest x + y.

    PaddleOCR takes the corner with the largest x + y for the opposite one. At 45° two corners share it, or rounding
    decides, so that opposite sides may cross there.

    Args:
        boxes: (N, 4, 2) float32, corners in any order.

    Returns:
        (N, 4, 2) float32, the same corners.
    """
    offsets = boxes - boxes.mean(axis=1, keepdims=True)
    around = np.arctan2(offsets[:, :, 1], offsets[:, :, 0]).argsort(axis=1, kind="stable")
    rows = np.arange(len(boxes))[:, np.newaxis]
    first = boxes[rows, around].sum(axis=2).argmin(axis=1)
    ordered: BoxArray = boxes[rows, around[rows, (first[:, np.newaxis] + np.arange(4)) % 4]]
    return ordered


def reading_order(boxes: BoxArray) -> npt.NDArray[np.intp]:
    """Order boxes by rows from top to bottom and, within a row, from left to right.

    Two neighbours are in one row if their middles differ in height by less than a quarter of the lower box's height,
    seen along the lines of the page, which may be tilted. So the order does not change with the picture's scale. Pages
    with several columns are not recognised as such; `layout.find_layout` does that.

    Args:
        boxes: (N, 4, 2) float32, clockwise from the top left.

    Returns:
        (N,) indices into `boxes`.
    """
    return np.array([index for row in group_rows(boxes) for index in row], dtype=np.intp)


def group_rows(boxes: BoxArray) -> list[list[int]]:
    """Return the rows of `reading_order` from top to bottom, each with indices into `boxes` from left to right.

    Args:
        boxes: (N, 4, 2) float32, clockwise from the top left.
    """
    rows = _Rows(boxes)
    for index in rows.from_top_to_bottom:
        rows.add(index)
    return [[index for _, index in row] for row in rows.rows]


class _Rows:
    """Rows of boxes, built from top to bottom.

    Attributes:
        from_top_to_bottom: Indices of the boxes, in the order in which they have to be added.
        rows: Left edge and index of the boxes of each row, from left to right.
    """

    def __init__(self, boxes: BoxArray) -> None:
        x, y = boxes[:, :, 0], boxes[:, :, 1]
        height = _heights(boxes)
        left, middle = x.min(axis=1), (y - page_slope(boxes) * x).mean(axis=1)
        # Lists, because a number of an array takes ten times as long to get at.
        self._left: list[float] = left.tolist()
        self._right: list[float] = x.max(axis=1).tolist()
        self._middle: list[float] = middle.tolist()
        self._height: list[float] = height.tolist()
        self._row_of: dict[int, list[tuple[float, int]]] = {}
        # The corners come last, so that the order of two boxes never depends on their places in the array.
        self.from_top_to_bottom: list[int] = np.lexsort((*boxes.reshape(-1, 8).T, left, middle)).tolist()
        self.rows: list[list[tuple[float, int]]] = []

    def add(self, index: int) -> None:
        """Add a box to the row of the nearest one above its middle that has room for it, or begin a row."""
        row = self._find_row(index)
        if row is None:
            row = []
            self.rows.append(row)
        insort(row, (self._left[index], index))
        self._row_of[index] = row

    def _find_row(self, index: int) -> list[tuple[float, int]] | None:
        refused = set()
        for other in reversed(self._row_of):
            if self._middle[index] - self._middle[other] >= _ROW_SHARE * self._height[index]:
                break
            row = self._row_of[other]
            if id(row) not in refused:
                if self._has_room(row, index):
                    return row
                refused.add(id(row))
        return None

    def _has_room(self, row: list[tuple[float, int]], index: int) -> bool:
        place = bisect_left(row, (self._left[index], index))
        neighbours = [other for _, other in row[max(0, place - 1) : place + 1]]
        gaps = [self._gap(index, other) for other in neighbours]
        width = self._right[index] - self._left[index]
        for other, gap in zip(neighbours, gaps, strict=True):
            if -gap > _MAX_STACKED * min(width, self._right[other] - self._left[other]):
                return False
        # The nearer neighbour alone, because a row may be bent, as the paper that it is printed on.
        nearer = neighbours[gaps.index(min(gaps))]
        lower = min(self._height[index], self._height[nearer])
        return abs(self._middle[index] - self._middle[nearer]) < _ROW_SHARE * lower

    def _gap(self, first: int, second: int) -> float:
        return max(self._left[first] - self._right[second], self._left[second] - self._right[first])


def _heights(boxes: BoxArray) -> npt.NDArray[np.float32]:
    heights: npt.NDArray[np.float32] = np.linalg.norm(boxes[:, [3, 2]] - boxes[:, [0, 1]], axis=2).mean(axis=1)
    return heights


def page_slope(boxes: BoxArray) -> float:
    """Return how many pixels the lines of a page go down per pixel to the right: the median, wide boxes counting most.

    The slope of a short box is mostly chance, so few of them, far apart, must not say which is higher.

    Args:
        boxes: (N, 4, 2) float32, clockwise from the top left.
    """
    across = (boxes[:, 1] - boxes[:, 0] + boxes[:, 2] - boxes[:, 3]) / 2
    across = across[np.abs(across[:, 1]) < _MAX_SLOPE * across[:, 0]]
    if not len(across):
        return 0.0
    slopes = np.append(across[:, 1] / across[:, 0], 0)
    widths = np.append(across[:, 0], _LEVEL * statistics.median(_heights(boxes).tolist()))
    order = slopes.argsort()
    sums = widths[order].cumsum()
    return float(slopes[order[sums.searchsorted(sums[-1] / 2)]])


def paddleocr_order(boxes: BoxArray) -> npt.NDArray[np.intp]:
    """Order boxes as PaddleOCR does: top to bottom and, within a row, left to right.

    Boxes are sorted by their top left corner; then each is moved before its predecessors as long as those are in the
    same row (`ROW_TOLERANCE`) and further right. Rows may therefore chain down a slanted line of text.

    Args:
        boxes: (N, 4, 2) float32, clockwise from the top left.

    Returns:
        (N,) indices into `boxes`.
    """
    order = np.lexsort((boxes[:, 0, 0], boxes[:, 0, 1]))
    x, y = boxes[:, 0, 0].tolist(), boxes[:, 0, 1].tolist()
    ordered: list[int] = []
    for index in order.tolist():
        place = len(ordered)
        while place and abs(y[index] - y[ordered[place - 1]]) < ROW_TOLERANCE and x[index] < x[ordered[place - 1]]:
            place -= 1
        ordered.insert(place, index)
    return np.array(ordered, dtype=np.intp)


def widen(box: npt.NDArray[np.float32], margin: float, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return a quadrangle with a strip around it, within its picture.

    Args:
        box: (4, 2) float32, clockwise from the text's top left.
        margin: Width of the strip, as a share of the box's shorter side.
        shape: Height and width of the picture in pixels.

    Returns:
        (4, 2) float32 with integer pixels; `box` itself if there is no strip.
    """
    along, down = (box[1] - box[0] + box[2] - box[3]) / 2, (box[3] - box[0] + box[2] - box[1]) / 2
    length, height = float(np.hypot(*along)), float(np.hypot(*down))
    strip = margin * min(length, height)
    if not strip:
        return box
    along, down = along * (strip / length), down * (strip / height)
    wider = box + np.stack([-along - down, along - down, along + down, down - along])
    widest = np.array([shape[1] - 1, shape[0] - 1])
    clipped: npt.NDArray[np.float32] = np.clip(np.round(wider), 0, widest).astype(np.float32)
    return clipped


def crop_quadrangle(image: BgrImage, box: npt.NDArray[np.float32]) -> BgrImage:
    """Cut a quadrangle out of a picture and straighten it.

    Uses cubic interpolation, and repeats the edge of the picture outside it. A crop at least `TURN_RATIO` times as high
    as wide is rotated by 90° counter-clockwise, so that vertical lines become horizontal.

    Args:
        image: (H, W, 3) uint8.
        box: (4, 2) float32, clockwise from the text's top left.

    Returns:
        (h, w, 3) uint8 with h and w at least 1: the longer of each pair of opposite sides, rounded down.
    """
    corners = [(x, y) for x, y in box.tolist()]
    width, height = _crop_size(corners)
    crop = _cut_out(image, corners)
    if crop is None:
        target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
        transform = cv2.getPerspectiveTransform(box.astype(np.float32), target)
        crop = cv2.warpPerspective(
            image, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    return np.rot90(crop) if height >= TURN_RATIO * width else crop


def is_turned(box: npt.NDArray[np.float32]) -> bool:
    """Return whether `crop_quadrangle` rotates the crop of a quadrangle, so that its second corner is the top left.

    Args:
        box: (4, 2) float32, clockwise.
    """
    width, height = _crop_size([(x, y) for x, y in box.tolist()])
    return height >= TURN_RATIO * width


def _crop_size(corners: Sequence[tuple[float, float]]) -> tuple[int, int]:
    # In single precision, as PaddleOCR computes them.
    top, right, bottom, left = (
        float(np.float32(math.dist(start, end))) for start, end in zip(corners, (*corners[1:], corners[0]), strict=True)
    )
    return max(1, int(max(top, bottom))), max(1, int(max(left, right)))


def _cut_out(image: BgrImage, corners: Sequence[tuple[float, float]]) -> BgrImage | None:
    """Return the pixels of an axis-aligned rectangle, which need no interpolation; None for any other shape."""
    (left, top), (right, bottom) = corners[0], corners[2]
    if corners != [(left, top), (right, top), (right, bottom), (left, bottom)]:
        return None
    if not (0 <= left < right <= image.shape[1] and 0 <= top < bottom <= image.shape[0]):
        return None
    if not all(value.is_integer() for value in (left, top, right, bottom)):
        return None
    # A copy, so that the crop does not keep the entire picture in memory.
    return image[int(top) : int(bottom), int(left) : int(right)].copy()
