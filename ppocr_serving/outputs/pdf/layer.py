"""The text of a page as operators of a PDF page, invisible and where the picture has it."""

import math
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from ppocr_serving.outputs.pdf.direction import side_by_side
from ppocr_serving.outputs.pdf.file import number
from ppocr_serving.outputs.pdf.font import ADVANCE, DESCENT, Codes
from ppocr_serving.outputs.shapes import angle_of, runs_down, size_of
from ppocr_serving.outputs.spans import Span, spans_of
from ppocr_serving.outputs.texts import plain
from ppocr_serving.results import Line, Page, Point

__all__ = ["FONT", "Scale", "scale_of", "text_layer"]

FONT: Final = "F"
"""The font's name among the resources of a page."""

_POINTS_PER_INCH = 72.0
_PICTURE_DPI = 200.0
_MAX_SIDE = 14_400.0  # points that a page may have
_INVISIBLE = 3
_SPACE = 0.25  # of a line's height that a space takes at least, because readers do not believe in narrower ones
_MIN_LENGTH = 0.01  # of a text, in points


class Scale(NamedTuple):
    """The size of a page.

    Attributes:
        width: In points.
        height: In points.
        points: Points per pixel.
    """

    width: float
    height: float
    points: float


class _Frame(NamedTuple):
    """A line's own directions: from its start, along its text, with what is above it on the left.

    Attributes:
        start: The lower left corner, in pixels.
        along: The direction of the text: a unit vector in pixels, y down.
        length: Pixels along it.
        height: Pixels across it.
    """

    start: tuple[float, float]
    along: tuple[float, float]
    length: float
    height: float

    def position(self, point: Point) -> float:
        """Return how far along the line a point is, from 0 to its length."""
        distance = (point[0] - self.start[0]) * self.along[0] + (point[1] - self.start[1]) * self.along[1]
        return min(max(distance, 0.0), self.length)


class _Run(NamedTuple):
    """A text and how far it reaches along its line, in pixels."""

    text: str
    begin: float
    end: float


def scale_of(page: Page) -> Scale:
    """Return the size of a page: that of the paper, if it is known, and else that of 200 pixels per inch."""
    points = _POINTS_PER_INCH / (page.dpi or _PICTURE_DPI)
    points = min(points, _MAX_SIDE / max(page.width, page.height, 1))
    return Scale(page.width * points, page.height * points, points)


def text_layer(page: Page, codes: Codes) -> bytes:
    """Return the operators that place the text of a page, in reading order.

    Args:
        page: The page.
        codes: Receives the codes of its characters.

    Returns:
        Operators for a page whose lower left corner is the origin; empty if there is no text.
    """
    scale = scale_of(page)
    lines = [line for paragraph in page.paragraphs for line in paragraph]
    text = "".join(_placed(line, scale, codes) for line in lines if plain(line.text).strip())
    return f"BT\n{_INVISIBLE} Tr\n{text}ET\n".encode("ascii") if text else b""


def _placed(line: Line, scale: Scale, codes: Codes) -> str:
    frame = _frame(line)
    size = max(frame.height * scale.points, _MIN_LENGTH)
    # The baseline's distance from the lower side, along the direction that points up.
    x = (frame.start[0] + frame.along[1] * frame.height * DESCENT) * scale.points
    y = scale.height - (frame.start[1] - frame.along[0] * frame.height * DESCENT) * scale.points
    cosine, sine = frame.along[0], -frame.along[1]  # y is up on the page
    parts = [f"/{FONT} {number(size)} Tf\n"]
    for run in _runs(line, frame):
        left = run.begin * scale.points
        length = max((run.end - run.begin) * scale.points, _MIN_LENGTH)
        shown = side_by_side(run.text)
        stretch = 100 * length / (max(len(shown), 1) * ADVANCE * size)
        matrix = (cosine, sine, -sine, cosine, x + left * cosine, y + left * sine)
        parts.append(f"{number(stretch)} Tz {' '.join(map(number, matrix))} Tm <{codes.encode(shown)}> Tj\n")
    return "".join(parts)


def _frame(line: Line) -> _Frame:
    length, height = size_of(line.box)
    angle = math.radians(angle_of(line.box))
    along = (math.cos(angle), math.sin(angle))
    if runs_down(line):  # the same for someone who looks at the page from its right side
        length, height, along = height, length, (-along[1], along[0])
    x, y = (sum(corner[axis] for corner in line.box) / 4 for axis in (0, 1))
    left = x - along[0] * length / 2 - along[1] * height / 2
    top = y - along[1] * length / 2 + along[0] * height / 2
    return _Frame((left, top), along, length, height)


def _runs(line: Line, frame: _Frame) -> Iterator[_Run]:
    """Yield texts without gaps between them, which readers would take for spaces."""
    spans = spans_of(line)
    first, last = ((0, 1), (2, 3)) if runs_down(line) else ((0, 3), (1, 2))
    begins = list(accumulate((_mean(span, first, frame) for span in spans), max))
    for span, begin, following in zip(spans, begins, [*begins[1:], None], strict=True):
        end = max(begin, _mean(span, last, frame))
        if following is None:
            yield _Run(span.text, begin, end)
        elif span.spaced:
            end = max(min(end, following - _SPACE * frame.height), (begin + following) / 2)
            yield _Run(span.text, begin, end)
            yield _Run(" ", end, following)
        else:
            yield _Run(span.text, begin, following)


def _mean(span: Span, corners: tuple[int, int], frame: _Frame) -> float:
    return sum(frame.position(span.box[corner]) for corner in corners) / 2
