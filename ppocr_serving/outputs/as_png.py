"""One page as a picture: what was found in it, and beside it the text that was read, both upright.

OpenCV's own font has Latin, Greek, Cyrillic, Chinese, Japanese and Korean characters; others are shown as "?".
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import cv2
import numpy as np

from ppocr_serving.errors import ImageDecodeError, InvalidRequest, LimitExceeded, OcrError, PageDeadlineExceeded
from ppocr_serving.outputs.items import Check, Item, PageSource
from ppocr_serving.outputs.shapes import Rectangle, angle_of, rectangle_of, runs_down, size_of
from ppocr_serving.outputs.texts import error_message, plain
from ppocr_serving.results import Line, Page, Point
from ppocr_serving.vision.pixels import BgrImage

__all__ = ["write"]

_MAX_PIXELS = 4_000_000  # of each half
_MAX_SIDE = 8000
_MAX_CHARACTERS = 1000  # of a line that are drawn
_PAPER = 255
_INK: Final = (32, 32, 32)
_GREEN, _ORANGE, _RED = (60, 150, 30), (0, 130, 240), (40, 40, 220)
_SURE, _DOUBTFUL = 0.9, 0.7  # confidences from which on a frame is green, and orange
_FONT = "uni"
_PROBE_SIZE = 64  # pixels
_FONT_SIZE = 0.8  # as a part of a box's height
_BASELINE = 0.24  # distance from the lower side of a box, as a part of its height
_LEVEL = 1.0  # degrees up to which a line is drawn without turning it
_SIDE_PER_WIDTH = 1000  # pixels of the longer side for each of the frames' width
_PNG_LEVEL = 2


class _View(NamedTuple):
    """How a page is shown.

    Attributes:
        across: Pixels shown per pixel of the page.
        down: The same, downwards.
        turns: Quarters clockwise by which it is turned after that.
        width: Pixels shown, before it is turned.
        height: The same, downwards.
    """

    across: float
    down: float
    turns: int
    width: int
    height: int

    def point(self, point: Point) -> Point:
        """Return where a point of the page is shown."""
        x, y = round(point[0] * self.across), round(point[1] * self.down)
        match self.turns:
            case 1:
                return self.height - y, x
            case 2:
                return self.width - x, self.height - y
            case 3:
                return y, self.width - x
        return x, y


def write(items: Sequence[Item], check: Check) -> bytes:
    """Write one page as `ppocr_serving.outputs.write` does.

    Raises:
        InvalidRequest: There is not exactly one page; or the page or its document could not be read.
        ImageDecodeError, LimitExceeded, PageDeadlineExceeded: Likewise, if this is why it could not be read.
    """
    for item in items:
        if item.document.error is not None:
            raise _raised(item.document.error)
    pages = [(item.pages, page) for item in items for page in item.document.pages]
    if len(pages) != 1:
        raise InvalidRequest(f"the format png shows one page, and there are {len(pages)}; choose one page")
    ((source, page),) = pages
    if page.error is not None:
        raise _raised(page.error)
    if source is None:
        raise InvalidRequest("the format png shows the picture, and there is none; send it")
    check()
    return _draw(source, page, check)


def _raised(error: OcrError) -> OcrError:
    """Return the error of a page as one of a call; of which kind it is may be anybody's word."""
    kind = type(error) if isinstance(error, ImageDecodeError | LimitExceeded | PageDeadlineExceeded) else InvalidRequest
    return kind(error_message(error))


def _draw(source: PageSource, page: Page, check: Check) -> bytes:
    shown, view = _show(source.image(page.number), page)
    check()
    height, width = shown.shape[:2]
    texts = np.full_like(shown, _PAPER)
    font = cv2.FontFace(_FONT)
    thickness = max(1, round(max(width, height) / _SIDE_PER_WIDTH))
    for line in page.lines:
        check()
        first, second, third, fourth = map(view.point, line.box)
        moved = replace(line, box=(first, second, third, fourth))
        sides = rectangle_of([moved.box])
        if sides.right <= 0 or sides.bottom <= 0 or sides.left >= width or sides.top >= height:
            continue
        corners = np.clip(np.array(moved.box), -_MAX_SIDE, 2 * _MAX_SIDE).astype(np.int32)
        cv2.polylines(shown, [corners], isClosed=True, color=_colour(line), thickness=thickness, lineType=cv2.LINE_AA)
        if sides.right - sides.left <= 2 * width and sides.bottom - sides.top <= 2 * height:
            _draw_line(texts, font, moved)
    check()
    encoded = cv2.imencode(".png", np.concatenate([shown, texts], axis=1), [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])[
        1
    ].tobytes()
    check()
    return encoded


def _show(image: BgrImage, page: Page) -> tuple[BgrImage, _View]:
    height, width = image.shape[:2]
    scale = min(1.0, math.sqrt(_MAX_PIXELS / (width * height)), _MAX_SIDE / max(width, height))
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    if scale < 1:
        image = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_AREA)
    view = _View(
        new_width / max(1, page.width), new_height / max(1, page.height), page.angle // 90, new_width, new_height
    )
    turned = np.rot90(image, -view.turns)
    return turned.copy(order="C"), view


def _colour(line: Line) -> tuple[int, int, int]:
    if line.confidence >= _SURE:
        return _GREEN
    return _ORANGE if line.confidence >= _DOUBTFUL else _RED


def _draw_line(canvas: BgrImage, font: "cv2.FontFace", line: Line) -> None:
    """Draw the text of a line into its box."""
    text = plain(line.text).strip()[:_MAX_CHARACTERS]
    width, height = size_of(line.box)
    if not text or width < 1 or height < 1:
        return
    draw = _draw_down if runs_down(line) else _draw_across
    angle = angle_of(line.box)
    left, top, right, bottom = rectangle_of([line.box])
    if abs(angle) <= _LEVEL:
        draw(canvas, font, text, Rectangle(left, top, right, bottom))
        return
    patch = np.full((math.ceil(height), math.ceil(width), 3), _PAPER, np.uint8)
    draw(patch, font, text, Rectangle(0, 0, math.ceil(width), math.ceil(height)))
    rows, columns = canvas.shape[:2]
    window = Rectangle(max(left, 0), max(top, 0), min(right, columns), min(bottom, rows))
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x = sum(corner[0] for corner in line.box) / 4 - window.left
    y = sum(corner[1] for corner in line.box) / 4 - window.top
    placement = np.array(
        [
            [cosine, -sine, x - cosine * width / 2 + sine * height / 2],
            [sine, cosine, y - sine * width / 2 - cosine * height / 2],
        ]
    )
    size = (window.right - window.left, window.bottom - window.top)
    turned = cv2.warpAffine(patch, placement, size, borderMode=cv2.BORDER_CONSTANT, borderValue=(_PAPER,) * 3)
    target = canvas[window.top : window.bottom, window.left : window.right]
    np.minimum(target, turned, out=target)


def _draw_across(image: BgrImage, font: "cv2.FontFace", text: str, sides: Rectangle) -> None:
    width, height = sides.right - sides.left, sides.bottom - sides.top
    natural = cv2.getTextSize((0, 0), text, (0, 0), font, _PROBE_SIZE)[2] / _PROBE_SIZE
    size = max(1, int(min(_FONT_SIZE * height, width / max(natural, 0.01))))
    cv2.putText(image, text, (sides.left, round(sides.bottom - _BASELINE * height)), _INK, font, size)


def _draw_down(image: BgrImage, font: "cv2.FontFace", text: str, sides: Rectangle) -> None:
    width, step = sides.right - sides.left, (sides.bottom - sides.top) / len(text)
    size = max(1, int(min(width, step)))
    for index, character in enumerate(text):
        natural = cv2.getTextSize((0, 0), character, (0, 0), font, size)[2]
        x = round(sides.left + (width - natural) / 2)
        y = round(sides.top + (index + 1) * step - _BASELINE * step)
        cv2.putText(image, character, (x, y), _INK, font, size)
