"""Sizes, angles and rectangles of boxes.

Boxes are four corners in pixels of the page's picture, x to the right and y down, clockwise as displayed, starting at
the text's top left. Angles are degrees clockwise as displayed; 0 is a line that runs to the right.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from ppocr_serving.results import Box, Line, Page, Point

__all__ = ["Rectangle", "Size", "angle_of", "confidence_of", "enclosing_box", "rectangle_of", "runs_down", "size_of"]

_TALL = 1.5  # a box this much higher than wide holds more than one character only if they stand below each other
_CONFIDENCE_DIGITS = 4


class Rectangle(NamedTuple):
    """An upright rectangle; right and bottom are the first pixels outside of it, so that the width is their distance.

    Attributes:
        left: Pixels.
        top: Pixels.
        right: Pixels, not less than left.
        bottom: Pixels, not less than top.
    """

    left: int
    top: int
    right: int
    bottom: int


class Size(NamedTuple):
    """Width along the text's own horizontal, and height across it, in pixels."""

    width: float
    height: float


def size_of(box: Box) -> Size:
    """Return the size of a box: the means of opposite sides, to a tenth of a pixel."""
    top, right, bottom, left = (math.dist(box[i], box[(i + 1) % 4]) for i in range(4))
    return Size(round((top + bottom) / 2, 1), round((left + right) / 2, 1))


def angle_of(box: Box) -> float:
    """Return how far a box is turned, in degrees clockwise in (-180, 180], to a tenth."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = box
    degrees = math.degrees(math.atan2(y1 + y2 - y0 - y3, x1 + x2 - x0 - x3))
    rounded = round(degrees, 1) + 0.0  # not -0.0
    return 180.0 if rounded == -180.0 else rounded


def confidence_of(value: float) -> float:
    """Return a confidence as all formats state it: to four digits, in [0, 1]."""
    return round(min(1.0, max(0.0, value)), _CONFIDENCE_DIGITS)


def runs_down(line: Line) -> bool:
    """Return whether the characters of a line stand below each other in its box, and not side by side."""
    width, height = size_of(line.box)
    if height < _TALL * width:
        return False
    return len(line.text.strip()) > 1


def rectangle_of(boxes: Iterable[Box], page: Page | None = None) -> Rectangle:
    """Return the rectangle around boxes, clipped to the page, if one is given.

    Args:
        boxes: At least one.
        page: The page that they are on.
    """
    corners = [corner for box in boxes for corner in box]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    sides = Rectangle(min(xs), min(ys), max(xs), max(ys))
    if page is None:
        return sides
    return Rectangle(
        _within(sides.left, page.width),
        _within(sides.top, page.height),
        _within(sides.right, page.width),
        _within(sides.bottom, page.height),
    )


def enclosing_box(boxes: Iterable[Box]) -> Box:
    """Return the upright rectangle around boxes as a box that starts at the corner where the first one does.

    Args:
        boxes: At least one.
    """
    listed = list(boxes)
    left, top, right, bottom = rectangle_of(listed)
    corners: tuple[Point, ...] = ((left, top), (right, top), (right, bottom), (left, bottom))
    turns = round(angle_of(listed[0]) / 90) % 4
    a, b, c, d = corners[turns:] + corners[:turns]
    return a, b, c, d


def _within(value: int, limit: int) -> int:
    return min(max(value, 0), limit)
