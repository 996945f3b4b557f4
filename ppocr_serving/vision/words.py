"""Words of a line: which they are, and where.

A recogniser by connectionist temporal classification says at which step along a line it has seen each character. The
steps are 8 pixels wide and lie near the middles of the characters: they say between which columns two words part, and
the ink says where exactly.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

from ppocr_serving.results import Box, Word
from ppocr_serving.vision.geometry import is_turned, widen
from ppocr_serving.vision.ink import without_rules
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.scripts import is_unspaced

__all__ = ["Character", "Span", "Spans", "find_words", "word_boxes"]

_INK = 0.16  # of the usual contrast between ink and paper: columns with less are paper
_NEIGHBOURS = 3  # characters on each side that say where one of even pitch should be
_UNEVEN = 0.2  # of the pitch: a character further than this from where it should be is where it was seen
_REACH = 0.3  # of the pitch: how far from the middle between two characters the gap between them may be

_UNIT = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float32)


class Character(NamedTuple):
    """A character as the recogniser has seen it.

    Attributes:
        text: The character; may be a space, or what a dictionary has in place of one, an empty entry included.
        probability: In [0, 1].
        middle: Where it is, as a share of the width of the network's input.
    """

    text: str
    probability: float
    middle: float

    @property
    def is_unspaced(self) -> bool:
        """Whether it is a word by itself."""
        return is_unspaced(self.text[:1])


class Span(NamedTuple):
    """A word, and its place along its line.

    Attributes:
        text: The word.
        confidence: The mean probability of its characters, in [0, 1].
        start: Where it begins, from the left end of the line on, as a share of the line's length.
        end: Where it ends.
    """

    text: str
    confidence: float
    start: float
    end: float

    def inside(self, start: float, length: float) -> Self:
        """Return where the word is in a longer line, of which this line is a part.

        Args:
            start: Where the part begins, as a share of the longer line's length.
            length: The part's length, likewise.
        """
        return self._replace(start=start + self.start * length, end=start + self.end * length)

    def joined_with(self, rest: Self) -> Self:
        """Return the word that this one, where a line was split, and the rest of it behind the split are together.

        Args:
            rest: The rest; its place is that in the same line.
        """
        total = self.confidence * len(self.text) + rest.confidence * len(rest.text)
        text = self.text + rest.text  # of empty entries of a dictionary, empty
        return self._replace(text=text, confidence=total / max(1, len(text)), end=rest.end)


class Spans(NamedTuple):
    """The words of a line as it was cut out for a recogniser.

    Attributes:
        words: In reading order.
        margin: The strip around the line's box that was cut out with it, as `widen` takes it.
    """

    words: tuple[Span, ...]
    margin: float = 0.0

    def upside_down(self) -> Self:
        """Return where the words are in the line rotated by 180°."""
        return self._replace(words=tuple(word._replace(start=1 - word.end, end=1 - word.start) for word in self.words))


def find_words(line: BgrImage, width: int, characters: Sequence[Character]) -> tuple[Span, ...]:
    """Divide a line into words, and find where each begins and ends.

    Args:
        line: (H, w, 3) uint8 BGR, the line as the recogniser has got it, without padding.
        width: Width in pixels of the network's input, to which the line was padded on the right.
        characters: What it has seen, in order.

    Returns:
        The words in order: what stands between spaces and, of scripts without spaces, each character. Each begins and
        ends with its ink.
    """
    # From here on, `middle` is a column of the line.
    words = _group([character._replace(middle=character.middle * width) for character in characters])
    if not words:
        return ()
    columns = _Columns(line)
    middles, pitch = _even_middles(words)
    borders = [0]
    for before, after in pairwise(range(len(words))):
        left, right = words[before][-1], words[after][0]
        if left.is_unspaced or right.is_unspaced:
            middle = (middles.get(before, left.middle) + middles.get(after, right.middle)) / 2
            border = columns.gap_near(middle, _REACH * (pitch or line.shape[0]))
        else:
            border = columns.widest_gap(left.middle, right.middle)
        # Between the two characters, so that no word begins before the one before it; and not in the padding.
        borders.append(min(round(min(max(border, left.middle), right.middle)), columns.width))
    borders.append(columns.width)
    spans = []
    for word, (low, high) in zip(words, pairwise(borders), strict=True):
        start, end = columns.ink_between(low, high)
        confidence = math.fsum(character.probability for character in word) / len(word)
        text = "".join(character.text for character in word)
        spans.append(Span(text, confidence, start / columns.width, end / columns.width))
    return tuple(spans)


def word_boxes(spans: Spans, box: npt.NDArray[np.float32], shape: tuple[int, ...]) -> tuple[Word, ...]:
    """Return words with their corners in the picture.

    Args:
        spans: The words of a line.
        box: (4, 2) float32, the line's corners, clockwise.
        shape: Height and width of the picture in pixels.

    Returns:
        The words in order. Their boxes are as high as the line's, and their corners begin where those of the line do.
    """
    if not spans.words:
        return ()
    cut = widen(box, spans.margin, shape)
    turns = int(is_turned(cut))  # such a line is read from its second corner on
    own, cut = np.roll(box, -turns, axis=0), np.roll(cut, -turns, axis=0)
    # Corners are rounded to pixels. If that makes one end of a line higher than the other, the crop is drawn out there,
    # which moves what is in the middle of a long line by several pixels.
    to_picture, to_own = _transform(_UNIT, cut), _transform(own, _UNIT)
    middles = np.array([(share, 0.5) for word in spans.words for share in (word.start, word.end)])
    shares = np.clip(_apply(to_own, _apply(to_picture, middles))[:, 0], 0, 1)
    edges = _apply(_transform(_UNIT, own), np.array([(share, side) for side in (0, 1) for share in shares]))
    tops, bottoms = np.clip(edges, box.min(axis=0), box.max(axis=0)).reshape(2, -1, 2, 2)
    # (words, 4, 2), clockwise from the corner where the line is read from
    corners = np.roll(np.concatenate([tops, bottoms[:, ::-1]], axis=1), turns, axis=1)
    return tuple(
        Word(span.text, span.confidence, _rounded(word)) for span, word in zip(spans.words, corners, strict=True)
    )


def _transform(source: npt.NDArray[np.float32], target: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    transform: npt.NDArray[np.float64] = cv2.getPerspectiveTransform(
        source.astype(np.float32), target.astype(np.float32)
    )
    return transform


def _apply(transform: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    moved: npt.NDArray[np.float64] = cv2.perspectiveTransform(points[np.newaxis], transform)[0]
    return moved


def _rounded(corners: npt.NDArray[np.float64]) -> Box:
    first, second, third, fourth = ((round(x), round(y)) for x, y in corners.tolist())
    return first, second, third, fourth


def _group(characters: Sequence[Character]) -> list[list[Character]]:
    """Return the characters of each word."""
    words: list[list[Character]] = []
    joined = False  # whether the next character may belong to the last word
    for character in characters:
        if character.text.isspace():
            joined = False
        elif character.is_unspaced or not joined:
            words.append([character])
            joined = not character.is_unspaced
        else:
            words[-1].append(character)
    return words


def _even_middles(words: Sequence[Sequence[Character]]) -> tuple[dict[int, float], float]:
    """Return where the characters of scripts without spaces should be, as they stand at equal distances.

    A step is a fifth of such a character, so its neighbours say more exactly where it is.

    Args:
        words: The characters of each word.

    Returns:
        The middles by the index of the word, and the distance; 0 if there are no two neighbours.
    """
    seen = {index: word[0].middle for index, word in enumerate(words) if word[0].is_unspaced}
    distances = [seen[index + 1] - seen[index] for index in seen if index + 1 in seen]
    if not distances:
        return seen, 0.0
    pitch = median(distances)
    even = {}
    for index, middle in seen.items():
        expected = [middle]
        for direction in (-1, 1):
            for away in range(1, _NEIGHBOURS + 1):
                if (other := seen.get(index + direction * away)) is None:
                    break
                expected.append(other - direction * away * pitch)
        typical = median(expected)
        even[index] = typical if abs(typical - middle) <= _UNEVEN * pitch else middle
    return even, pitch


class _Columns:
    """Ink and paper of a line, column by column.

    Attributes:
        width: Number of columns.
    """

    def __init__(self, line: BgrImage) -> None:
        grey = cv2.cvtColor(line, cv2.COLOR_BGR2GRAY)
        rows = without_rules(grey)
        # Light or dark ink, on paper that may be shaded: what a column has is contrast.
        self._contrast = rows.max(axis=0).astype(np.float32) - rows.min(axis=0)
        # Not `np.percentile`: parts of NumPy that it needs are left out of the lean image.
        ordered = np.sort(self._contrast)
        least, most = (float(ordered[round(share * (len(ordered) - 1))]) for share in (0.05, 0.9))
        self._ink = self._contrast > least + _INK * (most - least)
        self.width = len(self._ink)
        edges = np.flatnonzero(np.diff(self._ink, prepend=True, append=True)).tolist()
        # In ascending order; a long line has hundreds, so those near a column are found by bisection.
        self._starts: list[int] = edges[::2]
        self._ends: list[int] = edges[1::2]

    def widest_gap(self, low: float, high: float) -> float:
        """Return the middle of the widest gap between two columns; where there is none, the middle between them."""
        between = slice(bisect_right(self._ends, low), bisect_left(self._starts, high))
        edges = zip(self._starts[between], self._ends[between], strict=True)
        gaps = [(max(low, first), min(high, last)) for first, last in edges]
        first, last = max(gaps, key=lambda gap: gap[1] - gap[0], default=(low, high))
        return (first + last) / 2

    def gap_near(self, column: float, reach: float) -> float:
        """Return the middle of the gap next to a column; if none is in reach, the column with the least ink."""
        after = bisect_right(self._starts, column)
        near = slice(max(0, after - 1), after + 1)  # the gap that begins before the column, and the next one
        distance, middle = min(
            (
                (max(first - column, column - last, 0.0), (first + last) / 2)
                for first, last in zip(self._starts[near], self._ends[near], strict=True)
            ),
            default=(math.inf, column),
        )
        if distance <= reach:
            return middle
        # A character may have been seen in the padding.
        first = min(max(0, round(column - reach / 2)), self.width - 1)
        last = max(first, round(column + reach / 2))
        return first + float(self._contrast[first : last + 1].argmin())

    def ink_between(self, first: int, last: int) -> tuple[int, int]:
        """Return where the ink between two columns begins and ends; the columns if there is none."""
        inked = np.flatnonzero(self._ink[first:last]).tolist()
        return (first + inked[0], first + inked[-1] + 1) if inked else (first, last)
