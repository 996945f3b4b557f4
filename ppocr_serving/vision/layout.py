"""Pages as a person reads them: columns one after the other, tables and receipts row by row, lines in paragraphs."""

import math
import statistics
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ppocr_serving.vision.columns import Block, Part, Row, cut_blocks, enclosing
from ppocr_serving.vision.geometry import TURN_RATIO, BoxArray, page_slope

__all__ = ["Layout", "find_layout"]

# The unit is the height of a line.
_CELL_GAP = 1.5  # a row with a gap of this width is one of a table or a receipt
_EXTRA_STEP = 0.3  # more than usual from line to line of a block
_MAX_STEP = 2.0
_INDENT = 0.6
_SHORT = 0.2  # of the block's width; a line that ends so far from its right edge is the last of a paragraph
_HEIGHT_RATIO = 1.3  # of text of another size


class Layout(NamedTuple):
    """How the lines of a page are read.

    Attributes:
        order: (N,) indices of the lines in reading order.
        paragraphs: (N,) the paragraph of each line, in the order in which the lines were given, counted from 0 in
            reading order.
    """

    order: npt.NDArray[np.intp]
    paragraphs: npt.NDArray[np.intp]


def find_layout(boxes: BoxArray) -> Layout:
    """Order the lines of a page as a person reads them, and group them into paragraphs.

    The page may be tilted by up to 20°, and turned by quarters if the corners of its boxes say so. Where most text runs
    downwards, as in vertical Japanese, its lines are read from right to left. The result depends neither on the order
    of `boxes` nor on the picture's scale.

    Args:
        boxes: (N, 4, 2) float32, clockwise from the text's top left; pixels, origin top left.

    Returns:
        The layout. A row of a table or of a receipt is a paragraph by itself.
    """
    canonical = np.lexsort(boxes.reshape(-1, 8).T)
    paragraphs = np.zeros(len(boxes), dtype=np.intp)
    order: list[int] = []
    number = 0
    for part in _parts(_unturned(boxes[canonical])):
        indices = canonical[part.indices]
        for block in cut_blocks(part.boxes):
            for paragraph in _paragraphs(block):
                lines = indices[[line.number for row in paragraph for line in row]]
                paragraphs[lines] = number
                order += lines.tolist()
                number += 1
    return Layout(np.array(order, dtype=np.intp), paragraphs)


class _PagePart(NamedTuple):
    """Lines of a page.

    Attributes:
        indices: (n,) indices of the lines.
        boxes: (n, 4, 2) float32, turned and levelled so that text runs to the right and its lines follow each other
            downwards.
    """

    indices: npt.NDArray[np.intp]
    boxes: BoxArray


def _unturned(boxes: BoxArray) -> BoxArray:
    """Turn a page by quarters until most of its text begins at the left or at the top."""
    x, y = (boxes[:, 1] - boxes[:, 0] + boxes[:, 2] - boxes[:, 3]).sum(axis=0).tolist()
    for _ in range(round(math.atan2(y, x) / (math.pi / 2)) % 4):
        boxes = _quarter_turn(boxes)
    return boxes


def _parts(boxes: BoxArray) -> Iterator[_PagePart]:
    """Return a page as a whole, or, of one whose text runs downwards, what is above that, that, and what is below."""
    everything = np.arange(len(boxes))
    along, down = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 0]
    length, height = np.hypot(along[:, 0], along[:, 1]), np.hypot(down[:, 0], down[:, 1])
    downwards = height >= TURN_RATIO * length
    if height[downwards].sum() <= length[~downwards].sum():
        yield _PagePart(everything, _level(boxes))
        return
    middle = boxes[:, :, 1].mean(axis=1)
    above = ~downwards & (middle < boxes[downwards, :, 1].min())
    below = ~downwards & (middle > boxes[downwards, :, 1].max())
    body = ~above & ~below
    yield _PagePart(everything[above], _level(boxes[above]))
    yield _PagePart(everything[body], _level(np.roll(_quarter_turn(boxes[body]), -1, axis=1)))
    yield _PagePart(everything[below], _level(boxes[below]))


def _level(boxes: BoxArray) -> BoxArray:
    """Rotate a page so that its lines are level."""
    angle = math.atan(page_slope(boxes))
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = boxes[..., 0], boxes[..., 1]
    # Not a product of matrices: the lean image has no library for those.
    return np.stack([x * cosine + y * sine, y * cosine - x * sine], axis=-1).astype(np.float32)


def _quarter_turn(boxes: BoxArray) -> BoxArray:
    """Rotate boxes by 90° counter-clockwise around the origin."""
    return np.stack([boxes[:, :, 1], -boxes[:, :, 0]], axis=2)


def _paragraphs(block: Block) -> Iterator[Block]:
    """Split a block where a line is indented, or has another height, or is further below the one before than usual."""
    parts = [enclosing(row) for row in block]
    cells = [_has_cells(row, part.height) for row, part in zip(block, parts, strict=True)]
    usual = _usual_step(parts)
    around = enclosing(parts)
    short = around.right - _SHORT * around.width
    start = 0
    for place in range(1, len(block)):
        if cells[place - 1] or cells[place] or _begins(parts, start, place, usual, short):
            yield block[start:place]
            start = place
    yield block[start:]


def _has_cells(row: Row, height: float) -> bool:
    return any(right.left - left.right >= _CELL_GAP * height for left, right in pairwise(row))


def _usual_step(parts: list[Part]) -> float:
    steps = [_step(upper, lower) for upper, lower in pairwise(parts)]
    # Of lines that all are far apart, each is a paragraph.
    return min(statistics.median_low(steps), _MAX_STEP) if steps else 0.0


def _step(upper: Part, lower: Part) -> float:
    """Return how far two lines are apart, from middle to middle, and by the lower box, as the other may be too high."""
    return (lower.middle - upper.middle) / min(upper.height, lower.height)


def _begins(parts: list[Part], start: int, place: int, usual: float, short: float) -> bool:
    """Return whether a paragraph begins at a line.

    Args:
        parts: The lines of a block.
        start: Where the paragraph before begins.
        place: The line.
        usual: How far lines of the block are apart.
        short: A line that ends to the left of this is the last one of a paragraph.
    """
    above, line = parts[place - 1], parts[place]
    lower, higher = sorted((above.height, line.height))
    if higher > _HEIGHT_RATIO * lower or _step(above, line) > usual + _EXTRA_STEP:
        return True
    step = line.left - above.left
    centred = abs(step + line.right - above.right) <= _INDENT * lower
    if abs(step) <= _INDENT * lower or centred:
        return False
    # The first line of a paragraph may be indented, or all but the first, as in lists; but only its last one is short.
    return above.right < short or place - 1 > start
