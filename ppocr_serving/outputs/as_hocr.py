"""Documents as hOCR 1.2, which is XHTML here: both a browser and an XML parser read it."""

import math
import re
from collections.abc import Sequence
from itertools import count
from typing import Final

from ppocr_serving import __version__
from ppocr_serving.outputs.items import Check, Item, pages_of
from ppocr_serving.outputs.markup import XML_DECLARATION, content, number
from ppocr_serving.outputs.shapes import Rectangle, angle_of, confidence_of, rectangle_of, runs_down
from ppocr_serving.outputs.spans import Span, spans_of
from ppocr_serving.outputs.texts import error_message, plain, title
from ppocr_serving.results import Box, Line, Page

__all__ = ["write"]

_CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_poly ocrp_wconf"
_TILTED = 45.0  # degrees from which on a line is turned, and below which its baseline slopes
_SEPARATORS: Final = re.compile(r'["\\;]')  # end the name of a picture for one reader or another


def write(items: Sequence[Item], check: Check) -> bytes:
    """Write documents as `ppocr_serving.outputs.write` does."""
    pages = [
        _page(page, items[index].document.name, position)
        for position, (index, page) in enumerate(pages_of(items, check), 1)
    ] or [_page(Page(0, 0), "", 1)]  # the form needs one
    names = ", ".join(title(item.document, index) for index, item in enumerate(items)) or "No documents"
    profiles = sorted({item.origin.profile for item in items if item.origin is not None})
    made_by = " ".join([f"ppocr-serving {__version__}", *profiles])
    head = (
        f"{XML_DECLARATION}<!DOCTYPE html>\n"
        '<html xmlns="http://www.w3.org/1999/xhtml">\n'
        "<head>\n"
        f"<title>{content(names)}</title>\n"
        '<meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>\n'
        f'<meta name="ocr-system" content="{content(made_by)}"/>\n'
        f'<meta name="ocr-capabilities" content="{_CAPABILITIES}"/>\n'
        f'<meta name="ocr-number-of-pages" content="{len(pages)}"/>\n'
        "</head>\n"
        "<body>\n"
    )
    return "".join([head, *pages, "</body>\n</html>\n"]).encode()


def _page(page: Page, name: str, position: int) -> str:
    image = _SEPARATORS.sub(lambda found: f"%{ord(found[0]):02X}", plain(name))
    properties = [
        f'image "{image}"',
        f"bbox 0 0 {page.width} {page.height}",
        f"ppageno {page.number - 1}",
    ]
    if page.dpi is not None:
        properties.append(f"scan_res {round(page.dpi)} {round(page.dpi)}")
    parts = [f'<div class="ocr_page" id="page_{position}" title="{content("; ".join(properties))}">\n']
    if page.error is not None:
        parts.append(f"<p>{content(error_message(page.error))}</p>\n")
    lines, words = count(1), count(1)
    for number_, paragraph in enumerate(page.paragraphs, 1):
        where = _bbox(rectangle_of((line.box for line in paragraph), page))
        key = f"{position}_{number_}"
        parts.append(
            f'<div class="ocr_carea" id="block_{key}" title="{where}">\n'
            f'<p class="ocr_par" id="par_{key}" title="{where}">\n'
        )
        for line in paragraph:
            key = f"{position}_{next(lines)}"
            spans = "".join(_span(span, page, f"{position}_{next(words)}") for span in spans_of(line))
            parts.append(f'<span class="ocr_line" id="line_{key}" title="{_line(line, page)}">{spans}</span>\n')
        parts.append("</p>\n</div>\n")
    parts.append("</div>\n")
    return "".join(parts)


def _line(line: Line, page: Page) -> str:
    outer = rectangle_of([line.box], page)
    properties = [_bbox(outer), *_polygon(line.box, page)]
    angle = angle_of(line.box)
    if abs(angle) >= _TILTED:
        properties.append(f"textangle {number(-angle % 360)}")  # counted the other way round
    elif not runs_down(line):
        properties.append(_baseline(line.box, outer))
    properties.append(f"x_wconf {round(100 * confidence_of(line.confidence))}")
    return "; ".join(properties)


def _span(span: Span, page: Page, key: str) -> str:
    where = _bbox(rectangle_of([span.box], page))
    properties = f"{where}; x_wconf {round(100 * span.confidence)}"
    space = " " if span.spaced else ""
    return f'<span class="ocrx_word" id="word_{key}" title="{properties}">{content(span.text)}</span>{space}'


def _bbox(sides: Rectangle) -> str:
    return f"bbox {sides.left} {sides.top} {sides.right} {sides.bottom}"


def _polygon(box: Box, page: Page) -> list[str]:
    corners = {*box}
    left, top, right, bottom = rectangle_of([box])
    if corners == {(left, top), (right, top), (right, bottom), (left, bottom)}:
        return []
    inside = ((min(max(x, 0), page.width), min(max(y, 0), page.height)) for x, y in box)
    return ["poly " + " ".join(f"{x} {y}" for x, y in inside)]


def _baseline(box: Box, outer: Rectangle) -> str:
    """Return the lower side of a box as a slope and a distance from the rectangle's lower left corner."""
    (x2, y2), (x3, y3) = box[2], box[3]
    slope = (y2 - y3) / (x2 - x3) if x2 > x3 else math.tan(math.radians(angle_of(box)))
    offset = min(0, round(y3 + slope * (outer.left - x3) - outer.bottom))
    return f"baseline {number(round(slope, 3) + 0.0)} {offset}"
