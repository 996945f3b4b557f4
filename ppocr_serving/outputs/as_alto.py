"""Documents as ALTO 4.2."""

from collections.abc import Sequence
from itertools import count
from typing import Final

import msgspec

from ppocr_serving.outputs.items import Check, Item, Origin, pages_of
from ppocr_serving.outputs.markup import XML_DECLARATION, attributes, content
from ppocr_serving.outputs.shapes import Rectangle, angle_of, rectangle_of, runs_down, size_of
from ppocr_serving.outputs.spans import Span, spans_of
from ppocr_serving.outputs.texts import error_message
from ppocr_serving.results import Document, Line, Page, Point

__all__ = ["write"]

_NAMESPACE: Final = "http://www.loc.gov/standards/alto/ns-v4#"
_VERSION = "4.2"  # the first with baselines of several points


def write(items: Sequence[Item], check: Check) -> bytes:
    """Write documents as `ppocr_serving.outputs.write` does."""
    root = attributes(xmlns=_NAMESPACE, SCHEMAVERSION=_VERSION)
    processing = [f"processing_{number}" if item.origin is not None else None for number, item in enumerate(items, 1)]
    pages = "".join(
        _page(page, position, processing[index]) for position, (index, page) in enumerate(pages_of(items, check), 1)
    )
    pages = pages or _page(Page(0, 0), 1, None)  # the form needs one
    return (
        f"{XML_DECLARATION}<alto{root}>\n"
        "<Description>\n<MeasurementUnit>pixel</MeasurementUnit>\n"
        f"{_sources([item.document for item in items])}{_processing(items)}</Description>\n"
        f"<Layout>\n{pages}</Layout>\n</alto>\n"
    ).encode()


def _sources(documents: Sequence[Document]) -> str:
    names = [content(document.name) for document in documents]
    if len(names) == 1:  # there may be one file name only
        inner = f"<fileName>{names[0]}</fileName>"
    else:
        inner = "".join(f"<documentIdentifier>{name}</documentIdentifier>" for name in names)
    return f"<sourceImageInformation>{inner}</sourceImageInformation>\n"


def _processing(items: Sequence[Item]) -> str:
    return "".join(
        f'<Processing ID="processing_{number}">'
        "<processingCategory>contentGeneration</processingCategory>"
        f"<processingStepSettings>{content(_settings(item.origin))}</processingStepSettings>"
        "<processingSoftware><softwareName>ppocr-serving</softwareName>"
        f"<softwareVersion>{content(item.origin.version)}</softwareVersion></processingSoftware>"
        "</Processing>\n"
        for number, item in enumerate(items, 1)
        if item.origin is not None
    )


def _settings(origin: Origin) -> str:
    made_with = {"profile": origin.profile, "options": dict(origin.options), "files": dict(origin.files)}
    return msgspec.json.encode(made_with).decode()


def _page(page: Page, position: int, processing: str | None) -> str:
    failed = page.error is not None
    start = attributes(
        ID=f"page_{position}",
        PROCESSINGREFS=processing,
        PHYSICAL_IMG_NR=page.number,
        WIDTH=page.width,
        HEIGHT=page.height,
        QUALITY="Missing" if failed else None,
        QUALITY_DETAIL=error_message(page.error) if page.error is not None else None,
    )
    lines, words = count(1), count(1)
    parts = [f"<Page{start}>\n<PrintSpace{_place(Rectangle(0, 0, page.width, page.height))}>\n"]
    for number, paragraph in enumerate(page.paragraphs, 1):
        longest = max(paragraph, key=lambda line: size_of(line.box).width)
        place = _place(rectangle_of((line.box for line in paragraph), page))
        rotation = attributes(ROTATION=-angle_of(longest.box) % 360 or None)  # counted the other way round
        parts.append(f'<TextBlock ID="block_{position}_{number}"{place}{rotation}>\n')
        for line in paragraph:
            parts.append(_line_start(line, page, f"line_{position}_{next(lines)}"))
            spans = spans_of(line)
            for index, span in enumerate(spans):
                parts.append(_string(span, page, f"word_{position}_{next(words)}"))
                if span.spaced:
                    parts.append(_space(span, spans[index + 1], page))
            parts.append("</TextLine>\n")
        parts.append("</TextBlock>\n")
    parts.append("</PrintSpace>\n</Page>\n")
    return "".join(parts)


def _line_start(line: Line, page: Page, key: str) -> str:
    place = _place(rectangle_of([line.box], page))
    # The side on which the characters of a level line stand; those of a vertical one stand on none.
    baseline = None if runs_down(line) else _points([line.box[3], line.box[2]])
    shape = f"<Shape><Polygon{attributes(POINTS=_points(line.box))}/></Shape>"
    return f"<TextLine{attributes(ID=key)}{place}{attributes(BASELINE=baseline)}>{shape}\n"


def _string(span: Span, page: Page, key: str) -> str:
    place = _place(rectangle_of([span.box], page))
    return f"<String{attributes(ID=key, CONTENT=span.text)}{place}{attributes(WC=span.confidence)}/>\n"


def _space(before: Span, after: Span, page: Page) -> str:
    left, right = rectangle_of([before.box], page), rectangle_of([after.box], page)
    gap = Rectangle(left.right, left.top, max(left.right, right.left), left.bottom)
    return f"<SP{_place(gap)}/>\n"


def _place(sides: Rectangle) -> str:
    left, top, right, bottom = sides
    return attributes(HPOS=left, VPOS=top, WIDTH=right - left, HEIGHT=bottom - top)


def _points(corners: Sequence[Point]) -> str:
    return " ".join(f"{x},{y}" for x, y in corners)
