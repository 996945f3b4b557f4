"""The order in which characters stand side by side, which is how a PDF has them; readers restore the order of speech.

These are the essentials of the Unicode Bidirectional Algorithm (UAX 9) for a single line: words of both directions, and
numbers among them; no explicit embeddings, isolates or paired brackets.
"""

import re
import unicodedata
from itertools import groupby
from types import MappingProxyType
from typing import Final

__all__ = ["side_by_side"]

_RIGHT_TO_LEFT: Final = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_CONTROLS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NUMBERS: Final = frozenset({"EN", "AN"})
_STRONG: Final = MappingProxyType({"L": "L", "R": "R", "AL": "R"})
_IN_NUMBERS: Final = frozenset({"ES", "CS", "ET"})


def side_by_side(text: str) -> str:
    """Return the characters of a text from left to right, without those that only control directions."""
    shown = _CONTROLS.sub("", text)
    if not _RIGHT_TO_LEFT.search(shown):
        return shown
    levels = _levels(shown)
    order = list(range(len(shown)))
    for level in range(max(levels), 0, -1):
        runs = [(is_high, list(run)) for is_high, run in groupby(order, lambda index: levels[index] >= level)]  # noqa: B023
        order = [index for is_high, run in runs for index in (reversed(run) if is_high else run)]
    return "".join(shown[index] for index in order)


def _levels(text: str) -> list[int]:
    """Return how deep each character is embedded: even levels run to the right, odd ones to the left."""
    kinds = [unicodedata.bidirectional(character) for character in text]
    base = next((_STRONG[kind] for kind in kinds if kind in _STRONG), "L")
    sides = _without_neutrals(_sides(kinds, base), base)
    depth = {"L": 0, "R": 1, "N": 2} if base == "L" else {"L": 2, "R": 1, "N": 2}
    return [depth[side] for side in sides]


def _sides(kinds: list[str], base: str) -> list[str]:
    """Return the direction of each character: L, R, N for a number among those to the left, or none of its own."""
    sides: list[str] = []
    strong = base
    for index, kind in enumerate(kinds):
        if kind == "NSM":
            sides.append(sides[-1] if sides else base)
        elif kind in _STRONG:
            strong = _STRONG[kind]
            sides.append(strong)
        elif kind in _NUMBERS or (kind in _IN_NUMBERS and _NUMBERS.issuperset(kinds[index - 1 : index + 2 : 2])):
            sides.append("L" if strong == "L" else "N")
        else:
            sides.append("")
    return sides


def _without_neutrals(sides: list[str], base: str) -> list[str]:
    """Give characters without a direction the one that both of their sides have, or else that of the line."""
    resolved: list[str] = []
    before = base
    for has_own, run in groupby(sides, bool):
        listed = list(run)
        if has_own:
            resolved += listed
            before = listed[-1]
            continue
        next_index = len(resolved) + len(listed)
        after = sides[next_index] if next_index < len(sides) else base
        around = {side.replace("N", "R") for side in (before, after)}
        resolved += [around.pop() if len(around) == 1 else base] * len(listed)
    return resolved
