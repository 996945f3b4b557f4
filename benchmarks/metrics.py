"""Measures of how well pictures are read, as counts that add up over pictures.

Texts are compared in upper case everywhere: labels of receipts are often in upper case whatever is printed.

Line: a label and a read line match when their texts are equal, white space removed, and the axis-aligned rectangles
    around their corners have an intersection over union (IoU) of at least 0.5; each is used once.
Word: the words of a picture, separated by white space, as a bag: a read word is right if the labels have it too,
    wherever it stands, and as often as they have it. Words that run together are one wrong word, and `word,` is not
    `word`.
Character error rate (CER): edit distance (insertions, deletions, substitutions) between the labels and the read lines,
    each in their own order, in percent of the labels' characters; once with all white space removed, once with one
    space between words and between lines. It is above 100 if far too much is read.
Order: edit distance between the text of the read lines, white space removed, in their own order and in that of the
    labels, in percent of its characters. A read line belongs to the label that it overlaps most; those without one do
    not count, nor does what is read wrongly. Lines of one label go from left to right.
Detection: a label and a read line match when their rectangles have an IoU of at least 0.5, whatever their texts; the
    best pairs are taken first, and each is used once.

Precision is the share of what was read that is right, recall the share of the labels that was read, F1 their harmonic
mean; all count over all pictures together (micro-average). Labels to ignore do not count, nor do read lines that lie
in one of them by more than half.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Self

from benchmarks.labels import LabelledLine, Rectangle

__all__ = ["Errors", "Matches", "Score", "edit_distance", "evaluated", "matching_lines", "score"]

_MIN_IOU = 0.5
_MAX_IGNORED = 0.5


class Matches(NamedTuple):
    """Counts of labels, of what was read, and of what of both matches."""

    labels: int = 0
    predictions: int = 0
    matches: int = 0

    def __bool__(self) -> bool:
        return bool(self.labels or self.predictions)

    @property
    def precision(self) -> float:
        """Share of what was read that matches."""
        return self.matches / self.predictions if self.predictions else 0.0

    @property
    def recall(self) -> float:
        """Share of the labels that match."""
        return self.matches / self.labels if self.labels else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.matches / (self.labels + self.predictions) if self else 0.0


class Errors(NamedTuple):
    """Characters in the labels, and edits that lead from them to what was read."""

    characters: int = 0
    edits: int = 0

    @property
    def percent(self) -> float:
        """Edits per hundred characters of the labels."""
        return 100 * self.edits / self.characters if self.characters else 0.0


class Score(NamedTuple):
    """Counts over any number of pictures.

    Attributes:
        lines: Lines whose text and place are right.
        words: Words, wherever they stand.
        detection: Lines whose place is right.
        characters: Errors with white space removed.
        characters_and_spaces: Errors with spaces.
        order: Errors of the order alone.
    """

    lines: Matches = Matches()
    words: Matches = Matches()
    detection: Matches = Matches()
    characters: Errors = Errors()
    characters_and_spaces: Errors = Errors()
    order: Errors = Errors()

    def plus(self, other: Self) -> "Score":
        """Return the sum of both counts."""
        return Score(
            Matches(*map(sum, zip(self.lines, other.lines, strict=True))),
            Matches(*map(sum, zip(self.words, other.words, strict=True))),
            Matches(*map(sum, zip(self.detection, other.detection, strict=True))),
            Errors(*map(sum, zip(self.characters, other.characters, strict=True))),
            Errors(*map(sum, zip(self.characters_and_spaces, other.characters_and_spaces, strict=True))),
            Errors(*map(sum, zip(self.order, other.order, strict=True))),
        )


def score(labels: Sequence[LabelledLine], predictions: Sequence[LabelledLine]) -> Score:
    """Compare the lines read from one picture with its labels, both in reading order."""
    labels, predictions = evaluated(labels, predictions)
    wanted, found = _words(labels), _words(predictions)
    return Score(
        lines=Matches(len(labels), len(predictions), len(matching_lines(labels, predictions))),
        words=Matches(len(wanted), len(found), (Counter(wanted) & Counter(found)).total()),
        detection=Matches(len(labels), len(predictions), _matching_boxes(labels, predictions)),
        characters=_errors("".join(wanted), "".join(found)),
        characters_and_spaces=_errors(" ".join(wanted), " ".join(found)),
        order=_order_errors(labels, predictions),
    )


def evaluated(
    labels: Sequence[LabelledLine], predictions: Sequence[LabelledLine]
) -> tuple[list[LabelledLine], list[LabelledLine]]:
    """Return the labels and the read lines of a picture that count."""
    ignored = [label.rectangle for label in labels if label.ignored]

    def counts(line: Rectangle) -> bool:
        return all(_intersection(line, region) <= _MAX_IGNORED * _area(line) for region in ignored)

    return [label for label in labels if not label.ignored], [line for line in predictions if counts(line.rectangle)]


def matching_lines(labels: Sequence[LabelledLine], predictions: Sequence[LabelledLine]) -> dict[int, int]:
    """Return which label matches which read line, by their indices."""
    free = list(range(len(predictions)))
    matches = {}
    for number, label in enumerate(labels):
        for index in free:
            line = predictions[index]
            if line.normalized == label.normalized and _iou(line.rectangle, label.rectangle) >= _MIN_IOU:
                matches[number] = index
                free.remove(index)
                break
    return matches


def edit_distance(first: str, second: str) -> int:
    """Return the least number of insertions, deletions and substitutions that lead from one text to the other.

    Reference: Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances", Nordic Journal of
    Computing 10 (2003). A column of the table of distances is two integers, of one bit per character: whether a cell is
    by one larger, or smaller, than the one above it.
    """
    if not first:
        return len(second)
    positions: dict[str, int] = {}
    for index, character in enumerate(first):
        positions[character] = positions.get(character, 0) | 1 << index
    last = 1 << len(first) - 1
    column = (1 << len(first)) - 1
    larger, smaller, distance = column, 0, len(first)
    for character in second:
        equal = positions.get(character, 0)
        diagonal = ((equal & larger) + larger ^ larger) | equal | smaller  # cells equal to the one left above them
        right_larger = smaller | ~(diagonal | larger) & column
        right_smaller = diagonal & larger & column
        distance += bool(right_larger & last) - bool(right_smaller & last)
        right_larger = right_larger << 1 | 1
        larger = (right_smaller << 1 | ~(diagonal | right_larger)) & column
        smaller = right_larger & diagonal & column
    return distance


def _words(lines: Sequence[LabelledLine]) -> list[str]:
    return [word for line in lines for word in line.words]


def _errors(wanted: str, found: str) -> Errors:
    return Errors(len(wanted), edit_distance(wanted, found))


def _order_errors(labels: Sequence[LabelledLine], predictions: Sequence[LabelledLine]) -> Errors:
    placed = []
    for line in predictions:
        overlaps = [_intersection(label.rectangle, line.rectangle) for label in labels]
        if any(overlaps):
            placed.append((overlaps.index(max(overlaps)), line))
    in_order = sorted(placed, key=lambda each: (each[0], each[1].rectangle[0]))
    return _errors("".join(line.normalized for _, line in in_order), "".join(line.normalized for _, line in placed))


def _matching_boxes(labels: Sequence[LabelledLine], predictions: Sequence[LabelledLine]) -> int:
    pairs = [
        (overlap, number, index)
        for number, label in enumerate(labels)
        for index, line in enumerate(predictions)
        if (overlap := _iou(label.rectangle, line.rectangle)) >= _MIN_IOU
    ]
    free_labels, free_lines = set(range(len(labels))), set(range(len(predictions)))
    matches = 0
    for _, number, index in sorted(pairs, reverse=True):
        if number in free_labels and index in free_lines:
            free_labels.remove(number)
            free_lines.remove(index)
            matches += 1
    return matches


def _iou(first: Rectangle, second: Rectangle) -> float:
    common = _intersection(first, second)
    return common / (_area(first) + _area(second) - common) if common else 0.0


def _intersection(first: Rectangle, second: Rectangle) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, width) * max(0.0, height)


def _area(rectangle: Rectangle) -> float:
    left, top, right, bottom = rectangle
    return (right - left) * (bottom - top)
