"""Similarity of two answers: texts by edit distance, quadrangles by intersection over union."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely


class Pair(NamedTuple):
    """An expected quadrangle and the one found for it.

    Attributes:
        expected: Position in the expected sequence.
        found: Position in the found sequence.
        iou: Intersection over union in [0, 1].
    """

    expected: int
    found: int
    iou: float


def without_spaces(text: str) -> str:
    """Return the text without whitespace of any kind."""
    return "".join(text.split())


def edit_similarity(one: str, other: str) -> float:
    """1 - Levenshtein distance / length of the longer text; 1 for two empty texts."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], i
        for j, candidate in enumerate(other, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (letter != candidate))
    return 1 - row[-1] / max(len(one), len(other), 1)


def match_quadrangles(
    expected: Sequence[npt.ArrayLike], found: Sequence[npt.ArrayLike], min_iou: float = 0.5
) -> list[Pair]:
    """Pair quadrangles one to one, those with the largest intersection over union first.

    Args:
        expected: (4, 2) corners each, in order around the quadrangle.
        found: Likewise.
        min_iou: Least intersection over union of a pair.

    Returns:
        The pairs, best first.
    """
    if not expected or not found:
        return []
    rows, columns = _polygons(expected)[:, np.newaxis], _polygons(found)[np.newaxis, :]
    intersection = shapely.area(shapely.intersection(rows, columns))
    union = shapely.area(rows) + shapely.area(columns) - intersection
    iou = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    pairs: list[Pair] = []
    for flat in np.argsort(-iou, axis=None, kind="stable"):
        row, column = divmod(int(flat), iou.shape[1])
        if iou[row, column] < min_iou:
            break
        if all(row != pair.expected and column != pair.found for pair in pairs):
            pairs.append(Pair(row, column, float(iou[row, column])))
    return pairs


def _polygons(quadrangles: Sequence[npt.ArrayLike]) -> npt.NDArray[Any]:
    return np.asarray(shapely.polygons(np.asarray(quadrangles, dtype=np.float64)))
