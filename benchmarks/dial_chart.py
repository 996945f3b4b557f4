"""Draw accuracy against time as SVG that reads well on white and on black: a panel per kind of picture."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

__all__ = ["Curve", "draw_chart"]

_COLOURS = ("#3d8bfd", "#e8590c", "#2f9e44", "#ae3ec9")  # all of them legible on white and on black
_GREY = "#868e96"
_PANEL_WIDTH, _PANEL_HEIGHT = 400, 262
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 26, 60, 44  # margins of a panel, for titles and the numbers at its axes
_COLUMNS = 2
_LEGEND = 30
_TICKS = 5  # at most that many steps, about
_LABEL_WIDTH = 22  # labels nearer to each other would overlap


class Curve(NamedTuple):
    """One curve.

    Attributes:
        panel: Title of its panel; curves with the same one share it.
        name: What distinguishes it there.
        measure: What the vertical axis shows.
        points: Label, milliseconds per picture, and accuracy; in the order in which they are joined.
    """

    panel: str
    name: str
    measure: str
    points: Sequence[tuple[str, float, float]]


def draw_chart(curves: Sequence[Curve]) -> str:
    """Return the chart as an SVG document.

    Args:
        curves: At least one, each with at least one point.
    """
    panels: dict[str, list[Curve]] = {}
    for curve in curves:
        panels.setdefault(curve.panel, []).append(curve)
    names = list(dict.fromkeys(curve.name for curve in curves))
    colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}
    columns = min(_COLUMNS, len(panels))
    width = columns * _PANEL_WIDTH
    height = -(-len(panels) // columns) * _PANEL_HEIGHT + _LEGEND
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" fill="{_GREY}">']
    for index, (title, drawn) in enumerate(panels.items()):
        row, column = divmod(index, columns)
        parts.append(f'<g transform="translate({column * _PANEL_WIDTH} {row * _PANEL_HEIGHT})">')
        parts.extend(_panel(title, drawn, colours))
        parts.append("</g>")
    for index, (name, colour) in enumerate(colours.items()):
        x, y = _LEFT + 90 * index, height - 12
        parts.append(f'<circle cx="{x}" cy="{y - 4}" r="4" fill="{colour}"/>')
        parts.append(_text(name, x + 10, y, "start"))
    return "\n".join([*parts, "</svg>", ""])


def _panel(title: str, curves: Sequence[Curve], colours: dict[str, str]) -> Iterable[str]:
    points = [point for curve in curves for point in curve.points]
    right, bottom = _PANEL_WIDTH - _RIGHT, _PANEL_HEIGHT - _BOTTOM
    heights = _ticks(min(accuracy for *_, accuracy in points), max(accuracy for *_, accuracy in points))
    times = _ticks(0.0, max(milliseconds for _, milliseconds, _ in points))
    low, high, longest = heights[0], heights[-1], times[-1]

    def place(milliseconds: float, accuracy: float) -> tuple[float, float]:
        return (
            _LEFT + milliseconds / longest * (right - _LEFT),
            bottom - (accuracy - low) / (high - low) * (bottom - _TOP),
        )

    yield _text(title, _LEFT, 18, "start", 'font-weight="bold" font-size="13"')
    yield _text(f"{curves[0].measure} against ms per picture", _LEFT, 34, "start")
    for accuracy in heights:
        _, y = place(0, accuracy)
        yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="{_GREY}" stroke-opacity=".3"/>'
        yield _text(f"{accuracy:.4g}", _LEFT - 8, y + 4, "end")
    for milliseconds in times:
        x, _ = place(milliseconds, low)
        yield _text(f"{milliseconds:.4g}", x, bottom + 18, "middle")
    for curve in curves:
        colour = colours[curve.name]
        placed = [(label, *place(milliseconds, accuracy)) for label, milliseconds, accuracy in curve.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for _, x, y in placed)
        yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        # From the last point, which always has its label, back to the first.
        free = math.inf
        for label, x, y in reversed(placed):
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
            if abs(free - x) >= _LABEL_WIDTH:
                yield _text(label, x, y - 8, "middle", f'fill="{colour}" font-size="10"')
                free = x


def _ticks(low: float, high: float) -> list[float]:
    """Return at least two round numbers at equal distances, the first at most `low` and the last at least `high`."""
    rough = max(high - low, 1e-3) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [number * step for number in range(first, last + 1)]


def _text(text: str, x: float, y: float, anchor: str, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {attributes}>{escape(text)}</text>'
