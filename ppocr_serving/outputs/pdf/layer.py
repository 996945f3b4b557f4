"""The text of a page as operators of a PDF page, invisible and where the picture has it."""

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from ppocr_serving.outputs.pdf.direction import side_by_side
from ppocr_serving.outputs.pdf.file import number
from ppocr_serving.outputs.pdf.font import ADVANCE, DESCENT, Codes
from ppocr_serving.outputs.shapes import angle_of, runs_down, size_of
from ppocr_serving.outputs.spans import spans_of
from ppocr_serving.outputs.texts import plain
from ppocr_serving.results import Line, Page, Point

__all__ = ["FONT", "Scale", "has_text", "scale_of", "text_layer"]

FONT: Final = "F"
"""The font's name among the resources of a page."""

_POINTS_PER_INCH = 72.0
_PICTURE_DPI = 200.0
_MAX_SIDE = 14_400.0  # points that a page may have
_INVISIBLE = 3
_SPACE = 0.25  # of a line's height that a space takes at least, because readers do not believe in narrower ones
_SIDES: Final = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))
# Lines that rise by less than this part of their height are placed level: Poppler takes a text whose characters rise by
# half a point for several ones.
_LEVEL = 0.75
_UPRIGHT = 0.5  # sine of the angle from which on a line runs up or down
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


def has_text(page: Page) -> bool:
    """Return whether there is anything to place on a page."""
    return any(plain(line.text).strip() for line in page.lines)


def text_layer(page: Page, codes: Codes, turns: int | None = None) -> bytes:
    """Return the operators that place the text of a page, in reading order.

    Args:
        page: The page.
        codes: Receives the codes of its characters.
        turns: For a form over a page, the quarters clockwise by which that page is turned to be displayed, 0 to 3; None
            for what a page has itself.

    Returns:
        Operators for a page whose lower left corner is the origin; empty if there is no text.
    """
    scale = scale_of(page)
    lines = [line for paragraph in page.paragraphs for line in paragraph]
    text = "".join(_placed(line, scale, codes, turns) for line in lines if plain(line.text).strip())
    return f"BT\n{_INVISIBLE} Tr\n{text}ET\n".encode("ascii") if text else b""


def _placed(line: Line, scale: Scale, codes: Codes, turns: int | None) -> str:
    frame = _frame(line)
    size = max(frame.height * scale.points, _MIN_LENGTH)
    # The baseline's distance from the lower side, along the direction that points up.
    x = (frame.start[0] + frame.along[1] * frame.height * DESCENT) * scale.points
    y = scale.height - (frame.start[1] - frame.along[0] * frame.height * DESCENT) * scale.points
    cosine, sine = frame.along[0], -frame.along[1]  # y is up on the page
    parts = [f"/{FONT} {number(size)} Tf\n"]
    # PDFium breaks a line between the pieces of a text that runs up or down, if they are in a form.
    in_one_piece = turns is not None and abs(sine if turns % 2 == 0 else cosine) > _UPRIGHT
    for run in [_Run(plain(line.text), 0, frame.length)] if in_one_piece else _runs(line, frame):
        left = run.begin * scale.points
        length = max((run.end - run.begin) * scale.points, _MIN_LENGTH)
        shown = side_by_side(run.text)
        stretch = 100 * length / (max(len(shown), 1) * ADVANCE * size)
        matrix = _turned((cosine, sine, -sine, cosine, x + left * cosine, y + left * sine), scale, turns)
        parts.append(f"{number(stretch)} Tz {' '.join(map(number, matrix))} Tm <{codes.encode(shown)}> Tj\n")
    return "".join(parts)


def _turned(matrix: Sequence[float], scale: Scale, turns: int | None) -> Sequence[float]:
    """Return where something is that is displayed in some place on a page that is turned."""
    a, b, c, d, x, y = matrix
    match turns:
        case 1:
            return -b, a, -d, c, scale.height - y, x
        case 2:
            return -a, -b, -c, -d, scale.width - x, scale.height - y
        case 3:
            return b, -a, d, -c, y, scale.width - x
    return matrix


def _frame(line: Line) -> _Frame:
    length, height = size_of(line.box)
    angle = math.radians(angle_of(line.box))
    along = (math.cos(angle), math.sin(angle))
    if runs_down(line):  # the same for someone who looks at the page from its right side
        length, height, along = height, length, (-along[1], along[0])
    if _runs_back(line, along):  # its box does not say that it is upside down
        along = (-along[0], -along[1])
    side = _SIDES[round(math.atan2(along[1], along[0]) / (math.pi / 2)) % 4]
    if abs(side[0] * along[1] - side[1] * along[0]) * length <= _LEVEL * height:
        along = side
    x, y = (sum(corner[axis] for corner in line.box) / 4 for axis in (0, 1))
    left = x - along[0] * length / 2 - along[1] * height / 2
    top = y - along[1] * length / 2 + along[0] * height / 2
    return _Frame((left, top), along, length, height)


def _runs(line: Line, frame: _Frame) -> Iterator[_Run]:
    """Yield texts without gaps between them, which readers would take for spaces."""
    spans = spans_of(line)
    pairs = ((0, 1), (2, 3)) if runs_down(line) else ((0, 3), (1, 2))
    reaches = [sorted(sum(frame.position(span.box[i]) for i in pair) / 2 for pair in pairs) for span in spans]
    begins = list(accumulate((begin for begin, _ in reaches), max))
    for span, (_, end), begin, following in zip(spans, reaches, begins, [*begins[1:], None], strict=True):
        end = max(begin, end)
        if following is None:
            yield _Run(span.text, begin, end)
        elif span.spaced:
            end = max(min(end, following - _SPACE * frame.height), (begin + following) / 2)
            yield _Run(span.text, begin, end)
            yield _Run(" ", end, following)
        else:
            yield _Run(span.text, begin, following)


def _runs_back(line: Line, along: tuple[float, float]) -> bool:
    """Return whether the words of a line follow each other against its direction."""
    if len(line.words) < 2:
        return False
    first, last = line.words[0].box, line.words[-1].box
    return sum((b[0] - a[0]) * along[0] + (b[1] - a[1]) * along[1] for a, b in zip(first, last, strict=True)) < 0
