"""The text that a page of a PDF holds itself, as lines and words."""

import math
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ppocr_serving.results import Box, Line, Word
from ppocr_serving.vision.pdf_messages import Character
from ppocr_serving.vision.scripts import is_unspaced

__all__ = ["find_lines"]

_MAX_UNMAPPED = 0.1  # of the characters
_GAP = 1.5  # of a line's height: what is further apart is not one line
_OVERLAP = 0.5  # of the lower height: of two characters of one line
_BACK = 0.5  # of the height: how far a character may begin before the end of the one before
_UNKNOWN = frozenset({"Cc", "Cn", "Co", "Cs"})  # Unicode's categories: control, unassigned, private, half of a pair
_ALONE = 0.5  # of the lines: with more that have one character, the characters' order says nothing of lines


class _Place(NamedTuple):
    """A box in pixels as displayed."""

    left: float
    top: float
    right: float
    bottom: float

    def along(self, turned: int) -> tuple[float, float, float, float]:
        """Return start, end, top and bottom as seen by somebody who reads text that is turned so."""
        if turned == 0:
            return self.left, self.right, self.top, self.bottom
        if turned == 1:
            return self.top, self.bottom, -self.right, -self.left
        if turned == 2:
            return -self.right, -self.left, -self.bottom, -self.top
        return -self.bottom, -self.top, self.left, self.right


class _Letter(NamedTuple):
    text: str
    turned: int
    place: _Place
    follows_space: bool


def find_lines(characters: Sequence[Character], size: tuple[int, int], scale: float) -> tuple[Line, ...] | None:
    """Find the lines of a page's own text.

    Args:
        characters: In the page's own order.
        size: Width and height of the page in pixels.
        scale: Pixels per point.

    Returns:
        The lines with their words, in the page's own order, with confidence 1; None if the text is not usable: there is
        none, more than a tenth of it has no known character, or it is not in lines.
    """
    letters = list(_on_page(characters, size, scale))
    known = [letter for letter in letters if letter is not None and letter.text]
    total = sum(letter is not None for letter in letters)
    if not known or total - len(known) > _MAX_UNMAPPED * total:
        return None
    lines = [_line(run, size) for run in _runs(letters)]
    if sum(len(line.text) == 1 for line in lines) > max(4, _ALONE * len(lines)):
        return None
    return tuple(lines)


def _on_page(characters: Sequence[Character], size: tuple[int, int], scale: float) -> Iterator[_Letter | None]:
    """Yield the characters that are on the page, those that are unknown without text, and None for ends of lines."""
    has_space = False
    for character in characters:
        if character.text == "\n":
            yield None
            has_space = False
            continue
        if character.text.isspace():
            has_space = True
            continue
        box = (character.left, character.top, character.right, character.bottom)
        place = _Place(*(scale * edge for edge in box))
        middle = (place.left + place.right) / 2, (place.top + place.bottom) / 2
        if all(0 <= at <= side for at, side in zip(middle, size, strict=True)):
            is_unknown = character.is_unmapped or _is_unknown(character.text)
            yield _Letter("" if is_unknown else character.text, character.turned % 4, place, has_space)
            has_space = False


def _is_unknown(text: str) -> bool:
    return text == "\ufffd" or unicodedata.category(text) in _UNKNOWN


def _runs(letters: Sequence[_Letter | None]) -> Iterator[list[_Letter]]:
    run: list[_Letter] = []
    for letter in letters:
        if letter is not None and not letter.text:
            continue
        if run and (letter is None or not _continues(run[-1], letter)):
            yield run
            run = []
        if letter is not None:
            run.append(letter)
    if run:
        yield run


def _continues(last: _Letter, letter: _Letter) -> bool:
    if letter.turned != last.turned:
        return False
    _, end, top, bottom = last.place.along(last.turned)
    start, _, next_top, next_bottom = letter.place.along(letter.turned)
    height = max(bottom - top, next_bottom - next_top)
    lower = min(bottom - top, next_bottom - next_top)
    overlap = min(bottom, next_bottom) - max(top, next_top)
    return overlap >= _OVERLAP * lower and -_BACK * height <= start - end <= _GAP * height


def _line(run: list[_Letter], size: tuple[int, int]) -> Line:
    words: list[list[_Letter]] = []
    text = ""
    for letter in run:
        if letter.follows_space and text:
            text += " "
        alone = is_unspaced(letter.text) or (bool(words) and is_unspaced(words[-1][-1].text))
        if not words or letter.follows_space or alone:
            words.append([])
        words[-1].append(letter)
        text += letter.text
    found = tuple(Word("".join(letter.text for letter in word), 1.0, _box(word, size)) for word in words)
    return Line(text, 1.0, _box(run, size), found)


def _box(letters: list[_Letter], size: tuple[int, int]) -> Box:
    width, height = size
    left = max(0, math.floor(min(letter.place.left for letter in letters)))
    top = max(0, math.floor(min(letter.place.top for letter in letters)))
    right = min(width - 1, math.ceil(max(letter.place.right for letter in letters)))
    bottom = min(height - 1, math.ceil(max(letter.place.bottom for letter in letters)))
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    turned = letters[0].turned
    first, second, third, fourth = corners[turned:] + corners[:turned]
    return first, second, third, fourth
