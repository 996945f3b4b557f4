"""Lines that are longer than a recogniser's input: split at gaps between letters, and joined again."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_serving.vision.ink import without_rules
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.scripts import is_unspaced

__all__ = ["Piece", "is_one_word", "join_pieces", "split_line"]

_REACH = 5.0  # heights of the line, to both sides of an even cut: more than a word
_BLANK = 0.25  # a column whose samples differ by less than this share of what the others' do has no ink
_SPACE = 0.2  # least width of a gap between words, as a share of the line's height


class Piece(NamedTuple):
    """A part of a line.

    Attributes:
        image: (H, w, 3) uint8 BGR, a view of the line.
        start: Pixels from the line's left edge.
        after_space: Whether there is a gap before it that is as wide as the one between two words.
    """

    image: BgrImage
    start: int
    after_space: bool


def split_line(line: BgrImage, max_width: int) -> list[Piece]:
    """Split a line where its letters are farthest apart.

    Args:
        line: (H, w, 3) uint8 BGR.
        max_width: Pixels that a piece may have; at least twenty times H.

    Returns:
        Pieces of about the same width from left to right; a line that is narrow enough is a single one.
    """
    height, width = line.shape[:2]
    pieces: list[Piece] = []
    start, after_space = 0, False
    reach = int(_REACH * height)
    while (rest := width - start) > max_width:
        even = start + rest // -(-rest // (max_width - reach))
        left, gap = _widest_gap(line[:, even - reach : even + reach])
        end = even - reach + left + gap // 2
        pieces.append(Piece(line[:, start:end], start, after_space))
        start, after_space = end, gap >= _SPACE * height
    return [*pieces, Piece(line[:, start:], start, after_space)]


def is_one_word(before: str, piece: Piece, after: str) -> bool:
    """Return whether a word goes on from a piece of a line to the next one.

    Args:
        before: The text of the first one.
        piece: The second one.
        after: Its text.
    """
    return not _are_apart(before, piece, after) and not _stands_alone(before[-1:] + after[:1])


def join_pieces(pieces: Sequence[Piece], texts: Sequence[str]) -> str:
    """Join what was read from the pieces of a line, with a space where there is one between words.

    Args:
        pieces: At least one.
        texts: One per piece.
    """
    joined = ""
    for piece, text in zip(pieces, texts, strict=True):
        joined += f" {text}" if _are_apart(joined, piece, text) else text
    return joined


def _are_apart(before: str, piece: Piece, after: str) -> bool:
    """Return whether a space belongs between two texts, the second of which was read from a piece."""
    between = before[-1:] + after[:1]
    return piece.after_space and len(between) == 2 and not _stands_alone(between)


def _stands_alone(characters: str) -> bool:
    """Return whether one of some characters is a space, or a word by itself."""
    return any(character.isspace() or is_unspaced(character) for character in characters)


def _widest_gap(part: BgrImage) -> tuple[int, int]:
    """Return the first column and the width of the widest gap; without any, the column with the least ink and 1."""
    grey = without_rules(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY))
    contrast: npt.NDArray[np.int16] = grey.max(axis=0).astype(np.int16) - grey.min(axis=0)
    blank = np.concatenate(([False], contrast < _BLANK * contrast.max(), [False]))
    edges = np.flatnonzero(blank[1:] != blank[:-1])
    if not len(edges):
        return int(contrast.argmin()), 1
    starts, ends = edges[::2], edges[1::2]
    widest = int((ends - starts).argmax())
    return int(starts[widest]), int(ends[widest] - starts[widest])
