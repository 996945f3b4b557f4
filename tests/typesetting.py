"""Pages with a known reading order: where their lines stand, and how they look in Debian's fonts."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ppocr_serving.vision.geometry import BoxArray
from ppocr_serving.vision.pictures import BgrImage
from tests.drawing import BLACK, WHITE, font_for

__all__ = ["TypesetLine", "boxes_of", "column", "draw", "tategaki", "tilt"]

_TEXT = (
    "morning river the letter of a house by water long before night paper window in children already station winter "
    "often street and market language to question picture mountain under garden through another between small is on"
)
_WORDS = _TEXT.split()
_CHARACTERS = "山水天地日月星风雨云花草木林田土石金火人口手足目耳大小上下左右中外前后东西南北春夏秋冬年时分"

# A detector's boxes reach from above the ascenders to below the descenders, and beyond both ends.
_ABOVE, _BELOW, _BEYOND = 0.95, 0.35, 0.15  # of the font's size


class TypesetLine(NamedTuple):
    """A line of text and its position.

    Attributes:
        text: Latin or Chinese.
        x: Pixels of its left edge; of its middle if it runs downwards.
        y: Pixels of its baseline; of its top edge if it runs downwards.
        size: Font size in pixels.
        downwards: It runs downwards.
    """

    text: str
    x: float
    y: float
    size: int
    downwards: bool = False

    @property
    def length(self) -> float:
        """Pixels along the line."""
        return len(self.text) * self.size if self.downwards else font_for(self.text, self.size).getlength(self.text)


def column(
    first: int, lines: int, x: float, y: float, width: float, size: int, leading: float = 1.5, indent: bool = False
) -> list[TypesetLine]:
    """Set a paragraph of different words, ragged on the right, the last line short.

    Args:
        first: Which words it begins with, so that paragraphs differ.
        lines: Number of lines.
        x: Pixels of its left edge.
        y: Pixels of its upper edge.
        width: Pixels.
        size: Font size in pixels.
        leading: Distance of the baselines, as a multiple of the font's size.
        indent: The first line begins further to the right.
    """
    set_lines: list[TypesetLine] = []
    place = first
    for number in range(lines):
        left = x + 2 * size if indent and not number else x
        room = width - (left - x)
        words: list[str] = []
        while True:
            words.append(_WORDS[place * 7 % len(_WORDS)])
            if font_for("a", size).getlength(" ".join(words)) > (room * 0.6 if number == lines - 1 else room):
                break
            place += 1
        text = " ".join(words[:-1] or words)
        set_lines.append(TypesetLine(text, left, y + size + number * leading * size, size))
    return set_lines


def tategaki(
    first: int, lines: int, right: float, y: float, length: int, size: int, leading: float = 1.7
) -> list[TypesetLine]:
    """Set lines that run downwards, from right to left, the last one short.

    Args:
        first: Which characters they begin with.
        lines: Number of lines.
        right: Pixels of their right edge.
        y: Pixels of their upper edge.
        length: Characters of each.
        size: Font size in pixels.
        leading: Distance of the lines, as a multiple of the font's size.
    """
    set_lines = []
    for number in range(lines):
        count = length if number < lines - 1 else max(3, length // 2)
        begin = first + number * length
        text = "".join(_CHARACTERS[(begin + place) * 11 % len(_CHARACTERS)] for place in range(count))
        set_lines.append(TypesetLine(text, right - (0.5 + number * leading) * size, y, size, downwards=True))
    return set_lines


def boxes_of(lines: Iterable[TypesetLine]) -> BoxArray:
    """Return the boxes that a detector would find, as (N, 4, 2) float32."""
    boxes = []
    for text, x, y, size, downwards in lines:
        length = TypesetLine(text, x, y, size, downwards).length
        if downwards:
            left, right, top, bottom = x - 0.65 * size, x + 0.65 * size, y, y + length
            top, bottom = top - _BEYOND * size, bottom + _BEYOND * size
        else:
            left, right = x - _BEYOND * size, x + length + _BEYOND * size
            top, bottom = y - _ABOVE * size, y + _BELOW * size
        boxes.append([(left, top), (right, top), (right, bottom), (left, bottom)])
    return np.array(boxes, dtype=np.float32).reshape(-1, 4, 2)


def tilt(boxes: BoxArray, degrees: float) -> BoxArray:
    """Rotate boxes counter-clockwise around the origin; whole pixels."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    tilted: BoxArray = np.round(boxes @ turn).astype(np.float32)
    return tilted


def draw(lines: Sequence[TypesetLine], width: int, height: int) -> BgrImage:
    """Draw lines; (height, width, 3) uint8 BGR."""
    page = Image.new("RGB", (width, height), WHITE)
    pen = ImageDraw.Draw(page)
    for text, x, y, size, downwards in lines:
        font = font_for(text, size)
        if downwards:
            for number, character in enumerate(text):
                pen.text((x, y + (number + 0.5) * size), character, fill=BLACK, font=font, anchor="mm")
        else:
            pen.text((x, y), text, fill=BLACK, font=font, anchor="ls")
    return np.ascontiguousarray(np.asarray(page)[:, :, ::-1])
