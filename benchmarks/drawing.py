"""Draw a picture beside its labels and beside what was read."""

from collections.abc import Collection, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from benchmarks.labels import LabelledLine
from benchmarks.metrics import evaluated, matching_lines
from ppocr_serving.vision.pictures import decode_picture

__all__ = ["draw_comparison", "require_font"]

_FONT = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")  # Latin, Chinese and Japanese
_MAX_PIXELS = 10**9  # whoever read the picture had a limit of their own
_MIN_FONT_SIZE = 10

_Colour = tuple[int, int, int]
_RIGHT: _Colour = (0, 130, 60)
_MISSED: _Colour = (215, 0, 0)
_WRONG: _Colour = (0, 60, 230)


def require_font() -> None:
    """Make sure that the font is installed.

    Raises:
        FileNotFoundError: It is not; the message names its Debian package.
    """
    if not _FONT.is_file():
        raise FileNotFoundError(f"the font {_FONT} is missing; run: apt-get install fonts-wqy-microhei")


def draw_comparison(data: bytes, labels: Sequence[LabelledLine], predictions: Sequence[LabelledLine]) -> Image.Image:
    """Draw three panels: the picture with all boxes, the labels, and what was read, each text in its place.

    Lines that match are green, labels that no line matches red, read lines that match no label blue. What is not
    evaluated is left out.

    Args:
        data: The bytes of the picture file.
        labels: Its labels.
        predictions: What was read.
    """
    labels, predictions = evaluated(labels, predictions)
    matches = matching_lines(labels, predictions)
    picture = Image.fromarray(decode_picture(data, _MAX_PIXELS)[:, :, ::-1])
    canvas = Image.new("RGB", (3 * picture.width, picture.height), "white")
    canvas.paste(picture, (0, 0))
    pen = ImageDraw.Draw(canvas)
    for lines, right, other, column in (
        (labels, matches.keys(), _MISSED, 1),
        (predictions, matches.values(), _WRONG, 2),
    ):
        _draw_lines(pen, lines, right, other, column * picture.width)
    for column in (1, 2):
        pen.line((column * picture.width, 0, column * picture.width, picture.height), fill="gray")
    return canvas


def _draw_lines(
    pen: ImageDraw.ImageDraw, lines: Sequence[LabelledLine], right: Collection[int], other: _Colour, offset: int
) -> None:
    for index, (text, (x1, y1, x2, y2)) in enumerate(lines):
        colour = _RIGHT if index in right else other
        pen.rectangle((x1, y1, x2, y2), outline=colour, width=2)
        font = _fitting_font(text, x2 - x1, y2 - y1)
        pen.text((offset + x1, (y1 + y2) / 2), text, fill=colour, font=font, anchor="lm")


def _fitting_font(text: str, width: float, height: float) -> ImageFont.FreeTypeFont:
    size = max(_MIN_FONT_SIZE, 0.8 * height)
    font = ImageFont.truetype(_FONT, size)
    length = font.getlength(text)
    return font if length <= width else ImageFont.truetype(_FONT, max(_MIN_FONT_SIZE, size * width / length))
