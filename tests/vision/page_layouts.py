"""Pages with a known reading order, by name."""

from typing import NamedTuple

from tests.typesetting import TypesetLine, column, tategaki

__all__ = ["PAGES", "Layouted"]


class Layouted(NamedTuple):
    """A page.

    Attributes:
        width: Pixels.
        height: Pixels.
        paragraphs: Its lines in reading order.
    """

    width: int
    height: int
    paragraphs: list[list[TypesetLine]]

    @property
    def lines(self) -> list[TypesetLine]:
        """The lines of all paragraphs."""
        return [line for paragraph in self.paragraphs for line in paragraph]


def _two_columns(y: float = 60, second: float = 0) -> list[list[TypesetLine]]:
    return [
        column(0, 5, 60, y, 400, 24),
        column(31, 6, 60, y + 220, 400, 24),
        column(62, 7, 510, y + second, 400, 24),
        column(93, 4, 510, y + second + 290, 400, 24),
    ]


def _row(y: float, cells: dict[float, str], size: int = 24) -> list[TypesetLine]:
    return [TypesetLine(text, x, y, size) for x, text in cells.items()]


_GOODS = ("Apples", "Brown bread", "Coffee", "Dark chocolate bar", "Eggs")
_PRICES = ("2.40", "3.15", "12.90", "4.50", "3.20")
_CITIES = ("Amsterdam", "Bratislava", "Copenhagen", "Dublin")

PAGES = {
    "one column": Layouted(640, 420, [column(0, 4, 60, 50, 500, 24), column(31, 4, 60, 220, 500, 24)]),
    "two columns": Layouted(980, 560, _two_columns()),
    "two columns whose lines are not level with each other": Layouted(980, 600, _two_columns(second=19)),
    "three columns": Layouted(
        1160, 420, [column(31 * number, 8, 60 + 360 * number, 60, 310, 22) for number in range(3)]
    ),
    "header across two columns": Layouted(
        980, 680, [[TypesetLine("Morning at the station market", 90, 90, 48)], *_two_columns(140)]
    ),
    "header across the last two of three columns": Layouted(
        1160,
        520,
        [
            column(0, 11, 60, 60, 310, 22),
            [TypesetLine("Winter in the garden and beside water", 420, 88, 32)],
            column(31, 8, 420, 140, 310, 22),
            column(62, 8, 780, 140, 310, 22),
        ],
    ),
    "running head and page number": Layouted(
        980,
        720,
        [
            [TypesetLine("Chapter four", 60, 70, 22), TypesetLine("Rivers", 830, 70, 22)],
            *_two_columns(120),
            [TypesetLine("128", 465, 690, 22)],
        ],
    ),
    "side note": Layouted(1100, 640, [column(0, 15, 60, 60, 640, 24), column(40, 4, 750, 180, 180, 17)]),
    "side note level with the text": Layouted(
        1100, 640, [column(0, 15, 60, 60, 640, 24), column(40, 4, 750, 168, 260, 24)]
    ),
    "table of 4 x 5 cells": Layouted(
        1100,
        320,
        [
            _row(80 + 52 * row, {60 + 210 * at: city[:4] + _GOODS[at][:4] for at in range(5)})
            for row, city in enumerate(_CITIES)
        ],
    ),
    "table with closely set rows": Layouted(
        900,
        320,
        [
            _row(70 + 34 * row, {60: f"Section {row + 1}", 260: _GOODS[row], 560: f"{_CITIES[row]} and {_GOODS[-row]}"})
            for row in range(5 - 1)
        ],
    ),
    "receipt": Layouted(
        520,
        560,
        [
            [TypesetLine("GREEN MARKET", 130, 70, 32)],
            [TypesetLine("14 River Street", 160, 110, 22), TypesetLine("Opposite the station", 135, 143, 22)],
            *(_row(220 + 34 * row, {50: _GOODS[row], 400: _PRICES[row]}, 22) for row in range(5)),
            _row(430, {50: "Total", 390: "26.15"}, 26),
            [TypesetLine("Thank you, please come again", 90, 510, 22)],
        ],
    ),
    "vertical Japanese": Layouted(760, 560, [tategaki(0, 12, 700, 60, 14, 30)]),
    "vertical Japanese in two tiers": Layouted(
        760, 860, [tategaki(0, 12, 700, 60, 11, 30), tategaki(131, 12, 700, 450, 11, 30)]
    ),
    "vertical Japanese below a headline": Layouted(
        760, 640, [[TypesetLine("山河春秋", 300, 90, 48)], tategaki(0, 12, 700, 150, 14, 30)]
    ),
}
"""Each page is level."""
