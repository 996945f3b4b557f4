"""The words of a line for formats that place every word."""

from typing import NamedTuple

from ppocr_serving.outputs.shapes import confidence_of
from ppocr_serving.outputs.texts import plain
from ppocr_serving.results import Box, Line

__all__ = ["Span", "spans_of"]


class Span(NamedTuple):
    """A word, or the whole line, if it has no words of its own.

    Attributes:
        text: In one row, without characters that formats cannot hold.
        confidence: To four digits, in [0, 1].
        box: Its corners.
        spaced: Whether a space follows.
    """

    text: str
    confidence: float
    box: Box
    spaced: bool = False


def spans_of(line: Line) -> tuple[Span, ...]:
    """Return the words of a line; the line as one, if it has none, or if its text was corrected and theirs was not."""
    text = plain(line.text)
    spans: list[Span] = []
    position = 0
    for word in line.words:
        shown = plain(word.text).strip()
        start = len(text) - len(text[position:].lstrip())
        if not shown:
            continue
        if not text.startswith(shown, start):
            break
        if spans and start > position:
            spans[-1] = spans[-1]._replace(spaced=True)
        spans.append(Span(shown, confidence_of(word.confidence), word.box))
        position = start + len(shown)
    if spans and not text[position:].strip():
        return tuple(spans)
    return (Span(text, confidence_of(line.confidence), line.box),)
