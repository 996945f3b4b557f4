"""Boxes in the forms of other services."""

from ppocr_serving.results import Box, Point

__all__ = ["turned", "upright"]


def upright(box: Box) -> tuple[int, int, int, int]:
    """Return the smallest upright rectangle around a box: left, top, right, bottom, at least one pixel each way."""
    xs, ys = zip(*box, strict=True)
    left, top = min(xs), min(ys)
    return left, top, max(*xs, left + 1), max(*ys, top + 1)


def turned(box: Box, angle: int, width: int, height: int) -> Box:
    """Return a box as it lies once its page has been turned.

    Args:
        box: In pixels of the page as it is.
        angle: Degrees clockwise by which the page is turned: 0, 90, 180 or 270.
        width: Of the page as it is, in pixels.
        height: Likewise.
    """

    def turn(point: Point) -> Point:
        x, y = point
        match angle:
            case 90:
                return height - y, x
            case 180:
                return width - x, height - y
            case 270:
                return y, width - x
        return x, y

    first, second, third, fourth = map(turn, box)
    return first, second, third, fourth
