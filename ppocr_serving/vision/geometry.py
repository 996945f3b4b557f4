"""Quadrangles in pictures.

Coordinates are pixels, x to the right, y down, origin top left. The four corners of a quadrangle run clockwise (as
displayed) from the text's top left.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_serving.vision.pictures import BgrImage

__all__ = ["BoxArray", "crop_quadrangle", "order_clockwise", "reading_order"]

BoxArray = npt.NDArray[np.float32]
"""(N, 4, 2) float32 quadrangles; N may be 0."""

ROW_TOLERANCE = 10
"""Boxes whose top edges differ by less than this many pixels are in one row."""

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
    """Order boxes top to bottom and, within a row, left to right.

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
    # In single precision, as PaddleOCR computes them.
    top, right, bottom, left = (
        float(np.float32(math.dist(start, end))) for start, end in zip(corners, (*corners[1:], corners[0]), strict=True)
    )
    width, height = max(1, int(max(top, bottom))), max(1, int(max(left, right)))
    crop = _cut_out(image, corners)
    if crop is None:
        target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
        transform = cv2.getPerspectiveTransform(box.astype(np.float32), target)
        crop = cv2.warpPerspective(
            image, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    return np.rot90(crop) if height >= TURN_RATIO * width else crop


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
