"""Columns of a level page: where to cut it, so that each part can be read row by row.

A recursive XY-cut (Nagy and Seth, 1984) with distances relative to the height of lines. Rows that leave a strip between
them free are a run, and a run is cut along that strip if columns of text are beside it, not the columns of a table or
the prices of a receipt. All else stays in rows.
"""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from ppocr_serving.vision.geometry import BoxArray, group_rows

__all__ = ["Block", "Part", "Row", "cut_blocks", "enclosing"]

# Unless another unit is named, the unit is the height of a line: of its box, which is higher than the letters.
_GUTTER = 0.8  # minimum width of the strip between two columns, once boxes are narrower by
_MARGIN = 0.2  # at each end, where they reach beyond the letters
_BAND = 2.5  # rows above and below a free strip of this height do not belong together
_EDGE_BAND = 1.2  # nor does a single row, such as a running head, belong to what is that far away
_LOOSE_BAND = 1.0  # where there are no columns, what is above and below such a strip may have some by itself
_MAX_COLUMNS = 16  # beside each other; rows of more are those of a table
_MAX_DEPTH = 16  # columns within columns
# How often each line of a page may be looked at, on average, in search of columns. Receipts and pages need up to 5;
# with bands that are almost wide enough, a page of 1000 lines would keep a processor busy for seconds. What is left
# stays in rows.
_MAX_EFFORT = 20

# Prose: a column of text, whose lines follow each other closely and mostly fill its width.
_PROSE_ROWS = 3
_PROSE_WIDTH = 8.0
_PROSE_FULL = 0.5  # share of the rows that have
_FULL = 0.7  # of the width
_PROSE_TIGHT = 0.6  # share of the gaps between rows that are at most
_TIGHT = 0.9
# A note: a narrower column of text, beside prose.
_NOTE_ROWS = 2
_NOTE_WIDTH = 4.0
_NOTE_TIGHT = 0.8
_NOTE_LENGTH = 0.7  # of the prose beside it, or less
# Two columns are aligned if for this share of the rows of the one with fewer, there is a row of the other at the same
# height: its middle differs by less than that share of the lower row.
_ALIGNED = 0.6
_LEVEL = 0.25


class Part(NamedTuple):
    """A line, or the rectangle around several.

    Attributes:
        left: Pixels of the level page, as are the next three.
        top: Mean of both corners.
        right: See `left`.
        bottom: Mean of both corners; below `top`.
        number: Of the line; -1 if there are several.
    """

    left: float
    top: float
    right: float
    bottom: float
    number: int = -1

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def centre(self) -> float:
        """Half-way between left and right."""
        return (self.left + self.right) / 2

    @property
    def middle(self) -> float:
        """Half-way between top and bottom."""
        return (self.top + self.bottom) / 2


Row = list[Part]
"""Lines beside each other, from left to right; at least one."""

Block = list[Row]
"""Rows from top to bottom, at least one, that are read one after the other."""


def enclosing(parts: Iterable[Part]) -> Part:
    """Return the rectangle around one part or more."""
    lefts, tops, rights, bottoms, _ = zip(*parts, strict=True)
    return Part(min(lefts), min(tops), max(rights), max(bottoms))


def cut_blocks(boxes: BoxArray) -> list[Block]:
    """Cut a page into blocks, in the order in which a person reads them.

    Args:
        boxes: (N, 4, 2) float32, the lines of a level page, clockwise from the top left.

    Returns:
        Blocks that have each line once.
    """
    left, right = boxes[:, :, 0].min(axis=1), boxes[:, :, 0].max(axis=1)
    top, bottom = boxes[:, :2, 1].mean(axis=1), boxes[:, 2:, 1].mean(axis=1)
    sides = (left.tolist(), top.tolist(), right.tolist(), bottom.clip(top + 1).tolist())
    lines = [Part(*values, index) for index, values in enumerate(zip(*sides, strict=True))]
    return list(_Cutter(boxes).blocks(lines, _MAX_DEPTH))


class _Effort:
    """How much may still be looked at in search of columns on a page.

    Args:
        lines: Number of lines of the page.
    """

    def __init__(self, lines: int) -> None:
        self._left = _MAX_EFFORT * lines

    def allows(self, rows: Iterable[Row]) -> bool:
        """Return whether rows may be looked at, and count that."""
        self._left -= sum(map(len, rows))
        return self._left >= 0


class _Cutter:
    def __init__(self, boxes: BoxArray) -> None:
        self._boxes = boxes
        self._effort = _Effort(len(boxes))

    def blocks(self, lines: Row, depth: int) -> Iterator[Block]:
        """Cut a part of the page that has no more than `depth` levels of columns."""
        if not lines:
            return
        rows = [[lines[place] for place in row] for row in group_rows(self._boxes[[line.number for line in lines]])]
        if not depth:
            yield rows
            return
        plain: Block = []
        for piece, columns in _pieces(rows, self._effort, nested=True):
            if not columns:
                plain += piece
                continue
            if plain:
                yield plain
                plain = []
            for column in columns:
                yield from self.blocks(column, depth - 1)
        if plain:
            yield plain


def _pieces(rows: list[Row], effort: _Effort, nested: bool) -> Iterator[tuple[list[Row], list[Row]]]:
    """Cut rows into pieces with columns and pieces without.

    Args:
        rows: From top to bottom.
        effort: That of the page.
        nested: Look for columns within columns.

    Yields:
        Rows, and the lines of each of their columns from left to right; no columns if they are to be read as rows.
    """
    unit = statistics.median(part.height for row in rows for part in row)
    begin = start = 0
    while start < len(rows):
        end = _end_of_run(rows, start, unit)
        if end == start:
            start += 1
            continue
        first = _start_of_run(rows, start, begin, end, unit)
        if first > begin:
            yield rows[begin:first], []
        yield from _pieces_of_run(rows[first:end], unit, effort, nested)
        begin = start = end
    if begin < len(rows):
        yield rows[begin:], []


class _Span(NamedTuple):
    """A part of the width of a page."""

    left: float
    right: float


def _spans(rows: Iterable[Row], unit: float, spans: Sequence[_Span] = ()) -> list[_Span]:
    """Return what rows occupy of the width, from left to right, without gaps too narrow for a gutter.

    Args:
        rows: Rows.
        unit: The height of a line.
        spans: What others occupy.
    """
    margin = _MARGIN * unit
    own = (
        _Span(min(part.left + margin, part.centre), max(part.centre, part.right - margin))
        for row in rows
        for part in row
    )
    joined: list[_Span] = []
    for span in sorted((*own, *spans)):
        if joined and span.left - joined[-1].right < _GUTTER * unit:
            joined[-1] = _Span(joined[-1].left, max(joined[-1].right, span.right))
        else:
            joined.append(span)
    return joined


def _end_of_run(rows: Sequence[Row], start: int, unit: float) -> int:
    """Return the end of the run whose first two rows are at `start`; `start` itself if there is none."""
    spans = _spans(rows[start : start + 2], unit)
    if not 1 < len(spans) <= _MAX_COLUMNS or start + 2 > len(rows):
        return start
    end = start + 2
    while end < len(rows) and 1 < len(wider := _spans([rows[end]], unit, spans)) <= _MAX_COLUMNS:
        spans = wider
        end += 1
    return end


def _start_of_run(rows: Sequence[Row], start: int, earliest: int, end: int, unit: float) -> int:
    """Return the start of a run, with rows above it that leave the same strip free."""
    spans = _spans(rows[start:end], unit)
    while start > earliest and 1 < len(wider := _spans([rows[start - 1]], unit, spans)) <= _MAX_COLUMNS:
        spans = wider
        start -= 1
    return start


def _pieces_of_run(run: list[Row], unit: float, effort: _Effort, nested: bool) -> Iterator[tuple[list[Row], list[Row]]]:
    """Cut a run at free strips across it, with arguments and results as above."""
    waiting = [run]
    while waiting:
        piece = waiting.pop()
        cut, height = _highest_band(piece)
        at_edge = cut in (1, len(piece) - 1)
        columns: list[Row] = []
        if height < (_EDGE_BAND if at_edge else _BAND) * unit:
            is_allowed = effort.allows(piece)
            columns = _columns(piece, unit, effort, nested) if is_allowed else []
            if columns or not is_allowed or height < _LOOSE_BAND * unit:
                yield piece, columns
                continue
        waiting += [piece[cut:], piece[:cut]]


def _highest_band(rows: Sequence[Row]) -> tuple[int, float]:
    """Return the number of rows above the highest free strip across all rows, and its height; 0 if there is none."""
    tops = [min(part.top for part in row) for row in rows]
    for place in range(len(tops) - 2, -1, -1):
        tops[place] = min(tops[place], tops[place + 1])
    best, height, bottom = 0, 0.0, float("-inf")
    for place, (row, top) in enumerate(zip(rows, tops, strict=True)):
        if place and top - bottom > height:
            best, height = place, top - bottom
        bottom = max(bottom, *(part.bottom for part in row))
    return best, height


def _columns(rows: Sequence[Row], unit: float, effort: _Effort, nested: bool) -> list[Row]:
    """Return the lines of each column of text from left to right; none if there are not at least two columns."""
    columns = [_Column(rows, span, effort, nested) for span in _spans(rows, unit)]
    while refused := [place for place, beside in enumerate(pairwise(columns)) if not _are_columns(*beside)]:
        # Numbers of a list and what they number, for example, are one column that may be beside others.
        place = min(refused, key=lambda place: columns[place + 1].span.left - columns[place].span.right)
        joined = _Span(columns[place].span.left, columns[place + 1].span.right)
        columns[place : place + 2] = [_Column(rows, joined, effort, nested)]
    return [column.lines for column in columns] if len(columns) > 1 else []


class _Column:
    """What a strip of a run has.

    Args:
        rows: The rows of the run.
        span: The strip.
        effort: That of the page.
        nested: It may have columns itself.

    Attributes:
        span: The strip.
        lines: Its lines, from top to bottom.
        rows: What each row has of it.
    """

    def __init__(self, rows: Sequence[Row], span: _Span, effort: _Effort, nested: bool) -> None:
        self.span = span
        inside = [[part for part in row if span.left <= part.centre <= span.right] for row in rows]
        inside = [row for row in inside if row]
        self.lines = [part for row in inside for part in row]
        self.rows = sorted(map(enclosing, inside), key=lambda part: part.middle)
        self._unit = statistics.median(row.height for row in self.rows)
        self._width = enclosing(self.rows).width
        # Of a row with cells, none is as wide as a line of text.
        widest = (max(part.width for part in row) for row in inside)
        self._full = sum(width >= _FULL * self._width for width in widest) / len(inside)
        gaps = [lower.top - upper.bottom for upper, lower in pairwise(self.rows)]
        self._tight = sum(gap <= _TIGHT * self._unit for gap in gaps) / len(gaps) if gaps else 0.0
        self._nested = inside if nested else []
        self._effort = effort

    @cached_property
    def is_prose(self) -> bool:
        """Whether it is a column of text that could stand alone, or several."""
        if len(self.rows) < _PROSE_ROWS or self._width < _PROSE_WIDTH * self._unit or self._tight < _PROSE_TIGHT:
            return False
        return self._full >= _PROSE_FULL or self._has_columns()

    @property
    def is_note(self) -> bool:
        """Whether it is text that may stand beside such a column."""
        return (
            len(self.rows) >= _NOTE_ROWS
            and self._width >= _NOTE_WIDTH * self._unit
            and self._full >= _PROSE_FULL
            and self._tight >= _NOTE_TIGHT
        )

    def _has_columns(self) -> bool:
        if not self._nested:
            return False
        cut = sum(len(piece) for piece, columns in _pieces(self._nested, self._effort, nested=False) if columns)
        return cut >= _PROSE_FULL * len(self._nested)

    def is_aligned(self, other: "_Column") -> bool:
        """Whether most rows of the column with fewer rows have one of the other beside them."""
        fewer, more = sorted((self.rows, other.rows), key=len)
        place = beside = 0
        for row in fewer:
            while place + 1 < len(more) and more[place + 1].middle <= row.middle:
                place += 1
            beside += any(
                abs(near.middle - row.middle) < _LEVEL * min(near.height, row.height)
                for near in more[place : place + 2]
            )
        return beside >= _ALIGNED * len(fewer)


def _are_columns(first: _Column, second: _Column) -> bool:
    """Whether two neighbouring strips of a run are columns of text rather than of a table."""
    if first.is_prose and second.is_prose:
        return True
    prose, note = (first, second) if first.is_prose else (second, first)
    if not prose.is_prose or not note.is_note:
        return False
    # What stands beside each row of a table goes on as far as the table does.
    return len(note.rows) <= _NOTE_LENGTH * len(prose.rows) or not prose.is_aligned(note)
