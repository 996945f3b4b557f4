"""Pictures in which an ordinary look finds next to nothing: huge letters, tiny print on an empty page.

A detector finds letters of some ten to some hundred pixels of its input. Of a letter as high as the page it finds a
piece of a stroke at best, and a page of 2000 pixels shrunk for it leaves three pixels to a line of eight. Where the ink
lies, which costs next to nothing to find out, tells what has been missed.
"""

from typing import NamedTuple

import cv2
import numpy as np

from ppocr_serving.vision.geometry import BoxArray
from ppocr_serving.vision.pictures import BgrImage

__all__ = ["MAX_PIECES", "InkArea", "find_ink", "is_explained", "may_be_huge", "shows_huge_text"]

MAX_PIECES = 4
"""Boxes that a detector may find of a huge letter, or in a picture that is next to empty."""

_CONTRAST = 48  # grey levels between ink and paper
_EXPLAINED = 0.35  # of the ink's area: what is left may be the space around and between a few lines
_WHOLE = 0.5  # of the ink's area, at least, is the box of a huge line
_PIECE = 0.15  # of the huge line's height, at least, is a piece of it; what is lower is a line of its own
_HUGE = 0.25  # of a picture's longer side
_MARGIN = 16  # pixels around the ink


class InkArea(NamedTuple):
    """The rectangle around all ink, with a margin, within its picture.

    Attributes:
        left: Left edge in pixels, like the other edges.
        top: Upper edge.
        right: One more than its last column.
        bottom: One more than its last row.
        on_dark: Whether the paper is darker than the middle grey.
    """

    left: int
    top: int
    right: int
    bottom: int
    on_dark: bool

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    def cut_out(self, image: BgrImage) -> BgrImage:
        """Return this part of a picture, without copying it."""
        return image[self.top : self.bottom, self.left : self.right]


def find_ink(image: BgrImage) -> InkArea | None:
    """Return where a picture differs from its paper, the grey level that most of it has.

    Args:
        image: (H, W, 3) uint8 BGR.

    Returns:
        None if there is no ink. Of a photograph it is, as a rule, the entire picture.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    samples = grey[::4, ::4].ravel()
    paper = float(np.partition(samples, len(samples) // 2)[len(samples) // 2])
    cv2.absdiff(grey, (paper,), dst=grey)  # in place: a picture may have 50 MB in grey
    cv2.threshold(grey, _CONTRAST, 255, cv2.THRESH_BINARY, dst=grey)
    left, top, width, height = cv2.boundingRect(grey)
    if not width:
        return None
    return InkArea(
        max(0, left - _MARGIN),
        max(0, top - _MARGIN),
        min(grey.shape[1], left + width + _MARGIN),
        min(grey.shape[0], top + height + _MARGIN),
        paper < 128,
    )


def is_explained(ink: InkArea, boxes: BoxArray) -> bool:
    """Return whether text fills so much of the ink's area that there is hardly any other.

    Args:
        ink: Where the ink lies.
        boxes: (N, 4, 2) float32, what was found.
    """
    return _areas(boxes) >= _EXPLAINED * ink.width * ink.height


def may_be_huge(ink: InkArea, boxes: BoxArray, longer_side: int) -> bool:
    """Return whether a look from far away may find huge text: the ink is large, and what was found is, too, or little.

    Args:
        ink: Where the ink lies.
        boxes: (N, 4, 2) float32, what was found.
        longer_side: Pixels of the picture.
    """
    large = _HUGE * longer_side
    if max(ink.width, ink.height) < large:
        return False
    return not is_explained(ink, boxes) or max(_heights(boxes)) >= large


def shows_huge_text(ink: InkArea, boxes: BoxArray, pieces: BoxArray) -> bool:
    """Return whether a look from far away found huge text, of which the look before found pieces at most.

    Args:
        ink: Where the ink lies.
        boxes: (N, 4, 2) float32, what was found from far away.
        pieces: The same of the look before.
    """
    if not len(boxes) or _areas(boxes) < _WHOLE * ink.width * ink.height:
        return False
    highest = max(_heights(boxes))
    return all(height >= _PIECE * highest for height in _heights(pieces))


def _areas(boxes: BoxArray) -> float:
    return sum(cv2.contourArea(box) for box in boxes)


def _heights(boxes: BoxArray) -> list[float]:
    heights: list[float] = np.linalg.norm(boxes[:, 3] - boxes[:, 0], axis=1).tolist()
    return heights
